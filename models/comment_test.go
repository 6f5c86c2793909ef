package models

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// comment adds a comment, optionally in reply to another one.
func (w *world) comment(t testing.TB, by *User, on *Post, to *Comment) *Comment {
	t.Helper()
	c := &Comment{Owner: by.ID, Post: on.ID, Content: "hello"}
	if to != nil {
		c.Parent = to.ID
	}
	fatal(t, w.Comments.Create(watched(), c))
	return c
}

// listed are the comments on a post as the viewer sees them in lists, each thread followed by its replies.
func (w *world) listed(t testing.TB, viewer bson.ObjectID, on *Post) (all []*Comment) {
	t.Helper()
	pages := func(q CommentQuery) (found []*Comment) {
		for p := (store.Paging{Limit: 3}); ; {
			page, err := w.Comments.Page(watched(), viewer, q, p)
			fatal(t, err)
			found = append(found, page.Items...)
			if page.Next == "" {
				return found
			}
			p.After = page.Next
		}
	}
	for _, c := range pages(CommentQuery{Post: on}) {
		all = append(all, c)
		replies := pages(CommentQuery{Post: on, Parent: c.ID, Oldest: true})
		if n := int64(len(replies)); n != c.RepliesCount {
			t.Errorf("%d replies are listed, and %d counted", n, c.RepliesCount)
		}
		all = append(all, replies...)
	}
	return all
}

// checkCounted compares a post's count with what is listed, except placeholders, and looks for unnecessary
// placeholders.
func (w *world) checkCounted(t testing.TB, on *Post, want int) {
	t.Helper()
	w.DB.WaitRemovals()
	post, err := w.Posts.Visible(watched(), on.Owner, on.ID)
	fatal(t, err)
	shown := 0
	for _, c := range w.listed(t, on.Owner, post) {
		if c.State == CommentShown {
			shown++
		} else if c.RepliesCount == 0 || c.Content != "" || !c.Owner.IsZero() {
			t.Errorf("a placeholder is %+v", c)
		}
	}
	if int64(shown) != post.CommentsCount || want >= 0 && shown != want {
		t.Errorf("%d comments are listed and %d counted, want %d", shown, post.CommentsCount, want)
	}
}

