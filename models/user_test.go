package models

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

func TestNamesAreOneHoweverTheyAreWritten(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := &User{Username: " Alice ", Email: " Alice@Example.COM", FullName: " Alice ", PasswordHash: "hash"}
	fatal(t, w.Users.Create(ctx, alice))
	for _, name := range []string{"alice", "ALICE", " alice@EXAMPLE.com "} {
		if u, err := w.Users.ByLogin(ctx, name); err != nil || u.ID != alice.ID {
			t.Errorf("%q: %v", name, err)
		}
	}
	if u, err := w.Users.ByUsername(ctx, " ALICE"); err != nil || u.ID != alice.ID {
		t.Errorf("the channel: %v", err)
	}
	wantCode(t, w.Users.Create(ctx, &User{Username: "ALICE", Email: "other@example.com", FullName: "A"}), apperr.Conflict, "username")
	wantCode(t, w.Users.Create(ctx, &User{Username: "other", Email: "ALICE@example.com", FullName: "A"}), apperr.Conflict, "email")
	wantCode(t, w.Users.Check(ctx, &User{Username: "other", Email: "ALICE@example.com", FullName: "A"}), apperr.Conflict, "email")
	both := w.Users.Check(ctx, &User{Username: "alice", Email: "ALICE@example.com", FullName: "A"})
	wantCode(t, both, apperr.Conflict, "username")
	wantCode(t, both, apperr.Conflict, "email")
	_, err := w.Users.ByID(ctx, bson.NewObjectID())
	wantCode(t, err, apperr.NotFound, "")
	bob, taken, bio := w.user(t, "bob"), "Alice", " new "
	_, err = w.Users.Update(ctx, bob.ID, UserChanges{Username: &taken})
	wantCode(t, err, apperr.Conflict, "username")
	if u, err := w.Users.Update(ctx, bob.ID, UserChanges{Bio: &bio}); err != nil || u.Bio != "new" || u.Username != "bob" {
		t.Errorf("%+v, %v", u, err)
	}
}

// Of two concurrent changes of a password, the second one's old password is no longer correct; nor is a login's.
func TestPasswordIsChangedFromTheOldOne(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	fatal(t, w.Users.ConfirmPassword(ctx, alice))
	changed, err := w.Users.SetPassword(ctx, alice.ID, "hash", "new")
	if err != nil || changed.PasswordHash != "new" {
		t.Errorf("%v, %v", changed, err)
	}
	_, err = w.Users.SetPassword(ctx, alice.ID, "hash", "newer")
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.Users.ConfirmPassword(ctx, alice), apperr.NotFound, "")
	fatal(t, w.Users.ConfirmPassword(ctx, changed))
}

// Every replaced picture is named once, so that its file can be deleted.
func TestPicturesAreReplacedOneByOne(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	var mu sync.Mutex
	seen := map[string]int{}
	note := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		seen[name]++
	}
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		all.Go(func() {
			_, replaced, err := w.Users.SetPicture(ctx, alice.ID, Avatar, name)
			if apperr.Is(err, apperr.NotFound) { // without transactions, the second one
				note(name)
				return
			}
			if err != nil {
				t.Error(err)
			}
			note(replaced)
		})
	}
	all.Wait()
	now, err := w.Users.ByID(ctx, alice.ID)
	fatal(t, err)
	note(now.Avatar)
	if len(seen) != 9 || seen["avatar of alice"] != 1 {
		t.Errorf("these were replaced, or are there: %v", seen)
	}
	u, replaced, err := w.Users.SetPicture(ctx, alice.ID, CoverImage, "cover")
	if err != nil || replaced != "" || u.CoverImage != "cover" || u.Avatar != now.Avatar {
		t.Errorf("%+v, %q, %v", u, replaced, err)
	}
	_, _, err = w.Users.SetPicture(ctx, bson.NewObjectID(), Avatar, "x")
	wantCode(t, err, apperr.NotFound, "")
}

// Nothing that names a deleted account is left, in any collection, and what it liked is as if it never had.
func TestDeletedAccountLeavesNothing(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	hers, draft, his := w.post(t, alice, Public), w.post(t, alice, Draft), w.post(t, bob, Public)
	for user, posts := range map[*User][]*Post{alice: {hers, draft, his}, bob: {hers, his}, carol: {hers, his}} {
		for _, p := range posts {
			fatal(t, w.Likes.Add(ctx, user.ID, p.ID))
		}
	}
	_, err := w.Views.Add(ctx, hers.ID, "somebody")
	fatal(t, err)
	fatal(t, w.Events.Add(ctx, EventLogin, w.session(t, alice), Device{}))
	before := w.documents(t)
	for _, name := range []string{"users", "sessions", "events", "posts", "likes", "views"} {
		if len(before[name]) == 0 {
			t.Errorf("there are no %s to go", name)
		}
	}
	fatal(t, w.Users.Delete(ctx, alice.ID))
	_, err = w.Users.Cached(ctx, alice.ID)
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.Users.Delete(ctx, alice.ID), apperr.NotFound, "")
	w.DB.WaitRemovals()
	for name, docs := range w.documents(t) {
		for _, doc := range docs {
			for _, id := range []bson.ObjectID{alice.ID, hers.ID, draft.ID} {
				if bytes.Contains(doc, id[:]) || bytes.Contains(doc, []byte(id.Hex())) {
					t.Errorf("in %s there is left %v", name, doc)
				}
			}
		}
	}
	for _, file := range []string{"avatar of alice", "file of alice"} {
		if !w.lost(file) {
			t.Errorf("the %s is left", file)
		}
	}
	if w.lost("avatar of bob") || w.lost("file of bob") {
		t.Error("bob's files are gone")
	}
	if p, err := w.Posts.Visible(ctx, bob.ID, his.ID); err != nil || p.LikesCount != 2 {
		t.Errorf("bob's post: %v, %v", p, err)
	}
	w.checkWhole(t)
}

func TestAllAccountsInPages(t *testing.T) {
	w := newWorld(t)
	var want []bson.ObjectID
	for i := range 5 {
		want = append(want, w.user(t, fmt.Sprint("user", i)).ID)
	}
	w.disable(t, &User{ID: want[1]})
	fatal(t, w.Users.Delete(watched(), want[3]))
	want = slices.Delete(want, 3, 4)
	var got []bson.ObjectID
	for p := (store.Paging{Limit: 2}); ; {
		page, err := w.Users.Page(watched(), p)
		fatal(t, err)
		for _, u := range page.Items {
			got = append(got, u.ID)
		}
		if p.After = page.Next; p.After == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
