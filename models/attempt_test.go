package models

import (
	"bytes"
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/utils/ratelimit"
)

var tries = ratelimit.Limit{Name: "tries", Quota: 10, Window: 15 * time.Minute}

func take(t *testing.T, m *Attempts, who ...string) ratelimit.State {
	t.Helper()
	s, err := m.Take(watched(), tries, who...)
	fatal(t, err)
	return s
}

func TestAttemptsRunOutAndComeBack(t *testing.T) {
	w := newWorld(t)
	m := w.Attempts
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
	w := newWorld(t)
	m := w.Attempts
	for range 30 {
		if s := take(t, m, "alice"); !s.OK || s.Left != 9 {
			t.Fatalf("%+v", s)
		}
		fatal(t, m.GiveBack(watched(), tries, "alice"))
	}
	take(t, m, "alice")
	w.advance(time.Hour)
	fatal(t, m.GiveBack(watched(), tries, "alice")) // late: it is already full
	for i := range 11 {
		if s := take(t, m, "alice"); s.OK != (i < 10) {
			t.Errorf("%d: %+v", i, s)
		}
	}
}

// A refused attempt writes and reads nothing, however often it is repeated, and the limit survives the process.
func TestRefusedAttemptsCostNoDisk(t *testing.T) {
	p := newPlace(t)
	w := p.open(t)
	for range 11 {
		take(t, w.Attempts, "alice")
	}
	before := w.documents(t)["attempts"]
	if _, refused := w.Attempts.Refused(tries, "alice"); !refused {
		t.Error("the refusal is not remembered")
	}
	gone, cancel := context.WithCancel(watched())
	cancel() // so that any use of the database fails
	for range 1000 {
		if s, err := w.Attempts.Take(gone, tries, "alice"); err != nil || s.OK || s.Wait != 90*time.Second {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if after := w.documents(t)["attempts"]; !reflect.DeepEqual(before, after) {
		t.Errorf("%s became %s", before, after)
	}
	fatal(t, w.DB.Close(context.Background()))

	w = p.open(t)
	defer func() { fatal(t, w.DB.Close(context.Background())) }()
	if s := take(t, w.Attempts, "alice"); s.OK {
		t.Errorf("a restart fills the bucket: %+v", s)
	}
	fatal(t, w.Attempts.GiveBack(watched(), tries, "alice"))
	if s := take(t, w.Attempts, "alice"); !s.OK {
		t.Errorf("what was given back is refused: %+v", s)
	}
	w.advance(90 * time.Second)
	if s := take(t, w.Attempts, "alice"); !s.OK {
		t.Errorf("one came back: %+v", s)
	}
}

// Concurrent attempts pass no more often than consecutive ones.
func TestAttemptsAtOnceShareOneBucket(t *testing.T) {
	m := newWorld(t).Attempts
	var passed, failed atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			switch s, err := m.Take(watched(), tries, "alice"); {
			case err != nil:
				failed.Add(1)
			case s.OK:
				passed.Add(1)
			}
		})
	}
	all.Wait()
	// An attempt that loses every race is told to retry: it is never let in uncounted.
	if passed.Load() > 10 || passed.Load()+failed.Load() < 10 || failed.Load() > 5 {
		t.Errorf("%d passed, %d failed", passed.Load(), failed.Load())
	}
}

func TestAttemptsKeepNoNames(t *testing.T) {
	w := newWorld(t)
	m := w.Attempts
	take(t, m, "alice", "192.0.2.0/24")
	kept := w.documents(t)["attempts"]
	if len(kept) != 1 {
		t.Fatalf("%d buckets are kept", len(kept))
	}
	for _, text := range []string{"alice", "192.0.2"} {
		if bytes.Contains(kept[0], []byte(text)) {
			t.Errorf("%s is kept in %s", text, kept[0])
		}
	}
	if other := (&Attempts{key: []byte("other")}).id(tries, []string{"alice"}); bytes.Equal(other, m.id(tries, []string{"alice"})) {
		t.Error("the hash has no key")
	}
}
