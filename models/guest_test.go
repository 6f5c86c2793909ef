package models

import (
	"sync"
	"testing"
	"time"

	"tokentube/utils/apperr"
)

// Guests are removed after their time, with their sessions, and their number is bounded, in all processes together.
func TestGuestsAreBounded(t *testing.T) {
	w := newWorld(t)
	open := func() *Guests {
		g, err := OpenGuests(t.Context(), w.DB, 10*time.Minute)
		fatal(t, err)
		return g
	}
	one := open()
	other := one // the embedded engine has only one process
	if w.DB.Shared() {
		other = open()
	}
	first, err := one.Add(t.Context())
	fatal(t, err)
	session, _, err := one.Sessions.Create(t.Context(), first.ID, false, Device{})
	fatal(t, err)
	for i := range mostGuests - 1 {
		_, err := []*Guests{one, other}[i%2].Add(t.Context())
		fatal(t, err)
	}
	for _, g := range []*Guests{one, other} {
		if _, err := g.Add(t.Context()); !apperr.Is(err, apperr.Unavailable) {
			t.Errorf("one more: %v", err)
		}
	}
	here := func() int {
		fatal(t, other.RemoveExpired(watched()))
		other.DB.WaitRemovals()
		n, err := one.count(t.Context(), mostGuests+1)
		fatal(t, err)
		return n
	}
	w.advance(10*time.Minute - time.Second)
	if n := here(); n != mostGuests {
		t.Errorf("%d are left before their time is over", n)
	}
	w.advance(time.Second)
	if n := here(); n != 0 {
		t.Errorf("%d are left after it", n)
	}
	if _, err := one.Sessions.OfUserByID(t.Context(), first.ID, session.ID); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("the session of the first is still there: %v", err)
	}
	late, err := one.Add(watched())
	fatal(t, err)
	fatal(t, other.Remove(watched(), late.ID))
	fatal(t, one.Remove(t.Context(), late.ID)) // it is gone already
	if n, err := w.Users.users.Frequency(t.Context(), "_id", everyID, 1); n != 0 || err != nil {
		t.Errorf("%d of the site's users are guests (%v)", n, err)
	}
}

// Processes that remove the same guests at the same time, while some start over, don't get in each other's way.
func TestGuestsAreRemovedAtOnce(t *testing.T) {
	w := newWorld(t)
	one, err := OpenGuests(t.Context(), w.DB, time.Minute)
	fatal(t, err)
	other := one
	if w.DB.Shared() {
		other, err = OpenGuests(t.Context(), w.DB, time.Minute)
		fatal(t, err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var guests []*User
	for i := range 20 {
		all.Go(func() {
			u, err := []*Guests{one, other}[i%2].Add(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			guests = append(guests, u)
		})
	}
	all.Wait()
	w.advance(time.Minute)
	for i := range 8 {
		g := []*Guests{one, other}[i%2]
		all.Go(func() {
			if err := g.RemoveExpired(t.Context()); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := g.Remove(t.Context(), guests[i].ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	one.DB.WaitRemovals()
	other.DB.WaitRemovals()
	if n, err := one.count(t.Context(), 100); n != 0 || len(guests) != 20 || err != nil {
		t.Errorf("of %d, %d are left: %v", len(guests), n, err)
	}
}