func TestCommentsAndReplies(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	post, other := w.post(t, alice, Public), w.post(t, alice, Public)
	first := w.comment(t, bob, post, nil)
	reply := w.comment(t, carol, post, first)
	deeper := w.comment(t, bob, post, reply)
	if deeper.Parent != first.ID {
		t.Errorf("a reply to a reply hangs on %v", deeper.Parent)
	}
	second := w.comment(t, carol, post, nil)
	w.checkCounted(t, post, 4)
	order := func(q CommentQuery) []bson.ObjectID {
		page, err := w.Comments.Page(ctx, bob.ID, q, store.Paging{})
		fatal(t, err)
		return commentIDs(page.Items)
	}
	fatal(t, w.CommentLikes.Add(ctx, carol.ID, first.ID))
	for name, c := range map[string]struct {
		q    CommentQuery
		want []*Comment
	}{
		"the latest":           {CommentQuery{Post: post}, []*Comment{second, first}},
		"the oldest":           {CommentQuery{Post: post, Oldest: true}, []*Comment{first, second}},
		"the most liked":       {CommentQuery{Post: post, Top: true}, []*Comment{first, second}},
		"the least liked":      {CommentQuery{Post: post, Top: true, Oldest: true}, []*Comment{second, first}},
		"a thread":             {CommentQuery{Post: post, Parent: first.ID, Oldest: true}, []*Comment{reply, deeper}},
		"of another post":      {CommentQuery{Post: other}, nil},
		"a thread elsewhere":   {CommentQuery{Post: other, Parent: first.ID}, nil},
		"a thread of nothing":  {CommentQuery{Post: post, Parent: bson.NewObjectID()}, nil},
		"a thread of a reply":  {CommentQuery{Post: post, Parent: reply.ID}, nil},
		"a thread of one post": {CommentQuery{Post: post, Parent: post.ID}, nil},
	} {
		if got := order(c.q); !slices.Equal(got, commentIDs(c.want)) {
			t.Errorf("%s first: %v, want %v", name, got, commentIDs(c.want))
		}
	}

	_, err := w.Comments.Update(ctx, carol.ID, first.ID, "mine")
	wantCode(t, err, apperr.Forbidden, "")
	_, err = w.Comments.Update(ctx, alice.ID, first.ID, "the owner of the post may delete, and not write")
	wantCode(t, err, apperr.Forbidden, "")
	_, err = w.Comments.Delete(ctx, carol.ID, first.ID)
	wantCode(t, err, apperr.Forbidden, "")
	same, err := w.Comments.Update(ctx, bob.ID, first.ID, " hello\r\n")
	if err != nil || same.EditedAt != nil {
		t.Errorf("the same words: %+v, %v", same, err)
	}
	changed, err := w.Comments.Update(ctx, bob.ID, first.ID, "hello, all")
	if err != nil || changed.Content != "hello, all" || changed.EditedAt == nil || changed.LikesCount != 1 {
		t.Errorf("%+v, %v", changed, err)
	}

	_, err = w.Comments.Delete(ctx, bob.ID, first.ID)
	fatal(t, err)
	w.checkCounted(t, post, 3)
	for what, err := range map[string]error{
		"read":           second1(w.Comments.Visible(ctx, bob.ID, first.ID)),
		"edited":         second1(w.Comments.Update(ctx, bob.ID, first.ID, "x")),
		"deleted":        second1(w.Comments.Delete(ctx, bob.ID, first.ID)),
		"deleted by all": second1(w.Comments.Delete(ctx, alice.ID, first.ID)),
		"liked":          w.CommentLikes.Add(ctx, bob.ID, first.ID),
		"replied to":     w.Comments.Create(ctx, &Comment{Owner: bob.ID, Post: post.ID, Parent: first.ID, Content: "x"}),
	} {
		if !apperr.Is(err, apperr.NotFound) {
			t.Errorf("a placeholder is %s: %v", what, err)
		}
	}
	w.comment(t, carol, post, reply) // the thread continues
	for _, c := range w.listed(t, bob.ID, post) {
		if c.Thread() == first.ID && c.State == CommentShown {
			_, err := w.Comments.Delete(ctx, alice.ID, c.ID)
			fatal(t, err)
		}
	}
	w.checkCounted(t, post, 1)
	wantCode(t, second1(w.Comments.InThread(ctx, bob.ID, first.ID)), apperr.NotFound, "")
	w.checkWhole(t)
}

func second1[T any](_ T, err error) error { return err }

