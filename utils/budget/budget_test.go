package budget

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
)

func TestEachHolderAndAll(t *testing.T) {
	b := New[string](3, 100)
	var back []func()
	for range 3 {
		giveBack, err := b.Take("alice")
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, giveBack)
	}
	if _, err := b.Take("alice"); !errors.Is(err, ErrHolder) {
		t.Errorf("the fourth: %v", err)
	}
	if _, err := b.Take("bob"); err != nil {
		t.Errorf("bob: %v", err)
	}
	back[0]()
	back[0]() // once more gives back nothing
	if _, err := b.Take("alice"); err != nil {
		t.Errorf("after one was given back: %v", err)
	}
	if _, err := b.Take("alice"); !errors.Is(err, ErrHolder) {
		t.Errorf("one was given back twice: %v", err)
	}
}

func TestGreedyHoldersLeavePlacesForOthers(t *testing.T) {
	for _, greedy := range []int{1, 10, 100, 800} {
		b := New[int](256, 1000)
		for range 256 {
			for holder := range greedy {
				_, _ = b.Take(holder)
			}
		}
		if _, err := b.Take(-1); err != nil {
			t.Errorf("%d greedy holders have %d of 1000, and a newcomer gets: %v", greedy, b.total, err)
		}
		if b.held[0] == 0 {
			t.Errorf("of %d greedy holders, the first has none", greedy)
		}
	}
}

func TestFull(t *testing.T) {
	b := New[int](5, 10)
	for i := range 10 {
		if _, err := b.Take(i); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := b.Take(10); !errors.Is(err, ErrFull) {
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
	if _, err := b.Take(1); !errors.Is(err, ErrFull) {
		t.Errorf("with nothing free: %v", err)
	}
	back[3]()
	if _, err := b.Take(1); err != nil {
		t.Error(err)
	}
}

func TestNothingIsKeptOfHoldersThatLeft(t *testing.T) {
	b := New[int](2, 1000)
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			for range 10 {
				if giveBack, err := b.Take(i); err == nil {
					giveBack()
				}
			}
		})
	}
	all.Wait()
	if b.total != 0 || len(b.held) != 0 {
		t.Errorf("%d places and %d holders are left", b.total, len(b.held))
	}
}

func TestAddress(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.7":            "203.0.113.7/32",
		"::ffff:203.0.113.7":     "203.0.113.7/32",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"fe80::1:2:3:4%eth0":     "fe80::/64",
		"2001:db8:1:2:ffff::abc": "2001:db8:1:2::/64",
	} {
		if got := Address(netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("%s is held by %s, want %s", ip, got, want)
		}
	}
}
