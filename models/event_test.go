package models

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Concurrent events are counted exactly, in a single entry.
func TestEventsOfOneNetworkAreOneEntry(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if err := w.Events.Add(ctx, EventLoginFailed, &Session{User: alice.ID}, Device{"curl", "192.0.2.1"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.advance(30 * time.Minute)
	fatal(t, w.Events.Add(ctx, EventLoginFailed, &Session{User: alice.ID}, Device{"Firefox", "192.0.2.9"}))
	page, err := w.Events.Page(ctx, alice.ID, store.Paging{Limit: 10})
	fatal(t, err)
	events := page.Items
	if len(events) != 1 || page.Next != "" || events[0].Count != 33 || events[0].UserAgent != "curl" {
		t.Fatalf("%d events, the first %+v", len(events), events[0])
	}
	if got := events[0].LastAt.Sub(events[0].CreatedAt); got != 30*time.Minute {
		t.Errorf("the last is %s after the first", got)
	}
	if got := events[0].ExpiresAt.Sub(events[0].LastAt); got != eventsKept {
		t.Errorf("kept for %s", got)
	}
}

func TestNoTypeOfEventFloodsTheLog(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	for range eventsPerDay + 30 {
		fatal(t, w.Events.Add(ctx, EventLogin, &Session{User: alice.ID}, Device{}))
		w.advance(time.Second)
	}
	fatal(t, w.Events.Add(ctx, EventTokenReuse, &Session{User: alice.ID}, Device{}))
	fatal(t, w.Events.Add(ctx, EventLogin, &Session{User: bob.ID}, Device{}))
	page, err := w.Events.Page(ctx, alice.ID, store.Paging{Limit: 100})
	fatal(t, err)
	events := page.Items
	if len(events) != eventsPerDay+2 || events[0].Type != EventTokenReuse || events[1].Count != 30 {
		t.Errorf("%d events; %s, %d times %s", len(events), events[0].Type, events[1].Count, events[1].Type)
	}
	page, err = w.Events.Page(ctx, bob.ID, store.Paging{Limit: 100})
	fatal(t, err)
	if len(page.Items) != 1 {
		t.Errorf("bob has %d events", len(page.Items))
	}
	w.checkWhole(t)
}

// Of all that end a session concurrently, one learns that it did.
func TestASessionEndsOnce(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	s := w.session(t, alice)
	_, err := w.Sessions.End(ctx, bob.ID, s.ID, EndedByUser)
	wantCode(t, err, apperr.NotFound, "")
	var told atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			ended, err := w.Sessions.End(ctx, alice.ID, s.ID, EndedByUser)
			if err == nil && ended.EndedFor == EndedByUser && ended.UserAgent == "curl" {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if told.Load() != 1 {
		t.Errorf("%d were told", told.Load())
	}
}

// The mark of a theft is for sessions that begin after it, and only they remove it.
func TestTheftIsToldToLaterSessions(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	before := w.session(t, alice)
	w.advance(time.Minute)
	fatal(t, w.Users.NoteTheft(ctx, alice.ID))
	w.advance(time.Minute)
	after := w.session(t, alice)
	told := func() (bool, bool) {
		u, err := w.Users.Cached(ctx, alice.ID)
		fatal(t, err)
		return u.TheftToTell(before) != nil, u.TheftToTell(after) != nil
	}
	if old, young := told(); old || !young {
		t.Errorf("before: %v, after: %v", old, young)
	}
	fatal(t, w.Users.DismissTheft(ctx, alice.ID, before.CreatedAt))
	if _, young := told(); !young {
		t.Error("an older session took it away")
	}
	fatal(t, w.Users.DismissTheft(ctx, alice.ID, after.CreatedAt))
	if _, young := told(); young {
		t.Error("it is still there")
	}
}

// Events in the Token lab are only played. An event of nobody isn't recorded; one that must not slow down a response is
// recorded later.
func TestEventsAreOfRealAccounts(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	fatal(t, w.Events.Add(ctx, EventTokenReuse, &Session{User: alice.ID, Kind: Lab}, Device{}))
	wantCode(t, w.Events.Add(ctx, EventLogin, &Session{User: bson.NewObjectID()}, Device{}), apperr.NotFound, "")
	w.Events.AddLater(EventLoginFailed, &Session{User: alice.ID}, Device{"curl", "192.0.2.1"}, func(err error) { t.Error(err) })
	w.Events.AddLater(EventLogin, &Session{User: bson.NewObjectID()}, Device{}, func(err error) { t.Error("that the account is gone is no failure:", err) })
	ended := w.session(t, alice)
	ended, err := w.Sessions.End(ctx, alice.ID, ended.ID, EndedByUser)
	fatal(t, err)
	w.DB.WaitRemovals()
	w.advance(time.Minute)
	fatal(t, w.Events.Add(ctx, EventSessionEnded, ended, Device{"Firefox", "192.0.2.9"}))
	page, err := w.Events.Page(ctx, alice.ID, store.Paging{Limit: 1})
	fatal(t, err)
	last := page.Items[0]
	if last.Type != EventSessionEnded || *last.Ended != (Device{"curl", "192.0.2.1"}) || last.Why != EndedByUser || last.UserAgent != "Firefox" {
		t.Errorf("%+v", last)
	}
	page, err = w.Events.Page(ctx, alice.ID, store.Paging{Limit: 1, After: page.Next})
	if err != nil || len(page.Items) != 1 || page.Items[0].Type != EventLoginFailed || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
}