func commentIDs(comments []*Comment) (ids []bson.ObjectID) {
	for _, c := range comments {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestCommentsThatAreRefused(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	post, other, draft := w.post(t, alice, Public), w.post(t, alice, Public), w.post(t, alice, Draft)
	there := w.comment(t, bob, other, nil)
	for name, c := range map[string]struct {
		Comment
		code  apperr.Code
		field string
	}{
		"nothing":                  {Comment{Owner: bob.ID, Post: post.ID, Content: " \r\n\t "}, apperr.Invalid, "content"},
		"nothing to see":           {Comment{Owner: bob.ID, Post: post.ID, Content: "\u200b\u2060"}, apperr.Invalid, "content"},
		"too long":                 {Comment{Owner: bob.ID, Post: post.ID, Content: strings.Repeat("é", 2001)}, apperr.Invalid, "content"},
		"a control character":      {Comment{Owner: bob.ID, Post: post.ID, Content: "a\x00b"}, apperr.Invalid, "content"},
		"on nothing":               {Comment{Owner: bob.ID, Post: bson.NewObjectID(), Content: "x"}, apperr.NotFound, ""},
		"on a draft":               {Comment{Owner: bob.ID, Post: draft.ID, Content: "x"}, apperr.NotFound, ""},
		"to nothing":               {Comment{Owner: bob.ID, Post: post.ID, Parent: bson.NewObjectID(), Content: "x"}, apperr.NotFound, ""},
		"to a comment of another":  {Comment{Owner: bob.ID, Post: post.ID, Parent: there.ID, Content: "x"}, apperr.NotFound, ""},
		"to a post":                {Comment{Owner: bob.ID, Post: post.ID, Parent: post.ID, Content: "x"}, apperr.NotFound, ""},
		"by nobody who is there":   {Comment{Owner: bson.NewObjectID(), Post: post.ID, Content: "x"}, apperr.NotFound, ""},
		"by nobody":                {Comment{Post: draft.ID, Content: "x"}, apperr.NotFound, ""},
		"one's own id and a state": {Comment{ID: there.ID, Owner: bob.ID, Post: draft.ID, State: CommentDeleted, Content: "x"}, apperr.NotFound, ""},
	} {
		err := w.Comments.Create(ctx, &c.Comment)
		if e := apperr.From(err); err == nil || e.Code != c.code {
			t.Errorf("%s: %v", name, err)
		} else if c.field != "" {
			wantCode(t, err, c.code, c.field)
		}
	}
	fatal(t, w.Comments.Create(ctx, &Comment{Owner: bob.ID, Post: post.ID, Content: strings.Repeat("é", 2000)}))
	_, err := w.Comments.Update(ctx, bob.ID, there.ID, "")
	wantCode(t, err, apperr.Invalid, "content")
	w.checkCounted(t, post, 1)
	w.checkCounted(t, other, 1)
	w.checkCounted(t, draft, 0)
	w.checkWhole(t)
}

// A single rule decides who sees a comment, whatever is done with it.
func TestWhoSeesAComment(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, dora := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "dora")
	post := w.post(t, alice, Public)
	c, ofDora := w.comment(t, bob, post, nil), w.comment(t, dora, post, nil)
	set := func(changes PostChanges) {
		t.Helper()
		var err error
		post, err = w.Posts.Update(ctx, alice.ID, post.ID, changes)
		fatal(t, err)
	}
	seen := func(state string, viewer bson.ObjectID, c *Comment, want bool) {
		t.Helper()
		page, err := w.Comments.Page(ctx, viewer, CommentQuery{Post: post}, store.Paging{})
		fatal(t, err)
		if listed := slices.Contains(commentIDs(page.Items), c.ID); listed != want {
			t.Errorf("%s: listed %t", state, listed)
		}
		for what, err := range map[string]error{
			"read": second1(w.Comments.Visible(ctx, viewer, c.ID)), "read in its thread": second1(w.Comments.InThread(ctx, viewer, c.ID)),
			"liked": w.CommentLikes.Add(ctx, viewer, c.ID), "not liked": w.CommentLikes.Remove(ctx, viewer, c.ID),
		} {
			if want && err != nil && !viewer.IsZero() || !want && !apperr.Is(err, apperr.NotFound) {
				t.Errorf("%s: %s with %v", state, what, err)
			}
		}
		if !want {
			wantCode(t, second1(w.Comments.Update(ctx, viewer, c.ID, "x")), apperr.NotFound, "")
			wantCode(t, second1(w.Comments.Delete(ctx, viewer, c.ID)), apperr.NotFound, "")
		}
	}
	draft, public, off, on := Draft, Public, true, false
	seen("public", bson.NilObjectID, c, true)
	seen("public", bob.ID, c, true)
	set(PostChanges{Visibility: &draft})
	seen("a draft, its author", bob.ID, c, false)
	seen("a draft, its owner", alice.ID, c, true)
	set(PostChanges{Visibility: &public, CommentsOff: &off})
	if post.EditedAt != nil {
		t.Error("turning comments off edits the post")
	}
	seen("turned off, its author", bob.ID, c, false)
	seen("turned off, its owner", alice.ID, c, false)
	wantCode(t, w.Comments.Create(ctx, &Comment{Owner: bob.ID, Post: post.ID, Content: "x"}), apperr.Forbidden, "")
	wantCode(t, w.Comments.Create(ctx, &Comment{Owner: alice.ID, Post: post.ID, Content: "x"}), apperr.Forbidden, "")
	set(PostChanges{CommentsOff: &on})
	seen("turned on again", bob.ID, c, true)
	seen("not disabled", bob.ID, ofDora, true)
	w.disable(t, dora)
	seen("of a disabled account", bob.ID, ofDora, false)
	w.checkWhole(t)
}

// Deleting an account deletes its comments, and leaves placeholders where others replied. Deleting a post deletes all
// of them.
func TestCommentsOfTheDeleted(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	post, gone := w.post(t, alice, Public), w.post(t, bob, Public)
	answered, alone := w.comment(t, bob, post, nil), w.comment(t, bob, post, nil)
	w.comment(t, carol, post, answered)
	among := w.comment(t, carol, post, nil)
	w.comment(t, bob, post, among)
	w.comment(t, bob, post, w.comment(t, bob, post, nil)) // a thread of bob's only
	kept, err := w.Comments.Delete(ctx, carol.ID, w.comment(t, carol, post, nil).ID)
	fatal(t, err)
	fatal(t, w.CommentLikes.Add(ctx, bob.ID, among.ID))
	w.comment(t, carol, gone, w.comment(t, alice, gone, nil))
	w.checkCounted(t, post, 7)
	fatal(t, w.Users.Delete(ctx, bob.ID))
	w.checkCounted(t, post, 2)
	left := w.listed(t, carol.ID, post)
	if ids := commentIDs(left); len(left) != 3 || left[0].ID != among.ID || left[0].LikesCount != 0 || left[1].ID != answered.ID || left[1].State != CommentDeleted {
		t.Errorf("%v are left, %v and %v are not", ids, alone.ID, kept.ID)
	}
	fatal(t, w.Posts.Delete(ctx, alice.ID, post.ID))
	w.DB.WaitRemovals()
	if docs := w.documents(t); len(docs["comments"]) != 0 || len(docs["commentLikes"]) != 0 {
		t.Errorf("%d comments are left", len(docs["comments"]))
	}
	w.checkWhole(t)
}

// Whatever happens concurrently, a post's count equals what is listed.
func TestCommentsAtOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	gone := w.user(t, "gone")
	post := w.post(t, alice, Public)
	var threads []*Comment
	for range 4 {
		threads = append(threads, w.comment(t, bob, post, nil), w.comment(t, gone, post, nil))
	}
	expected := func(err error) {
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for n := range 6 {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		all.Go(func() {
			for range 12 {
				by := []*User{alice, bob, gone}[random.IntN(3)]
				reply := &Comment{Owner: by.ID, Post: post.ID, Parent: threads[random.IntN(len(threads))].ID, Content: "x"}
				err := w.Comments.Create(ctx, reply)
				expected(err)
				if err == nil && random.IntN(2) == 0 {
					_, err := w.Comments.Delete(ctx, alice.ID, reply.ID)
					expected(err)
				}
				if random.IntN(4) == 0 {
					_, err := w.Comments.Delete(ctx, alice.ID, threads[random.IntN(len(threads))].ID)
					expected(err)
				}
				expected(w.CommentLikes.Toggle(ctx, by.ID, threads[random.IntN(len(threads))].ID))
			}
		})
	}
	all.Go(func() { expected(w.Users.Delete(ctx, gone.ID)) })
	all.Wait()
	w.checkCounted(t, post, -1)
	w.checkWhole(t)
}
