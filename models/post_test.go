package models

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

func TestOthersPostsAreOutOfReach(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	public, draft := w.post(t, alice, Public), w.post(t, alice, Draft)
	text := "mine"
	_, err := w.Posts.Update(ctx, bob.ID, public.ID, PostChanges{Description: &text})
	wantCode(t, err, apperr.Forbidden, "")
	_, err = w.Posts.Update(ctx, bob.ID, draft.ID, PostChanges{Description: &text})
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.Posts.Delete(ctx, bob.ID, public.ID), apperr.Forbidden, "")
	wantCode(t, w.Posts.Delete(ctx, bob.ID, draft.ID), apperr.NotFound, "")
	wantCode(t, w.Likes.Add(ctx, bob.ID, draft.ID), apperr.NotFound, "")
	wantCode(t, w.Likes.Remove(ctx, bob.ID, draft.ID), apperr.NotFound, "")
	wantCode(t, w.Likes.Add(ctx, bob.ID, bson.NewObjectID()), apperr.NotFound, "")
	wantCode(t, w.Posts.Create(ctx, &Post{Owner: bson.NewObjectID(), Kind: Text, Description: "hello", Visibility: Public}), apperr.NotFound, "")
	wantCode(t, w.Posts.Create(ctx, &Post{Owner: bson.NewObjectID(), Kind: Text, Description: "hello", Visibility: Draft}), apperr.NotFound, "")
	if p, err := w.Posts.Own(ctx, alice.ID, draft.ID); err != nil || p.Description != "hello" {
		t.Errorf("%v, %v", p, err)
	}
	fatal(t, w.Posts.Delete(ctx, alice.ID, public.ID))
	wantCode(t, w.Posts.Delete(ctx, alice.ID, public.ID), apperr.NotFound, "")
	w.DB.WaitRemovals()
	w.checkWhole(t)
}

func TestHaveThumbnail(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	post := w.post(t, alice, Draft)
	name := "public/thumbnail.jpg"
	_, err := w.Posts.Update(ctx, alice.ID, post.ID, PostChanges{Thumbnail: &name})
	fatal(t, err)
	for file, want := range map[string]bool{name: true, "public/avatar.jpg": false} {
		if got, err := w.Posts.HaveThumbnail(ctx, file); err != nil || got != want {
			t.Errorf("%s: %v, %v", file, got, err)
		}
	}
}

// A single rule decides who sees what: for one post, for several, and for lists.
func TestWhoSeesAPost(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, dora, gone := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "dora"), w.user(t, "gone")
	public, draft := w.post(t, alice, Public), w.post(t, alice, Draft)
	ofDora, ofGone := w.post(t, dora, Public), w.post(t, gone, Public)
	for _, p := range []*Post{public, ofDora, ofGone} { // all are visible until their owners are deleted
		_, err := w.Posts.Visible(ctx, bob.ID, p.ID)
		fatal(t, err)
	}
	w.disable(t, dora)
	fatal(t, w.Users.Delete(ctx, gone.ID))
	nobody := bson.NilObjectID
	ids := []bson.ObjectID{draft.ID, ofGone.ID, bson.NewObjectID(), ofDora.ID, public.ID}
	for name, c := range map[string]struct {
		viewer bson.ObjectID
		sees   []bson.ObjectID
	}{
		"the owner": {alice.ID, []bson.ObjectID{draft.ID, public.ID}},
		"another":   {bob.ID, []bson.ObjectID{public.ID}},
		"nobody":    {nobody, []bson.ObjectID{public.ID}},
		"disabled":  {dora.ID, []bson.ObjectID{public.ID}},
		"deleted":   {gone.ID, []bson.ObjectID{public.ID}},
	} {
		for _, id := range ids {
			_, err := w.Posts.Visible(ctx, c.viewer, id)
			if slices.Contains(c.sees, id) {
				fatal(t, err)
				continue
			}
			wantCode(t, err, apperr.NotFound, "")
		}
		posts, err := w.Posts.VisibleAll(ctx, c.viewer, ids)
		if got := idsOf(posts); err != nil || !slices.Equal(got, c.sees) {
			t.Errorf("%s sees %v, %v", name, got, err)
		}
		page, err := w.Posts.Page(ctx, c.viewer, PostQuery{}, store.Paging{})
		if got := idsOf(page.Items); err != nil || !slices.Equal(got, []bson.ObjectID{public.ID}) {
			t.Errorf("in the feed %s sees %v, %v", name, got, err)
		}
		drafts, err := w.Posts.Page(ctx, c.viewer, PostQuery{Owner: alice.ID, Drafts: true}, store.Paging{})
		if err != nil || (len(drafts.Items) == 1) != (c.viewer == alice.ID) {
			t.Errorf("%s sees %d of alice's drafts, %v", name, len(drafts.Items), err)
		}
	}
	w.DB.WaitRemovals()
}

