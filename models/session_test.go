package models

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestOfManyRotationsOneWins(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	s, err := w.sessions.Create(ctx, w.user(t, "alice").ID, true, Device{})
	fatal(t, err)
	var first atomic.Int32
	successors := make([]string, 64)
	var all sync.WaitGroup
	for i := range successors {
		all.Go(func() {
			rotated, won, err := w.sessions.Rotate(ctx, s.ID, s.Current.ID, Device{})
			if err != nil {
				t.Error(err)
				return
			}
			if won {
				first.Add(1)
			}
			successors[i] = rotated.Current.ID
		})
	}
	all.Wait()
	if first.Load() != 1 || len(slices.Compact(successors)) != 1 || successors[0] == s.Current.ID {
		t.Errorf("%d rotations, successors %v", first.Load(), slices.Compact(successors))
	}
}

// A rotation that races with the end of the session never leaves a live token.
func TestRotationAgainstRevocation(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	for range 20 {
		s, err := w.sessions.Create(ctx, alice.ID, true, Device{})
		fatal(t, err)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _, _ = w.sessions.Rotate(ctx, s.ID, s.Current.ID, Device{}) })
		}
		all.Go(func() {
			_, err := w.sessions.End(ctx, alice.ID, s.ID, LoggedOut)
			fatal(t, err)
		})
		all.Wait()
		now, err := w.sessions.load(ctx, s.ID)
		fatal(t, err)
		for _, jti := range []string{s.Current.ID, now.Current.ID} {
			if _, _, err := w.sessions.Rotate(ctx, s.ID, jti, Device{}); !errors.Is(err, ErrSessionOver) {
				t.Fatalf("a token lives on after logout: %v", err)
			}
		}
		if _, err := w.sessions.Cached(ctx, s.ID); !errors.Is(err, ErrSessionOver) {
			t.Fatalf("the cache lets a revoked session live: %v", err)
		}
	}
}

// The clock of a replaced token starts when its successor is seen, not before,
// and is not put back by later uses.
func TestGraceStartsWhenTheSuccessorIsUsed(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	s, err := w.sessions.Create(ctx, w.user(t, "alice").ID, true, Device{})
	fatal(t, err)
	old := s.Current.ID
	next, _, err := w.sessions.Rotate(ctx, s.ID, old, Device{})
	fatal(t, err)
	w.advance(time.Hour)
	if again, first, err := w.sessions.Rotate(ctx, s.ID, old, Device{}); err != nil || first || again.Current != next.Current {
		t.Fatalf("a lost response was not answered again: %v", err)
	}
	fatal(t, w.sessions.MarkSeen(ctx, next))
	w.advance(20 * time.Second)
	fatal(t, w.sessions.MarkSeen(ctx, next)) // by a request that read the session before
	w.advance(9 * time.Second)
	_, err = w.sessions.CheckRefreshToken(ctx, s.ID, old)
	fatal(t, err)
	w.advance(time.Second)
	if _, err := w.sessions.CheckRefreshToken(ctx, s.ID, old); !errors.Is(err, ErrTokenReused) {
		t.Errorf("after the grace: %v", err)
	}
	if _, err := w.sessions.CheckRefreshToken(ctx, s.ID, next.Current.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("the session lives on: %v", err)
	}
}

func TestUnknownTokenOfALiveSessionIsTheft(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	s, err := w.sessions.Create(ctx, w.user(t, "alice").ID, true, Device{})
	fatal(t, err)
	if _, _, err := w.sessions.Rotate(ctx, s.ID, "unknown", Device{}); !errors.Is(err, ErrTokenReused) {
		t.Error(err)
	}
	if _, _, err := w.sessions.Rotate(ctx, bson.NewObjectID(), "unknown", Device{}); !errors.Is(err, ErrSessionOver) {
		t.Error(err)
	}
}

func TestTheOldestOfManySessionsEnd(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	var oldest *Session
	for i := range sessionsPerUser + 1 {
		w.advance(time.Second)
		s, err := w.sessions.Create(ctx, alice.ID, true, Device{})
		fatal(t, err)
		_, err = w.sessions.EndOldest(ctx, alice.ID)
		fatal(t, err)
		if i == 0 {
			oldest = s
		}
	}
	live, err := w.sessions.OfUser(ctx, alice.ID)
	fatal(t, err)
	if len(live) != sessionsPerUser || live[0].ID == oldest.ID {
		t.Errorf("%d sessions live", len(live))
	}
}

// Two processes on one database: what one revokes, the other serves for at most
// five seconds more, and never rotates.
func TestSessionEndedByAnotherProcess(t *testing.T) {
	where := newPlace(t)
	if where.uri == "" {
		t.Skip("the embedded engine is for one process; set MONGODB_URI")
	}
	ctx, a, b := context.Background(), where.open(t, nil), where.open(t, nil)
	defer func() { fatal(t, a.Close(ctx)); fatal(t, b.Close(ctx)) }()
	s, err := a.sessions.Create(ctx, a.user(t, "alice").ID, true, Device{})
	fatal(t, err)
	_, err = b.sessions.Cached(ctx, s.ID)
	fatal(t, err)
	_, err = a.sessions.End(ctx, s.User, s.ID, LoggedOut)
	fatal(t, err)
	if _, _, err := b.sessions.Rotate(ctx, s.ID, s.Current.ID, Device{}); !errors.Is(err, ErrSessionOver) {
		t.Errorf("the other process rotated an ended session: %v", err)
	}
	b.advance(cachedFor)
	if _, err := b.sessions.Cached(ctx, s.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("the other process serves it after five seconds: %v", err)
	}
}
