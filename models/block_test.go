package models

import (
	"fmt"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// blocked are the names of the users whom a user has blocked; the list is as long as its count.
func (w *world) blocked(t *testing.T, u *User) string {
	t.Helper()
	names := []string{}
	for p := (store.Paging{Limit: 2}); ; {
		page, err := w.Blocks.Page(watched(), u.ID, p)
		fatal(t, err)
		for _, b := range page.Items {
			names = append(names, b.Username)
		}
		if p.After = page.Next; page.Next == "" {
			break
		}
	}
	now, err := w.Users.ByID(watched(), u.ID)
	fatal(t, err)
	if now.BlocksCount != int64(len(names)) {
		t.Errorf("%d are counted, and listed are %v", now.BlocksCount, names)
	}
	return fmt.Sprint(names)
}

func TestBlocks(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	for range 2 {
		fatal(t, w.Blocks.Add(ctx, alice.ID, bob.ID))
	}
	fatal(t, w.Blocks.Add(ctx, alice.ID, carol.ID))
	wantCode(t, w.Blocks.Add(ctx, alice.ID, alice.ID), apperr.Conflict, "")
	wantCode(t, w.Blocks.Add(ctx, alice.ID, bson.NewObjectID()), apperr.NotFound, "")
	wantCode(t, w.Blocks.Remove(ctx, alice.ID, bson.NewObjectID()), apperr.NotFound, "")
	if got := w.blocked(t, alice) + w.blocked(t, bob); got != "[carol bob][]" {
		t.Error(got)
	}
	of, err := w.Blocks.Of(ctx, alice.ID, []bson.ObjectID{bob.ID, alice.ID})
	fatal(t, err)
	by, err := w.Blocks.By(ctx, []bson.ObjectID{alice.ID, carol.ID}, bob.ID)
	fatal(t, err)
	if fmt.Sprint(of, by) != fmt.Sprint(map[bson.ObjectID]bool{bob.ID: true}, map[bson.ObjectID]bool{alice.ID: true}) {
		t.Errorf("of %v, by %v", of, by)
	}
	for range 2 {
		fatal(t, w.Blocks.Remove(ctx, alice.ID, bob.ID))
	}
	fatal(t, w.Users.Delete(ctx, carol.ID))
	w.DB.WaitRemovals()
	if got := w.blocked(t, alice); got != "[]" {
		t.Error(got)
	}
	w.checkWhole(t)
}

func TestAtMostAThousandAreBlocked(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	_, err := w.Users.users.Update(watched(), store.Where("_id", alice.ID), bson.D{store.Set("blocksCount", 1000)})
	fatal(t, err)
	wantCode(t, w.Blocks.Add(watched(), alice.ID, bob.ID), apperr.Conflict, "")
	_, err = w.Users.users.Update(watched(), store.Where("_id", alice.ID), bson.D{store.Set("blocksCount", 999)})
	fatal(t, err)
	fatal(t, w.Blocks.Add(watched(), alice.ID, bob.ID))
}

func TestABlockEndsSubscriptionsBothWays(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	fatal(t, w.Subscriptions.Add(ctx, bob.ID, alice.ID))
	fatal(t, w.Subscriptions.Add(ctx, alice.ID, bob.ID))
	fatal(t, w.Blocks.Add(ctx, alice.ID, bob.ID))
	for _, u := range []*User{alice, bob} {
		if a, b := w.follows(t, u); len(a)+len(b) > 0 {
			t.Errorf("%s follows %v and is followed by %v", u.Username, a, b)
		}
	}
	wantCode(t, w.Subscriptions.Add(ctx, bob.ID, alice.ID), apperr.Forbidden, "")
	wantCode(t, w.Subscriptions.Add(ctx, alice.ID, bob.ID), apperr.Conflict, "")
	fatal(t, w.Subscriptions.Remove(ctx, bob.ID, alice.ID))
	fatal(t, w.Blocks.Remove(ctx, alice.ID, bob.ID))
	fatal(t, w.Subscriptions.Add(ctx, bob.ID, alice.ID))
	w.checkWhole(t)
}

// A comment from before a block stays, but can't be given other words: those would be a new comment.
func TestBlockedPeopleChangeNoComments(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	on, elsewhere := w.post(t, alice, Public), w.post(t, carol, Public)
	comment := func(by *User, post *Post, parent *Comment) *Comment {
		c := &Comment{Owner: by.ID, Post: post.ID, Content: "hello"}
		if parent != nil {
			c.Parent = parent.ID
		}
		fatal(t, w.Comments.Create(ctx, c))
		return c
	}
	own := comment(bob, on, nil)
	reply := comment(bob, elsewhere, comment(alice, elsewhere, nil))
	other := comment(bob, elsewhere, comment(carol, elsewhere, nil))
	fatal(t, w.Blocks.Add(ctx, alice.ID, bob.ID))
	for _, c := range []*Comment{own, reply} {
		_, err := w.Comments.Update(ctx, bob.ID, c.ID, "other words")
		wantCode(t, err, apperr.Forbidden, "")
		_, err = w.Comments.Update(ctx, bob.ID, c.ID, "hello")
		fatal(t, err)
	}
	_, err := w.Comments.Update(ctx, bob.ID, other.ID, "other words")
	fatal(t, err)
	_, err = w.Comments.Delete(ctx, bob.ID, own.ID)
	fatal(t, err)
	fatal(t, w.Blocks.Remove(ctx, alice.ID, bob.ID))
	_, err = w.Comments.Update(ctx, bob.ID, reply.ID, "other words")
	fatal(t, err)
	w.checkWhole(t)
}

// However blocks and subscriptions race, no subscription is left next to a block.
func TestBlockAndSubscribeAtOnce(t *testing.T) {
	w, ctx := newWorld(t), watched()
	if !w.DB.Transactions() {
		t.Skip("a database without transactions checks and writes in two steps")
	}
	for i := range 10 {
		alice, bob := w.user(t, fmt.Sprint("alice-", i)), w.user(t, fmt.Sprint("bob-", i))
		var all sync.WaitGroup
		all.Go(func() { _ = w.Subscriptions.Add(ctx, bob.ID, alice.ID) })
		all.Go(func() { fatal(t, w.Blocks.Add(ctx, alice.ID, bob.ID)) })
		all.Go(func() { fatal(t, w.Blocks.Add(ctx, alice.ID, bob.ID)) })
		all.Wait()
		if a, b := w.follows(t, alice); len(a)+len(b) > 0 || w.blocked(t, alice) != "[bob-"+fmt.Sprint(i)+"]" {
			t.Errorf("alice follows %v, is followed by %v, and has blocked %s", a, b, w.blocked(t, alice))
		}
	}
	w.checkWhole(t)
}

func TestTheBlockedDontComment(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	hers, carols := w.post(t, alice, Public), w.post(t, carol, Public)
	early := w.comment(t, bob, carols, nil)
	said := w.comment(t, alice, carols, nil)
	fatal(t, w.Blocks.Add(ctx, alice.ID, bob.ID))
	try := func(post *Post, to *Comment) error {
		c := &Comment{Owner: bob.ID, Post: post.ID, Content: "hello"}
		if to != nil {
			c.Parent = to.ID
		}
		return w.Comments.Create(ctx, c)
	}
	wantCode(t, try(hers, nil), apperr.Forbidden, "")
	wantCode(t, try(carols, said), apperr.Forbidden, "")
	fatal(t, try(carols, nil))
	fatal(t, try(carols, early))
	fatal(t, w.Comments.Create(ctx, &Comment{Owner: alice.ID, Post: carols.ID, Content: "hello"}))

	for _, c := range []struct {
		viewer bson.ObjectID
		want   int
	}{{carol.ID, 5}, {bson.ObjectID{}, 5}, {bob.ID, 5}, {alice.ID, 3}} { // of bob's, alice only sees a placeholder for the one with a reply
		n := 0
		for _, seen := range w.shownTo(t, c.viewer, carols) {
			n++
			if c.viewer == alice.ID && (seen.Owner == bob.ID || seen.State == CommentBlocked && seen.Content != "") {
				t.Errorf("alice sees %+v", seen)
			}
		}
		if n != c.want {
			t.Errorf("%s sees %d comments, want %d", c.viewer.Hex(), n, c.want)
		}
	}
	_, err := w.Comments.Visible(ctx, alice.ID, early.ID)
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.CommentLikes.Add(ctx, alice.ID, early.ID), apperr.NotFound, "")
	place, err := w.Comments.InThread(ctx, alice.ID, early.ID)
	if err != nil || place.State != CommentBlocked || !place.Owner.IsZero() || place.Content != "" {
		t.Errorf("%+v, %v", place, err)
	}
	fatal(t, w.Blocks.Remove(ctx, alice.ID, bob.ID))
	if seen, err := w.Comments.Visible(ctx, alice.ID, early.ID); err != nil || seen.Content != "hello" {
		t.Errorf("%+v, %v", seen, err)
	}
	w.checkWhole(t)
}

// shownTo are the comments that are listed for a viewer, including replies, without using the counts.
func (w *world) shownTo(t *testing.T, viewer bson.ObjectID, on *Post) (all []*Comment) {
	t.Helper()
	page, err := w.Comments.Page(watched(), viewer, CommentQuery{Post: on}, store.Paging{})
	fatal(t, err)
	for _, c := range page.Items {
		all = append(all, c)
		replies, err := w.Comments.Page(watched(), viewer, CommentQuery{Post: on, Parent: c.ID}, store.Paging{})
		fatal(t, err)
		all = append(all, replies.Items...)
	}
	return all
}
