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

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

func TestOfManyRotationsOneWins(t *testing.T) {
	w, ctx := newWorld(t), watched()
	s := w.session(t, w.user(t, "alice"))
	var first atomic.Int32
	successors := make([]string, 64)
	var all sync.WaitGroup
	for i := range successors {
		all.Go(func() {
			rotated, won, err := w.Sessions.Rotate(ctx, s.ID, s.Current.ID, Device{})
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

// A rotation that races with the end of the session never leaves a valid token.
func TestRotationAgainstRevocation(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	for range 20 {
		s := w.session(t, alice)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _, _ = w.Sessions.Rotate(ctx, s.ID, s.Current.ID, Device{}) })
		}
		all.Go(func() {
			_, err := w.Sessions.End(ctx, alice.ID, s.ID, LoggedOut)
			fatal(t, err)
		})
		all.Wait()
		now, err := w.Sessions.OfUserByID(ctx, alice.ID, s.ID)
		fatal(t, err)
		for _, jti := range []string{s.Current.ID, now.Current.ID} {
			if _, _, err := w.Sessions.Rotate(ctx, s.ID, jti, Device{}); !errors.Is(err, ErrSessionOver) {
				t.Fatalf("a token lives on after logout: %v", err)
			}
		}
		if _, err := w.Sessions.Cached(ctx, s.ID); !errors.Is(err, ErrSessionOver) {
			t.Fatalf("the cache lets a revoked session live: %v", err)
		}
	}
}

// The grace period of a replaced token starts when its successor is used, not before, and later uses don't restart it.
func TestGraceStartsWhenTheSuccessorIsUsed(t *testing.T) {
	w, ctx := newWorld(t), watched()
	s := w.session(t, w.user(t, "alice"))
	old := s.Current.ID
	next, _, err := w.Sessions.Rotate(ctx, s.ID, old, Device{})
	fatal(t, err)
	w.advance(time.Hour)
	if again, first, err := w.Sessions.Rotate(ctx, s.ID, old, Device{}); err != nil || first || again.Current != next.Current {
		t.Fatalf("a lost response was not answered again: %v", err)
	}
	fatal(t, w.Sessions.MarkSeen(ctx, next))
	w.advance(20 * time.Second)
	fatal(t, w.Sessions.MarkSeen(ctx, next)) // by a request that read the session earlier
	w.advance(9 * time.Second)
	_, err = w.Sessions.CheckRefreshToken(ctx, s.ID, old)
	fatal(t, err)
	w.advance(time.Second)
	if _, err := w.Sessions.CheckRefreshToken(ctx, s.ID, old); !errors.Is(err, ErrTokenReused) {
		t.Errorf("after the grace: %v", err)
	}
	if _, err := w.Sessions.CheckRefreshToken(ctx, s.ID, next.Current.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("the session lives on: %v", err)
	}
}

func TestUnknownTokenOfALiveSessionIsTheft(t *testing.T) {
	w, ctx := newWorld(t), watched()
	s := w.session(t, w.user(t, "alice"))
	if _, _, err := w.Sessions.Rotate(ctx, s.ID, "unknown", Device{}); !errors.Is(err, ErrTokenReused) {
		t.Error(err)
	}
	if _, _, err := w.Sessions.Rotate(ctx, bson.NewObjectID(), "unknown", Device{}); !errors.Is(err, ErrSessionOver) {
		t.Error(err)
	}
}

func TestTheOldestOfManySessionsEnd(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	var oldest *Session
	for i := range sessionsPerUser + 1 {
		w.advance(time.Second)
		s, ended, err := w.Sessions.Create(ctx, alice.ID, true, Device{})
		fatal(t, err)
		if i == 0 {
			oldest = s
		}
		if i < sessionsPerUser && len(ended) > 0 {
			t.Errorf("session %d ended %d others", i, len(ended))
		}
		if i == sessionsPerUser && (len(ended) != 1 || ended[0].ID != oldest.ID || ended[0].EndedFor != TooMany) {
			t.Errorf("these ended: %v", ended)
		}
	}
	live, err := w.Sessions.OfUser(ctx, alice.ID)
	fatal(t, err)
	if len(live) != sessionsPerUser || live[0].ID == oldest.ID {
		t.Errorf("%d sessions live", len(live))
	}
}

// Two processes on one database: what one revokes, the other serves for at most five more seconds, and never rotates.
func TestSessionEndedByAnotherProcess(t *testing.T) {
	where := newPlace(t)
	if where.uri == "" {
		t.Skip("the embedded engine is for one process; set MONGODB_URI")
	}
	ctx, a, b := watched(), where.open(t), where.open(t)
	defer func() { fatal(t, a.DB.Close(ctx)); fatal(t, b.DB.Close(ctx)) }()
	s := a.session(t, a.user(t, "alice"))
	_, err := b.Sessions.Cached(ctx, s.ID)
	fatal(t, err)
	_, err = a.Sessions.End(ctx, s.User, s.ID, LoggedOut)
	fatal(t, err)
	if _, _, err := b.Sessions.Rotate(ctx, s.ID, s.Current.ID, Device{}); !errors.Is(err, ErrSessionOver) {
		t.Errorf("the other process rotated an ended session: %v", err)
	}
	b.advance(store.CachedFor)
	if _, err := b.Sessions.Cached(ctx, s.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("the other process serves it after five seconds: %v", err)
	}
}

func TestEndOthersKeepsOne(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	mine, other, his := w.session(t, alice), w.session(t, alice), w.session(t, bob)
	ended, err := w.Sessions.EndOthers(ctx, alice.ID, mine.ID, PasswordChanged)
	if err != nil || len(ended) != 1 || ended[0].ID != other.ID || ended[0].EndedFor != PasswordChanged {
		t.Errorf("%v, %v", ended, err)
	}
	for s, want := range map[*Session]error{mine: nil, his: nil, other: ErrSessionOver} {
		if _, err := w.Sessions.Cached(ctx, s.ID); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if ended, err = w.Sessions.EndOthers(ctx, alice.ID, bson.NilObjectID, PasswordChanged); err != nil || len(ended) != 1 {
		t.Errorf("all: %v, %v", ended, err)
	}
	live, err := w.Sessions.OfUser(ctx, alice.ID)
	if err != nil || len(live) != 0 {
		t.Errorf("%d live on, %v", len(live), err)
	}
	_, err = w.Sessions.OfUserByID(ctx, bob.ID, mine.ID)
	wantCode(t, err, apperr.NotFound, "")
}

func TestEndAllEndsEverySessionOfEveryKind(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	played, _, err := w.Sessions.OfKind(Lab, SessionPolicy{RefreshTTL: time.Hour, MaxAge: time.Hour}).Create(ctx, alice.ID, true, Device{})
	fatal(t, err)
	out := w.session(t, bob)
	_, err = w.Sessions.End(ctx, bob.ID, out.ID, LoggedOut)
	fatal(t, err)
	live := []bson.ObjectID{w.session(t, alice).ID, w.session(t, alice).ID, w.session(t, bob).ID, played.ID}
	var told []bson.ObjectID
	note := func(_ context.Context, s *Session) error { told = append(told, s.ID); return nil }
	fatal(t, w.Sessions.EndAll(ctx, Restored, note))
	for _, id := range live {
		s, err := w.Sessions.sessions.ByID(ctx, id)
		fatal(t, err)
		if s.EndedFor != Restored || !slices.Contains(told, id) {
			t.Errorf("ended for %q, and told: %v", s.EndedFor, slices.Contains(told, id))
		}
	}
	if s, err := w.Sessions.sessions.ByID(ctx, out.ID); err != nil || s.EndedFor != LoggedOut || len(told) != len(live) {
		t.Errorf("one that had ended before: %+v, %v; told of %d", s, err, len(told))
	}
}

// Sessions of the site and of the Token lab are not valid for each other.
func TestKindsOfSessionsAreApart(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	lab := w.Sessions.OfKind(Lab, SessionPolicy{RefreshTTL: time.Hour, MaxAge: time.Hour})
	web := w.session(t, alice)
	played, _, err := lab.Create(ctx, alice.ID, true, Device{})
	fatal(t, err)
	for name, look := range map[string]func() error{
		"lab by web":     func() error { _, err := w.Sessions.ByID(ctx, played.ID); return err },
		"web by lab":     func() error { _, err := lab.Cached(ctx, web.ID); return err },
		"rotated by web": func() error { _, _, err := w.Sessions.Rotate(ctx, played.ID, played.Current.ID, Device{}); return err },
	} {
		if err := look(); !errors.Is(err, ErrSessionOver) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.advance(time.Hour)
	if _, err := lab.Cached(ctx, played.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("it lives on after its end: %v", err)
	}
	_, _, err = w.Sessions.Create(ctx, bson.NewObjectID(), true, Device{})
	wantCode(t, err, apperr.NotFound, "")
}

// A proof lasts ten minutes, is valid for one session only, and survives concurrent renewals.
func TestProof(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	s, other := w.session(t, alice), w.session(t, alice)
	if !s.Proved(w.now()) {
		t.Error("a login is no proof")
	}
	w.advance(proofLasts)
	if s.Proved(w.now()) || s.Proved(s.ProvedAt.Add(-proofLasts)) {
		t.Error("a proof lasts for good, or holds before it was made")
	}
	if _, err := w.Sessions.Prove(ctx, bob.ID, s.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("bob proves who alice is: %v", err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		_, err := w.Sessions.Prove(ctx, alice.ID, s.ID)
		fatal(t, err)
	})
	all.Go(func() {
		_, _, err := w.Sessions.Rotate(ctx, s.ID, s.Current.ID, Device{})
		fatal(t, err)
	})
	all.Wait()
	now, err := w.Sessions.ByID(ctx, s.ID)
	fatal(t, err)
	if !now.Proved(w.now()) || now.Current.ID == s.Current.ID {
		t.Errorf("of a proof and a renewal one is lost: proved %v, renewed %v", now.ProvedAt, now.Current.ID != s.Current.ID)
	}
	if other, err = w.Sessions.ByID(ctx, other.ID); err != nil || other.Proved(w.now()) {
		t.Errorf("the other session is proved: %v", err)
	}
	_, err = w.Sessions.End(ctx, alice.ID, s.ID, LoggedOut)
	fatal(t, err)
	if _, err := w.Sessions.Prove(ctx, alice.ID, s.ID); !errors.Is(err, ErrSessionOver) {
		t.Errorf("a session that has ended is proved: %v", err)
	}
}
