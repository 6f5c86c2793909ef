// Package budget bounds how many of something are held at once: connections, requests, event streams. A place is taken
// before the work and given back after it. Nobody waits for one.
//
// Does not belong here: how often something may be done (utils/ratelimit), and what the bounds are.
package budget

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
)

// Why there was no place.
var (
	ErrHolder = errors.New("this holder has as many as one may have")
	ErrFull   = errors.New("there is no place left")
)

// Budget is how many may be held at once, by each holder and in all.
//
// When all places are taken, somebody who has few gets one of somebody who has many: one who has the most, and at least two
// more. So the places are shared evenly among those who want them, whoever came first. Bounds alone don't keep a place for
// newcomers: a hundred holders who take as many as they may are enough to fill anything.
type Budget[Holder comparable] struct {
	each, all int

	mu     sync.Mutex
	total  int
	places map[Holder]*list.List       // of each holder, the oldest first; an element is the function that ends it
	having map[int]map[Holder]struct{} // the holders by how many they have
	most   int                         // that a holder has
}

// New makes a budget of so many for each holder, and so many in all.
func New[Holder comparable](each, all int) *Budget[Holder] {
	return &Budget[Holder]{each: each, all: all, places: map[Holder]*list.List{}, having: map[int]map[Holder]struct{}{}}
}

// Take takes a place for a holder. If it is needed for somebody else, end is called, and the place is lost. The function that
// gives it back may be called more than once, and after that.
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

// TakeForAll takes a place that nobody in particular holds, such as that of a proxy that speaks for many. It isn't lost to
// others.
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

// makeRoom makes sure that there is a place for somebody who has so many. What ends the one who loses it is called when the
// budget is no longer locked.
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

// remove removes a place, unless that has been done.
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

// count notes that a holder has one more or one less.
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

// Address is who holds what comes from an IP address: the address itself, but of IPv6 a /56, which is what a household is
// given (RIPE-690 §4.2), and from which it may use any address.
func Address(ip netip.Addr) netip.Prefix {
	ip, bits := ip.Unmap().WithZone(""), 56
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
