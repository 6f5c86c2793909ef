// Package fair distributes a few places for expensive work among those who request one, so that nobody gets more than
// their share while others wait, however often they ask.
//
// Does not belong here: what the work is, and who counts as one party (the callers decide).
package fair

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrFull is returned when the queue has no room.
var ErrFull = errors.New("too many are waiting")

// Places are the shared places. Requests are served in the order of their turns (start-time fair queueing): a party
// without a waiting request comes next; one that already has a request waiting comes after that one and after
// everybody's first request, and so on.
type Places struct {
	most int // may wait

	mu      sync.Mutex
	free    int
	turn    int // of the request that most recently got a place
	waiting []*waiter
}

type waiter struct {
	of     []string
	turn   int
	result chan error
}

// New makes this many places, with a queue of this length.
func New(places, waiting int) *Places { return &Places{free: places, most: waiting} }

// Take waits for a place, and returns a function that gives it back. The request counts for each of the names in "of":
// a network, an account. It fails with ErrFull if the queue has no room, either immediately or when a request with an
// earlier turn arrives, and with the context's error as soon as the context is cancelled: a disconnected client doesn't
// keep waiting.
func (p *Places) Take(ctx context.Context, of ...string) (giveBack func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := p.queue(of)
	if err != nil {
		return nil, err
	}
	select {
	case err = <-w.result:
	case <-ctx.Done():
		if p.leave(w) {
			return nil, ctx.Err()
		}
		err = <-w.result // it arrived at the same moment
	}
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		p.next()
		return nil, err
	}
	return sync.OnceFunc(p.next), nil
}

// Waiting is how many requests are waiting right now.
func (p *Places) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// queue gives a request either a place or a turn.
func (p *Places) queue(of []string) (*waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &waiter{of, p.turnOf(of), make(chan error, 1)}
	if p.free > 0 {
		p.free--
		w.result <- nil
		return w, nil
	}
	if len(p.waiting) >= p.most && !p.pushOut(w.turn) {
		return nil, ErrFull
	}
	p.waiting = append(p.waiting, w)
	return w, nil
}

// turnOf is the turn after all waiting requests that count for one of the same names.
func (p *Places) turnOf(of []string) int {
	last := p.turn
	for _, w := range p.waiting {
		if w.turn > last && slices.ContainsFunc(w.of, func(name string) bool { return slices.Contains(of, name) }) {
			last = w.turn
		}
	}
	return last + 1
}

// pushOut rejects the last request in the queue if its turn comes after the given one: so nobody can keep others out by
// filling the queue.
func (p *Places) pushOut(turn int) bool {
	last := -1
	for i, w := range p.waiting {
		if w.turn > turn {
			last, turn = i, w.turn
		}
	}
	if last < 0 {
		return false
	}
	p.waiting[last].result <- ErrFull
	p.waiting = slices.Delete(p.waiting, last, last+1)
	return true
}

// leave removes a request from the queue, if it is still in it.
func (p *Places) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, w)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return true
}

// next passes a place on to the request whose turn it is.
func (p *Places) next() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.free++
		return
	}
	first := 0
	for i, w := range p.waiting {
		if w.turn < p.waiting[first].turn {
			first = i
		}
	}
	w := p.waiting[first]
	p.turn = max(p.turn, w.turn)
	p.waiting = slices.Delete(p.waiting, first, first+1)
	w.result <- nil
}
