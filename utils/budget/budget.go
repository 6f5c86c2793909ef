// Package budget bounds how many of something are held at once: connections, requests, event streams. A place is taken
// before the work and given back after it. Nobody waits for a place.
//
// Does not belong here: how often something may be done (utils/ratelimit), and what the bounds are.
package budget

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
)

// The reasons why there was no place.
var (
	ErrHolder = errors.New("this holder has as many as one may have")
	ErrFull   = errors.New("there is no place left")
)

// Budget is how many may be held at once, by each holder and in total.
//
// When all places are taken, a holder that asks for one takes it from the holder with the most, if that one has at
// least two more. So the places are shared evenly among those who want them, whoever came first. Bounds alone don't
// leave room for newcomers: a hundred holders at their bound are enough to fill anything.
type Budget[Holder comparable] struct {
	each, all int

	mu     sync.Mutex
	total  int
	places map[Holder]*list.List       // by holder, oldest first; each element is the function that ends it
	having map[int]map[Holder]struct{} // the holders by how many places they have
	most   int                         // the most places that any holder has
}

// New makes a budget with a bound for each holder, and a bound in total.
func New[Holder comparable](each, all int) *Budget[Holder] {
	return &Budget[Holder]{each: each, all: all, places: map[Holder]*list.List{}, having: map[int]map[Holder]struct{}{}}
}

// Take takes a place for a holder. If somebody else needs it, end is called and the place is lost. The returned
// function gives the place back; calling it again, or after the place was lost, does nothing.
func (b *Budget[Holder]) Take(h Holder, end func()) (giveBack func(), err error) {
	b.mu.Lock()
	if b.has(h) >= b.each {
		b.mu.Unlock()
		return nil, ErrHolder
	}
	endOther, ok := b.makeRoom(b.has(h))
	if !ok {
		b.mu.Unlock()
		return nil, ErrFull
	}
	place := b.add(h, end)
	b.mu.Unlock()
	endOther()
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.remove(h, place)
	}), nil
}

// TakeForAll takes a place that no particular holder owns, such as that of a proxy for many clients. It can't be lost
// to others.
func (b *Budget[Holder]) TakeForAll() (giveBack func(), err error) {
	b.mu.Lock()
	endOther, ok := b.makeRoom(0)
	if !ok {
		b.mu.Unlock()
		return nil, ErrFull
	}
	b.total++
	b.mu.Unlock()
	endOther()
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.total--
	}), nil
}

func (b *Budget[Holder]) has(h Holder) int {
	if places := b.places[h]; places != nil {
		return places.Len()
	}
	return 0
}

// makeRoom ensures that there is a place for somebody who has this many. Call the returned function, which ends the
// work of whoever loses a place, once the budget is no longer locked.
func (b *Budget[Holder]) makeRoom(has int) (end func(), ok bool) {
	if b.total < b.all {
		return func() {}, true
	}
	if b.most < has+2 {
		return nil, false
	}
	for h := range b.having[b.most] {
		oldest := b.places[h].Front()
		b.remove(h, oldest)
		return oldest.Value.(func()), true
	}
	panic("budget: nobody has the most")
}

func (b *Budget[Holder]) add(h Holder, end func()) *list.Element {
	places := b.places[h]
	if places == nil {
		places = list.New()
		b.places[h] = places
	}
	place := places.PushBack(end)
	b.total++
	b.count(h, places.Len()-1, places.Len())
	return place
}

// remove removes a place, unless it was already removed.
func (b *Budget[Holder]) remove(h Holder, place *list.Element) {
	places := b.places[h]
	if places == nil {
		return
	}
	before := places.Len()
	if places.Remove(place); places.Len() == before {
		return
	}
	b.total--
	b.count(h, before, before-1)
	if before == 1 {
		delete(b.places, h)
	}
}

// count records that a holder has one more place or one less.
func (b *Budget[Holder]) count(h Holder, before, now int) {
	if delete(b.having[before], h); len(b.having[before]) == 0 {
		delete(b.having, before)
	}
	if now > 0 {
		if b.having[now] == nil {
			b.having[now] = map[Holder]struct{}{}
		}
		b.having[now][h] = struct{}{}
	}
	if now > b.most || b.having[b.most] == nil {
		b.most = now
	}
}

// Address is the holder for an IP address: the address itself or, for IPv6, its /56, which is what a household is
// assigned (RIPE-690 §4.2) and whose addresses it may use freely.
func Address(ip netip.Addr) netip.Prefix {
	ip, bits := ip.Unmap().WithZone(""), 56
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
