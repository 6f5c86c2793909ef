package models

import (
	"fmt"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// follows are the names in the two lists of a user, and their counts.
func (w *world) follows(t *testing.T, u *User) (channels, subscribers []string) {
	t.Helper()
	following, err := w.Subscriptions.Channels(watched(), u.ID, store.Paging{Limit: store.MaxLimit})
	fatal(t, err)
	followed, err := w.Subscriptions.Subscribers(watched(), u.ID, store.Paging{Limit: store.MaxLimit})
	fatal(t, err)
	now, err := w.Users.ByID(watched(), u.ID)
	fatal(t, err)
	for _, c := range following.Items {
		channels = append(channels, c.Username)
	}
	for _, s := range followed.Items {
		subscribers = append(subscribers, s.Username)
	}
	if now.SubscriptionsCount != int64(len(channels)) || now.SubscribersCount != int64(len(subscribers)) {
		t.Errorf("%s follows %v and counts %d, is followed by %v and counts %d", u.Username, channels, now.SubscriptionsCount, subscribers, now.SubscribersCount)
	}
	return channels, subscribers
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	for range 2 {
		fatal(t, w.Subscriptions.Add(watched(), bob.ID, alice.ID))
	}
	fatal(t, w.Subscriptions.Add(watched(), bob.ID, carol.ID))
	fatal(t, w.Subscriptions.Toggle(watched(), carol.ID, alice.ID))
	want := func(u *User, channels, subscribers string) {
		t.Helper()
		if a, b := w.follows(t, u); fmt.Sprint(a) != channels || fmt.Sprint(b) != subscribers {
			t.Errorf("%s follows %v and is followed by %v", u.Username, a, b)
		}
	}
	want(alice, "[]", "[carol bob]")
	want(bob, "[carol alice]", "[]")
	want(carol, "[alice]", "[bob]")
	follows, err := w.Subscriptions.Of(watched(), bob.ID, []bson.ObjectID{alice.ID, bob.ID})
	fatal(t, err)
	if !follows[alice.ID] || follows[bob.ID] {
		t.Errorf("bob follows %v", follows)
	}

	wantCode(t, w.Subscriptions.Add(watched(), bob.ID, bob.ID), apperr.Conflict, "")
	wantCode(t, w.Subscriptions.Add(watched(), bob.ID, bson.NewObjectID()), apperr.NotFound, "")
	wantCode(t, w.Subscriptions.Remove(watched(), bob.ID, bson.NewObjectID()), apperr.NotFound, "")

	for range 2 {
		fatal(t, w.Subscriptions.Remove(watched(), bob.ID, carol.ID))
	}
	fatal(t, w.Subscriptions.Toggle(watched(), carol.ID, alice.ID))
	want(alice, "[]", "[bob]")
	want(carol, "[]", "[]")
	w.checkWhole(t)
}

func TestNobodySubscribesToADisabledChannel(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	fatal(t, w.Subscriptions.Add(watched(), carol.ID, alice.ID))
	w.disable(t, alice)
	wantCode(t, w.Subscriptions.Add(watched(), bob.ID, alice.ID), apperr.NotFound, "")
	fatal(t, w.Subscriptions.Remove(watched(), carol.ID, alice.ID))
	w.follows(t, alice)
}

func TestSubscriptionsGoWithEitherAccount(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	for _, pair := range [][2]*User{{alice, bob}, {bob, alice}, {carol, alice}, {alice, carol}, {bob, carol}} {
		fatal(t, w.Subscriptions.Add(watched(), pair[0].ID, pair[1].ID))
	}
	fatal(t, w.Users.Delete(watched(), alice.ID))
	wantCode(t, w.Subscriptions.Add(watched(), carol.ID, alice.ID), apperr.NotFound, "")
	w.DB.WaitRemovals()
	if channels, subscribers := w.follows(t, bob); fmt.Sprint(channels, subscribers) != "[carol] []" {
		t.Errorf("bob follows %v and is followed by %v", channels, subscribers)
	}
	if channels, subscribers := w.follows(t, carol); fmt.Sprint(channels, subscribers) != "[] [bob]" {
		t.Errorf("carol follows %v and is followed by %v", channels, subscribers)
	}
	w.checkWhole(t)
}

// Whatever happens concurrently, the counts match the lists.
func TestSubscriptionsAtOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	users := make([]*User, 6)
	for i := range users {
		users[i] = w.user(t, fmt.Sprint("user", i))
	}
	var all sync.WaitGroup
	for _, u := range users {
		for i := range 4 {
			all.Go(func() {
				do := w.Subscriptions.Add
				if i == 3 {
					do = w.Subscriptions.Remove
				}
				if err := do(watched(), u.ID, alice.ID); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	w.follows(t, alice)
	for _, u := range users {
		w.follows(t, u)
	}
	w.checkWhole(t)
}

func TestSubscriptionsHaveALimit(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	set := func(n int) {
		_, err := w.Users.users.Update(watched(), store.Where("_id", bob.ID), bson.D{store.Set("subscriptionsCount", n)})
		fatal(t, err)
	}
	set(1999)
	fatal(t, w.Subscriptions.Add(watched(), bob.ID, alice.ID))
	wantCode(t, w.Subscriptions.Add(watched(), bob.ID, carol.ID), apperr.Conflict, "")
	fatal(t, w.Subscriptions.Add(watched(), bob.ID, alice.ID)) // repeating it changes nothing
	fatal(t, w.Subscriptions.Remove(watched(), bob.ID, alice.ID))
	fatal(t, w.Subscriptions.Add(watched(), bob.ID, carol.ID))
	set(1)
	w.checkWhole(t)
}
