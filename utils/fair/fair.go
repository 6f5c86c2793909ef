// Package fair shares a few places for costly work among those who ask for one, so that nobody gets more than their share
// while others wait, however often they ask.
//
// Does not belong here: what the work is, and who counts as one (the callers say).
package fair

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrFull is returned to those for whom there is no room to wait.
var ErrFull = errors.New("too many are waiting")

// Places are what is shared. Those who wait are served in the order of their turns (start-time fair queueing): who has
// nobody of their own waiting is next, who has one waiting is after that one and after everybody's first, and so on.
type Places struct {
	most int // may wait

	mu      sync.Mutex
	free    int
	turn    int // of the one that got a place last
	waiting []*waiter
}

type waiter struct {
	of     []string
	turn   int
	result chan error
}

// New makes so many places, for which at most so many can wait.
func New(places, waiting int) *Places { return &Places{free: places, most: waiting} }

// Take waits for a place, and returns what gives it back. What is asked for counts for each of the names in "of": a
// network, an account. It fails with ErrFull where there is no room to wait, at once or when somebody with a better claim
// comes, and with the context's error as soon as that ends: a client that is gone waits for nothing.
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
		err = <-w.result // it came at the same moment
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

// Waiting is how many wait at this moment.
func (p *Places) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// queue gives one who asks a place or a turn.
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

// turnOf is the turn after all those that count for one of the same names.
func (p *Places) turnOf(of []string) int {
	last := p.turn
	for _, w := range p.waiting {
		if w.turn > last && slices.ContainsFunc(w.of, func(name string) bool { return slices.Contains(of, name) }) {
			last = w.turn
		}
	}
	return last + 1
}

// pushOut refuses the last of those who wait, if their turn comes after this one: whoever fills the queue keeps nobody else
// out of it.
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

// leave takes one out of the queue who is in it.
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

// next passes a place on to the one whose turn it is.
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
