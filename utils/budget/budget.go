// Package budget bounds how many of something are held at once: connections, requests, event streams. A place is taken
// before the work and given back after it; what exceeds the budget is refused at once, and never waits.
//
// Does not belong here: how often something may be done (utils/ratelimit), and what the bounds are.
package budget

import (
	"errors"
	"net/netip"
	"sync"
)

// Why there was no place.
var (
	ErrHolder = errors.New("this holder has as many as one may have")
	ErrFull   = errors.New("there is no place left")
)

// shares is how many newcomers what is free must be enough for.
const shares = 8

// Budget is how many may be held at once, by each holder and in all.
type Budget[Holder comparable] struct {
	each, all int

	mu    sync.Mutex
	held  map[Holder]int
	total int
}

// New makes a budget of so many for each holder, and so many in all.
func New[Holder comparable](each, all int) *Budget[Holder] {
	return &Budget[Holder]{each: each, all: all, held: map[Holder]int{}}
}

// Take takes a place for a holder. The function that gives it back may be called more than once.
//
// The fuller it gets, the less a holder may have: an eighth of what is free, but always one. So a few greedy holders can't
// take everything, and however many they are, somebody who has nothing yet finds a place sooner than they find another.
func (b *Budget[Holder]) Take(h Holder) (giveBack func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch free, has := b.all-b.total, b.held[h]; {
	case has >= b.each:
		return nil, ErrHolder
	case free <= 0 || has >= max(1, free/shares):
		return nil, ErrFull
	}
	b.total++
	b.held[h]++
	return b.later(func() {
		b.total--
		if b.held[h]--; b.held[h] == 0 {
			delete(b.held, h)
		}
	}), nil
}

// TakeForAll takes a place for nobody in particular, such as a proxy that speaks for many.
func (b *Budget[Holder]) TakeForAll() (giveBack func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total >= b.all {
		return nil, ErrFull
	}
	b.total++
	return b.later(func() { b.total-- }), nil
}

func (b *Budget[Holder]) later(giveBack func()) func() {
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		giveBack()
	})
}

// Address is who holds what comes from an IP address: the address itself, but a /64 of IPv6, of which each household or
// machine is given one and may use any address.
func Address(ip netip.Addr) netip.Prefix {
	ip, bits := ip.Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
