package ratelimit

import (
	"sync"
	"time"
)

// Limiter keeps the buckets of one limit in this process, one for each key.
type Limiter struct {
	limit Limit
	now   func() time.Time

	mu   sync.Mutex
	full *Memory
}

// New makes a Limiter that remembers at most so many keys.
func New(limit Limit, most int, now func() time.Time) *Limiter {
	return &Limiter{limit: limit, now: now, full: NewMemory(most)}
}

// Take takes one out of the key's bucket.
func (l *Limiter) Take(key string) State {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	full, state := l.limit.Take(l.full.Get(key), now)
	l.full.Put(key, full, now)
	return state
}

// GiveBack puts back what Take took.
func (l *Limiter) GiveBack(key string) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full.Put(key, l.limit.GiveBack(l.full.Get(key)), now)
}

// Look is what Take would answer, with nothing taken.
func (l *Limiter) Look(key string) State {
	now := l.now()
	full := l.full.Get(key)
	_, would := l.limit.Take(full, now)
	return l.limit.At(full, now, would.OK)
}
