package models

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/ratelimit"
)

var tries = ratelimit.Limit{Name: "tries", Quota: 10, Window: 15 * time.Minute}

// attempts are made before the database is prepared again, for their index.
func attempts(t *testing.T) (*world, *Attempts) {
	t.Helper()
	w := newWorld(t)
	m := NewAttempts(w.DB, "key")
	fatal(t, w.Prepare(t.Context()))
	return w, m
}

func take(t *testing.T, m *Attempts, who ...string) ratelimit.State {
	t.Helper()
	s, err := m.Take(t.Context(), tries, who...)
	fatal(t, err)
	return s
}

func TestAttemptsRunOutAndComeBack(t *testing.T) {
	w, m := attempts(t)
	for i := range 10 {
		if s := take(t, m, "alice", "192.0.2.0/24"); !s.OK || s.Left != 9-i || s.Wait != 90*time.Second {
			t.Fatalf("%d: %+v", i, s)
		}
	}
	for range 3 {
		if s := take(t, m, "alice", "192.0.2.0/24"); s.OK || s.Left != 0 || s.Wait != 90*time.Second {
			t.Fatalf("empty: %+v", s)
		}
	}
	for _, who := range [][]string{{"bob", "192.0.2.0/24"}, {"alice", "198.51.100.0/24"}, {"alice192.0.2.0/24"}} {
		if s := take(t, m, who...); !s.OK || s.Left != 9 {
			t.Errorf("%v: %+v", who, s)
		}
	}
	w.advance(90 * time.Second)
	if s := take(t, m, "alice", "192.0.2.0/24"); !s.OK || s.Left != 0 {
		t.Errorf("one came back: %+v", s)
	}
	if s := take(t, m, "alice", "192.0.2.0/24"); s.OK {
		t.Errorf("only one came back: %+v", s)
	}
	w.advance(time.Hour)
	if s := take(t, m, "alice", "192.0.2.0/24"); !s.OK || s.Left != 9 {
		t.Errorf("after an hour: %+v", s)
	}
}

func TestAttemptsGivenBackAreThereAgain(t *testing.T) {
	w, m := attempts(t)
	for range 30 {
		if s := take(t, m, "alice"); !s.OK || s.Left != 9 {
			t.Fatalf("%+v", s)
		}
		fatal(t, m.GiveBack(t.Context(), tries, "alice"))
	}
	take(t, m, "alice")
	w.advance(time.Hour)
	fatal(t, m.GiveBack(t.Context(), tries, "alice")) // late: it is full already
	for i := range 11 {
		if s := take(t, m, "alice"); s.OK != (i < 10) {
			t.Errorf("%d: %+v", i, s)
		}
	}
}

// Of any number of tries at once no more pass than in a row.
func TestAttemptsAtOnceShareOneBucket(t *testing.T) {
	_, m := attempts(t)
	var passed, failed atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			switch s, err := m.Take(t.Context(), tries, "alice"); {
			case err != nil:
				failed.Add(1)
			case s.OK:
				passed.Add(1)
			}
		})
	}
	all.Wait()
	// One that loses every race is told to come back: never let in uncounted.
	if passed.Load() > 10 || passed.Load()+failed.Load() < 10 || failed.Load() > 5 {
		t.Errorf("%d passed, %d failed", passed.Load(), failed.Load())
	}
}

func TestAttemptsKeepNoNames(t *testing.T) {
	_, m := attempts(t)
	take(t, m, "alice", "192.0.2.0/24")
	doc, err := decode[bson.Raw](m.attempts.FindOne(t.Context(), bson.D{}))
	fatal(t, err)
	for _, text := range []string{"alice", "192.0.2"} {
		if bytes.Contains(*doc, []byte(text)) {
			t.Errorf("%s is kept in %s", text, doc)
		}
	}
	if other := (&Attempts{key: []byte("other")}).id(tries, []string{"alice"}); bytes.Equal(other, m.id(tries, []string{"alice"})) {
		t.Error("the hash has no key")
	}
}
