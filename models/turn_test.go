package models

import (
	"sync"
	"testing"
	"time"

	"tokentube/utils/apperr"
)

func TestATurnIsHeldByOneRunAtATime(t *testing.T) {
	w, ctx := newWorld(t), watched()
	var all sync.WaitGroup
	taken := make([]*Turn, 8)
	for i := range taken {
		all.Go(func() {
			turn, err := w.Turns.Take(ctx, "sample content")
			if err != nil && !apperr.Is(err, apperr.Conflict) {
				t.Error(err)
			}
			taken[i] = turn
		})
	}
	all.Wait()
	var first *Turn
	for _, turn := range taken {
		if turn != nil && first != nil {
			t.Error("two hold the turn")
		}
		if turn != nil {
			first = turn
		}
	}
	if first == nil {
		t.Fatal("no run holds the turn")
	}
	if _, err := w.Turns.Take(ctx, "something else"); err != nil {
		t.Error(err)
	}

	// A run that renews keeps it; one that releases it doesn't.
	w.advance(TurnTime - time.Second)
	fatal(t, w.Turns.Live(ctx, first))
	w.advance(TurnTime - time.Second)
	if _, err := w.Turns.Take(ctx, "sample content"); apperr.From(err).RetryAfter <= 0 {
		t.Errorf("a renewed turn was taken: %v", err)
	}
	fatal(t, w.Turns.Give(ctx, first))
	second, err := w.Turns.Take(ctx, "sample content")
	fatal(t, err)

	// A run that didn't renew in time has lost it, and can't change anything more, including the turn.
	w.advance(TurnTime)
	third, err := w.Turns.Take(ctx, "sample content")
	fatal(t, err)
	alice := w.user(t, "alice")
	late := func() error {
		_, _, err := w.Sessions.Create(w.Turns.Within(ctx, second), alice.ID, false, Device{})
		return err
	}
	if err := late(); !apperr.Is(err, apperr.Conflict) {
		t.Errorf("a run that had lost the turn changed something: %v", err)
	}
	if err := w.Turns.Live(ctx, second); !apperr.Is(err, apperr.Conflict) {
		t.Error(err)
	}
	fatal(t, w.Turns.Give(ctx, second))
	fatal(t, w.Turns.Live(ctx, third))
	if live, err := w.Sessions.OfUser(ctx, alice.ID); err != nil || len(live) != 0 {
		t.Error(live, err)
	}
	if _, _, err := w.Sessions.Create(w.Turns.Within(ctx, third), alice.ID, false, Device{}); err != nil {
		t.Error(err)
	}
}