func idsOf(posts []*Post) (ids []bson.ObjectID) {
	for _, p := range posts {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestVisibleAllKeepsTheOrder(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	var ids []bson.ObjectID
	for range 5 {
		ids = append(ids, w.post(t, alice, Public).ID)
	}
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 0, 4, 1, 3}, {}} {
		var want []bson.ObjectID
		for _, i := range order {
			want = append(want, ids[i])
		}
		posts, err := w.Posts.VisibleAll(ctx, bson.NilObjectID, want)
		if got := idsOf(posts); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, want %v, %v", got, want, err)
		}
	}
}

func TestPublishingIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	p := w.post(t, alice, Draft)
	var all sync.WaitGroup
	for i := range 8 {
		to := []Visibility{Public, Draft}[i%2]
		all.Go(func() {
			_, err := w.Posts.Update(watched(), alice.ID, p.ID, PostChanges{Visibility: &to})
			if err != nil && !apperr.Is(err, apperr.Conflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.checkWhole(t)
}

func TestEditingKeepsWhatIsNotNamed(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	p := w.post(t, alice, Draft)
	if p.PublishedAt != nil {
		t.Error("a draft is published")
	}
	w.advance(time.Hour)
	public, text, none, tags := Public, " edited ", "", []string{"#One", "one", "two"}
	published, err := w.Posts.Update(ctx, alice.ID, p.ID, PostChanges{Visibility: &public})
	fatal(t, err)
	if !published.PublishedAt.Equal(w.now()) || published.EditedAt != nil || published.Description != "hello" {
		t.Errorf("published: %+v", published)
	}
	w.advance(time.Hour)
	edited, err := w.Posts.Update(ctx, alice.ID, p.ID, PostChanges{Description: &text, Tags: &tags})
	fatal(t, err)
	if edited.Description != "edited" || !edited.EditedAt.Equal(w.now()) || !edited.PublishedAt.Equal(*published.PublishedAt) || !slices.Equal(edited.Tags, []string{"one", "two"}) {
		t.Errorf("edited: %+v", edited)
	}
	_, err = w.Posts.Update(ctx, alice.ID, p.ID, PostChanges{Description: &none})
	wantCode(t, err, apperr.Invalid, "content")
}

// A post is marked as edited if somebody may have seen it with other words.
func TestEditedIsWhatChangedAfterPublishing(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	p := w.post(t, alice, Draft)
	public, draft, off, first, second := Public, Draft, true, "first", " second\r\nline "
	tags := []string{"sea"}
	for i, step := range []struct {
		PostChanges
		edited bool
	}{
		{PostChanges{Description: &first}, false}, // nobody else has seen it
		{PostChanges{Visibility: &public}, false},
		{PostChanges{Visibility: &public}, false},
		{PostChanges{Description: &first, Tags: &[]string{}, CommentsOff: &off, Visibility: &public}, false}, // the form, sent as it was
		{PostChanges{Description: &second}, true},
		{PostChanges{Description: &second}, false},
		{PostChanges{Tags: &tags}, true},
		{PostChanges{Visibility: &draft}, false},
		{PostChanges{Description: &first, Visibility: &public}, true},
	} {
		w.advance(time.Hour)
		after, err := w.Posts.Update(watched(), alice.ID, p.ID, step.PostChanges)
		fatal(t, err)
		if edited := after.EditedAt != nil && after.EditedAt.Equal(w.now()); edited != step.edited {
			t.Errorf("step %d: edited %v", i, after.EditedAt)
		}
	}
}

func TestListsPageThroughPostsOfOneMoment(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	w.post(t, bob, Public)
	var want, drafts []bson.ObjectID
	for i := range 12 {
		if i%4 == 0 {
			w.advance(time.Minute) // four posts share each moment
		}
		want = append(want, w.post(t, alice, Public).ID)
		drafts = append(drafts, w.post(t, alice, Draft).ID)
	}
	for _, q := range []PostQuery{{Owner: alice.ID}, {Owner: alice.ID, Ascending: true}, {Owner: alice.ID, Kind: Text}, {Owner: alice.ID, Kind: Text, Ascending: true}, {Owner: alice.ID, Drafts: true}, {}, {Ascending: true}, {Kind: Text}, {Kind: Photo}} {
		wanted := slices.Clone(want)
		switch {
		case q.Drafts:
			wanted = slices.Clone(drafts)
		case q.Kind == Photo:
			wanted = nil
		case q.Owner.IsZero():
			wanted = append([]bson.ObjectID{}, want...)
			wanted = slices.Insert(wanted, 0, bson.NilObjectID) // bob's, first of all
		}
		if !q.Ascending {
			slices.Reverse(wanted)
		}
		for limit := 1; limit <= 14; limit++ {
			var got []bson.ObjectID
			for p := (store.Paging{Limit: limit}); ; {
				page, err := w.Posts.Page(ctx, alice.ID, q, p)
				fatal(t, err)
				for _, post := range page.Items {
					if post.Owner == bob.ID {
						post.ID = bson.NilObjectID
					}
				}
				got = append(got, idsOf(page.Items)...)
				if p.After = page.Next; p.After == "" {
					break
				}
			}
			if !slices.Equal(got, wanted) {
				t.Errorf("%+v, pages of %d: %v, want %v", q, limit, got, wanted)
			}
		}
	}
}

// A cursor is only valid for its own list.
func TestCursorsAreOfOneList(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	for range 3 {
		w.post(t, alice, Draft)
	}
	page, err := w.Posts.Page(ctx, alice.ID, PostQuery{Owner: alice.ID, Drafts: true}, store.Paging{Limit: 1})
	fatal(t, err)
	_, err = w.Posts.Page(ctx, alice.ID, PostQuery{}, store.Paging{After: page.Next})
	wantCode(t, err, apperr.Invalid, "after")
}

func TestLikes(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	p, other := w.post(t, alice, Public), w.post(t, alice, Public)
	count := func(want int64) {
		t.Helper()
		if now, err := w.Posts.Visible(ctx, bob.ID, p.ID); err != nil || now.LikesCount != want {
			t.Errorf("%d likes, want %d, %v", now.LikesCount, want, err)
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := w.Likes.Add(ctx, bob.ID, p.ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	count(1)
	of, err := w.Likes.Of(ctx, bob.ID, []bson.ObjectID{p.ID, other.ID})
	if err != nil || !of[p.ID] || of[other.ID] {
		t.Errorf("bob likes %v, %v", of, err)
	}
	fatal(t, w.Likes.Toggle(ctx, bob.ID, p.ID))
	count(0)
	fatal(t, w.Likes.Toggle(ctx, bob.ID, p.ID))
	fatal(t, w.Likes.Add(ctx, alice.ID, p.ID))
	count(2)
	fatal(t, w.Likes.Remove(ctx, bob.ID, p.ID))
	fatal(t, w.Likes.Remove(ctx, bob.ID, p.ID))
	count(1)
	w.checkWhole(t)
}

func TestViewsCountOncePerViewerAndHour(t *testing.T) {
	w, ctx := newWorld(t), watched()
	p := w.post(t, w.user(t, "alice"), Public)
	look := func(viewer string, want bool) {
		t.Helper()
		if counted, err := w.Views.Add(ctx, p.ID, viewer); err != nil || counted != want {
			t.Errorf("%s counts: %v, %v", viewer, counted, err)
		}
	}
	look("somebody", true)
	look("somebody", false)
	look("another", true)
	w.advance(time.Hour)
	look("somebody", true)
	if now, err := w.Posts.Visible(ctx, bson.NilObjectID, p.ID); err != nil || now.Views != 3 {
		t.Errorf("%d views, %v", now.Views, err)
	}
	_, err := w.Views.Add(ctx, bson.NewObjectID(), "somebody")
	wantCode(t, err, apperr.NotFound, "")
	for _, doc := range w.documents(t)["views"] {
		if subtype, viewer := doc.Lookup("viewer").Binary(); subtype != 0 || len(viewer) != 16 || string(viewer) == "somebody" {
			t.Errorf("the viewer is kept as %q", viewer)
		}
	}
}
