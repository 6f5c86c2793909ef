package budget

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
)

func nothing() {}

func TestEachHolder(t *testing.T) {
	b := New[string](3, 100)
	var back []func()
	for range 3 {
		giveBack, err := b.Take("alice", nothing)
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, giveBack)
	}
	if _, err := b.Take("alice", nothing); !errors.Is(err, ErrHolder) {
		t.Errorf("the fourth: %v", err)
	}
	if _, err := b.Take("bob", nothing); err != nil {
		t.Errorf("bob: %v", err)
	}
	back[0]()
	back[0]() // calling it again gives nothing back
	if _, err := b.Take("alice", nothing); err != nil {
		t.Errorf("after one was given back: %v", err)
	}
	if _, err := b.Take("alice", nothing); !errors.Is(err, ErrHolder) {
		t.Errorf("one was given back twice: %v", err)
	}
}

// However many take as much as they may, a holder with few places gets one from those with many.
func TestPlacesAreSharedEvenly(t *testing.T) {
	for _, greedy := range []int{1, 3, 100, 400} {
		b, ended := New[int](2000, 1000), map[int]int{}
		for range 2000 / greedy {
			for holder := range greedy {
				_, _ = b.Take(holder, func() { ended[holder]++ })
			}
		}
		fair := 1000 / (greedy + 1)
		for i := range fair {
			if _, err := b.Take(-1, func() { ended[-1]++ }); err != nil {
				t.Fatalf("of %d greedy holders, a newcomer who has %d places gets: %v", greedy, i, err)
			}
		}
		if ended[-1] > 0 {
			t.Errorf("the newcomer lost %d places", ended[-1])
		}
		lost := 0
		for _, n := range ended {
			lost += n
		}
		if lost < fair || b.total != 1000 {
			t.Errorf("%d were ended for %d, and %d are held", lost, fair, b.total)
		}
	}
}

func TestTheOldestOfThoseWithTheMostEnds(t *testing.T) {
	b, ended := New[string](9, 5), []string{}
	for _, name := range []string{"a1", "b1", "b2", "a2", "b3"} {
		if _, err := b.Take(name[:1], func() { ended = append(ended, name) }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Take("c", nothing); err != nil || !slices.Equal(ended, []string{"b1"}) {
		t.Errorf("%v, %v ended", err, ended)
	}
	if _, err := b.Take("b", nothing); !errors.Is(err, ErrFull) { // a and b have two, c one
		t.Errorf("%v, %v ended", err, ended)
	}
	if _, err := b.Take("c", nothing); !errors.Is(err, ErrFull) { // one more would give c the most
		t.Errorf("%v, %v ended", err, ended)
	}
	if _, err := b.TakeForAll(); err != nil || len(ended) != 2 {
		t.Errorf("%v, %v ended", err, ended)
	}
}

func TestFull(t *testing.T) {
	b := New[int](5, 10)
	for i := range 10 {
		if _, err := b.Take(i, nothing); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := b.Take(10, nothing); !errors.Is(err, ErrFull) {
		t.Errorf("the eleventh: %v", err)
	}
	if _, err := b.TakeForAll(); !errors.Is(err, ErrFull) {
		t.Errorf("the eleventh, for all: %v", err)
	}
}

func TestForAllCountsInAllAlone(t *testing.T) {
	b := New[int](1, 10)
	var back []func()
	for range 10 {
		giveBack, err := b.TakeForAll()
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, giveBack)
	}
	if _, err := b.Take(1, nothing); !errors.Is(err, ErrFull) {
		t.Errorf("with nothing free: %v", err)
	}
	back[3]()
	if _, err := b.Take(1, nothing); err != nil {
		t.Error(err)
	}
}

// Ending a holder's work may give its place back, and so may its owner at the same moment. Afterwards nothing is left.
func TestManyAtOnce(t *testing.T) {
	b := New[int](20, 50)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			var mine []func()
			for range 2000 {
				var giveBack func()
				var known sync.Mutex
				known.Lock()
				back, err := b.Take(rand.IntN(30), func() {
					go func() { known.Lock(); giveBack() }()
				})
				if giveBack = back; err == nil {
					mine = append(mine, back)
				}
				known.Unlock()
				if len(mine) > 5 {
					mine[0]()
					mine = mine[1:]
				}
			}
			for _, giveBack := range mine {
				giveBack()
			}
		})
	}
	all.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total != 0 || len(b.places) != 0 || len(b.having) != 0 || b.most != 0 {
		t.Errorf("%d places, of %d holders, are left; the most is %d of %v", b.total, len(b.places), b.most, b.having)
	}
}

func BenchmarkTakeWhenFull(b *testing.B) {
	full := New[int](256, 4096)
	for i := range 4096 {
		_, _ = full.Take(i%1024, nothing)
	}
	for i := 0; b.Loop(); i++ {
		if giveBack, err := full.Take(2000+i, nothing); err == nil {
			giveBack()
			_, _ = full.Take(i%1024, nothing)
		}
	}
}

func TestAddress(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.7":            "203.0.113.7/32",
		"::ffff:203.0.113.7":     "203.0.113.7/32",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1::/56",
		"2001:db8:1:102::1":      "2001:db8:1:100::/56",
		"fe80::1:2:3:4%eth0":     "fe80::/56",
		"2001:db8:1:ff:ffff::ab": "2001:db8:1::/56",
	} {
		if got := Address(netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("%s is held by %s, want %s", ip, got, want)
		}
	}
}
