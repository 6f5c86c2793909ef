package models

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/utils/apperr"
)

// What many do at once is counted exactly, in one entry.
func TestEventsOfOneNetworkAreOneEntry(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if err := w.events.Add(ctx, EventLoginFailed, &Session{User: alice.ID}, Device{"curl", "192.0.2.1"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.advance(30 * time.Minute)
	fatal(t, w.events.Add(ctx, EventLoginFailed, &Session{User: alice.ID}, Device{"Firefox", "192.0.2.9"}))
	events, next, err := w.events.List(ctx, alice.ID, "", 10)
	fatal(t, err)
	if len(events) != 1 || next != "" || events[0].Count != 33 || events[0].UserAgent != "curl" {
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
	w, ctx := newWorld(t), context.Background()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	for range eventsPerDay + 30 {
		fatal(t, w.events.Add(ctx, EventLogin, &Session{User: alice.ID}, Device{}))
		w.advance(time.Second)
	}
	fatal(t, w.events.Add(ctx, EventTokenReuse, &Session{User: alice.ID}, Device{}))
	fatal(t, w.events.Add(ctx, EventLogin, &Session{User: bob.ID}, Device{}))
	events, _, err := w.events.List(ctx, alice.ID, "", 100)
	fatal(t, err)
	if len(events) != eventsPerDay+2 || events[0].Type != EventTokenReuse || events[1].Count != 30 {
		t.Errorf("%d events; %s, %d times %s", len(events), events[0].Type, events[1].Count, events[1].Type)
	}
	events, _, err = w.events.List(ctx, bob.ID, "", 100)
	fatal(t, err)
	if len(events) != 1 {
		t.Errorf("bob has %d events", len(events))
	}
}

func TestNetworks(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.200": "192.0.2.0/24", "::ffff:192.0.2.200": "192.0.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48",
		"fe80::1%eth0": "fe80::/48", "": "", "nonsense": "nonsense",
	} {
		if got := network(ip); got != want {
			t.Errorf("%s is of %s, want %s", ip, got, want)
		}
	}
}

// Of all who end a session at once, one is told that it did.
func TestASessionEndsOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	s, err := w.sessions.Create(ctx, alice.ID, true, Device{"curl", "192.0.2.1"})
	fatal(t, err)
	_, err = w.sessions.End(ctx, bob.ID, s.ID, EndedByUser)
	wantCode(t, err, apperr.NotFound, "")
	var told atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			ended, err := w.sessions.End(ctx, alice.ID, s.ID, EndedByUser)
			if err == nil && ended.RevokedFor == EndedByUser && ended.UserAgent == "curl" {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if told.Load() != 1 {
		t.Errorf("%d were told", told.Load())
	}
}

// The mark of a theft is for sessions that begin after it, and only they take
// it away.
func TestTheftIsToldToLaterSessions(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	before, err := w.sessions.Create(ctx, alice.ID, true, Device{})
	fatal(t, err)
	w.advance(time.Minute)
	fatal(t, w.users.NoteTheft(ctx, alice.ID))
	w.advance(time.Minute)
	after, err := w.sessions.Create(ctx, alice.ID, true, Device{})
	fatal(t, err)
	told := func() (bool, bool) {
		u, err := w.users.Cached(ctx, alice.ID)
		fatal(t, err)
		return u.TheftToTell(before) != nil, u.TheftToTell(after) != nil
	}
	if old, young := told(); old || !young {
		t.Errorf("before: %v, after: %v", old, young)
	}
	fatal(t, w.users.DismissTheft(ctx, alice.ID, before.CreatedAt))
	if _, young := told(); !young {
		t.Error("an older session took it away")
	}
	fatal(t, w.users.DismissTheft(ctx, alice.ID, after.CreatedAt))
	if _, young := told(); young {
		t.Error("it is still there")
	}
}
