package models

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

func TestNamesAreOneHoweverTheyAreWritten(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := &User{Username: " Alice ", Email: " Alice@Example.COM", FullName: " Alice ", PasswordHash: "hash"}
	fatal(t, w.users.Create(ctx, alice))
	for _, name := range []string{"alice", "ALICE", " alice@EXAMPLE.com "} {
		if u, err := w.users.ByLogin(ctx, name); err != nil || u.ID != alice.ID {
			t.Errorf("%q: %v", name, err)
		}
	}
	wantCode(t, w.users.Create(ctx, &User{Username: "ALICE", Email: "other@example.com", FullName: "A"}), apperr.Conflict, "username")
	wantCode(t, w.users.Create(ctx, &User{Username: "other", Email: "ALICE@example.com", FullName: "A"}), apperr.Conflict, "email")
	wantCode(t, w.users.Check(ctx, &User{Username: "other", Email: "ALICE@example.com", FullName: "A"}), apperr.Conflict, "email")
	_, err := w.users.ByID(ctx, bson.NewObjectID())
	wantCode(t, err, apperr.NotFound, "")
	bob := w.user(t, "bob")
	taken := "Alice"
	_, err = w.users.Update(ctx, bob.ID, UserChanges{Username: &taken})
	wantCode(t, err, apperr.Conflict, "username")
}

func TestOthersPostsAreOutOfReach(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	public, draft := w.post(t, alice, Public), w.post(t, alice, Draft)
	title := "mine"
	_, err := w.posts.Update(ctx, bob.ID, public.ID, PostChanges{Description: &title})
	wantCode(t, err, apperr.Forbidden, "")
	_, err = w.posts.Update(ctx, bob.ID, draft.ID, PostChanges{Description: &title})
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.likes.Add(ctx, bob.ID, draft.ID), apperr.NotFound, "")
	wantCode(t, w.likes.Add(ctx, bob.ID, bson.NewObjectID()), apperr.NotFound, "")
	checkCounts(t, "after all refusals", w)
}

func TestPublishingIsCountedOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	p := w.post(t, alice, Draft)
	done := make(chan error, 8)
	for i := range cap(done) {
		to := []Visibility{Public, Draft}[i%2]
		go func() {
			_, err := w.posts.Update(ctx, alice.ID, p.ID, PostChanges{Visibility: &to})
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil && !apperr.Is(err, apperr.Conflict) {
			t.Error(err)
		}
	}
	checkCounts(t, "after publishing and unpublishing at once", w)
}

func TestWhatLosesItsParentOnTheWayIsUndone(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	nobody := &User{ID: bson.NewObjectID(), Username: "nobody"}
	wantCode(t, w.posts.Create(ctx, &Post{Owner: nobody.ID, Kind: Text, Description: "hello", Visibility: Public}), apperr.NotFound, "")
	post := w.post(t, w.user(t, "alice"), Public)
	likes := w.likes.likes
	w.likes.likes = faulty{likes, func(do func()) error {
		do()
		_, err := w.posts.posts.DeleteOne(ctx, bson.D{{Key: "_id", Value: post.ID}})
		return err
	}}
	wantCode(t, w.likes.Add(ctx, nobody.ID, post.ID), apperr.NotFound, "")
	for name, c := range map[string]Collection{"posts": w.posts.posts, "likes": likes} {
		if n, err := c.CountDocuments(ctx, bson.D{}); err != nil || n != 0 {
			t.Errorf("%d %s are left (%v)", n, name, err)
		}
	}
}

func TestListsPageThroughPostsOfOneMoment(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	var want []string
	for i := range 12 {
		if i%4 == 0 {
			w.advance(time.Minute) // four posts share each moment
		}
		want = append(want, w.post(t, alice, Public).ID.Hex())
		w.post(t, alice, Draft)
	}
	for _, oldest := range []bool{true, false} {
		for limit := 1; limit <= 13; limit++ {
			q, got := PostQuery{Limit: limit, Oldest: oldest}, []string{}
			for {
				posts, next, err := w.posts.List(ctx, q)
				fatal(t, err)
				for _, p := range posts {
					got = append(got, p.ID.Hex())
				}
				if q.After = next; next == "" {
					break
				}
			}
			if !oldest {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("limit %d, oldest %v: %v, want %v", limit, oldest, got, want)
			}
		}
	}
}

// What people do, in one go, scans nothing. TestMain looks at every query of the models.
func TestNoQueryScans(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice, bob := people(t, w)
	posts, next, err := w.posts.List(ctx, PostQuery{Limit: 1})
	fatal(t, err)
	for _, q := range []PostQuery{
		{Limit: 5, After: next}, {Limit: 5, Oldest: true, After: next}, {Limit: 5, Kind: Text, After: next},
		{Limit: 5, Owner: alice.ID, After: next}, {Limit: 5, Owner: alice.ID, Kind: Text, After: next},
		{Limit: 5, Owner: alice.ID, Drafts: true}, {Limit: 5, Owner: alice.ID, Drafts: true, After: next},
	} {
		_, _, err := w.posts.List(ctx, q)
		fatal(t, err)
	}
	for range 3 {
		fatal(t, w.events.Add(ctx, EventLogin, &Session{User: alice.ID}, Device{}))
	}
	_, next, err = w.events.List(ctx, alice.ID, "", 1)
	fatal(t, err)
	_, _, err = w.events.List(ctx, alice.ID, next, 1)
	fatal(t, err)
	fatal(t, w.users.NoteTheft(ctx, alice.ID))
	fatal(t, w.users.DismissTheft(ctx, alice.ID, w.now()))
	session, err := w.sessions.Create(ctx, alice.ID, true, Device{})
	fatal(t, err)
	_, err = w.sessions.EndOthers(ctx, alice.ID, session.ID)
	fatal(t, err)
	_, err = w.sessions.EndOldest(ctx, alice.ID)
	fatal(t, err)
	_, err = w.sessions.Look(ctx, alice.ID, session.ID)
	fatal(t, err)
	_, err = w.users.ByUsername(ctx, "alice")
	fatal(t, err)
	_, err = w.users.ByIDs(ctx, []bson.ObjectID{alice.ID, bob.ID})
	fatal(t, err)
	_, err = w.likes.Of(ctx, alice.ID, []bson.ObjectID{posts[0].ID, bob.ID})
	fatal(t, err)
	fatal(t, w.likes.Remove(ctx, alice.ID, posts[0].ID))
	fatal(t, w.sessions.RevokeAll(ctx, alice.ID, PasswordChanged))
	_, err = w.users.ByLogin(ctx, "alice@example.com")
	fatal(t, err)
	fatal(t, w.users.Delete(ctx, alice.ID))
	w.WaitRemovals()
	if n := w.Scans(); n != 0 {
		t.Errorf("%d queries were served by no index", n)
	}
}
