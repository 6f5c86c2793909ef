package ratelimit

import (
	"sync"
	"time"
)

// Limiter holds the in-process buckets of one limit, one per key.
type Limiter struct {
	limit Limit
	now   func() time.Time

	mu   sync.Mutex
	full *Memory
}

// New makes a Limiter that tracks at most this many keys.
func New(limit Limit, most int, now func() time.Time) *Limiter {
	return &Limiter{limit: limit, now: now, full: NewMemory(most)}
}

// Take takes one from the key's bucket.
func (l *Limiter) Take(key string) State {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	full, state := l.limit.Take(l.full.Get(key), now)
	l.full.Put(key, full, now)
	return state
}

// GiveBack returns what Take took.
func (l *Limiter) GiveBack(key string) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full.Put(key, l.limit.GiveBack(l.full.Get(key)), now)
}

// Look is the result that Take would return, without taking anything.
func (l *Limiter) Look(key string) State {
	now := l.now()
	full := l.full.Get(key)
	_, would := l.limit.Take(full, now)
	return l.limit.At(full, now, would.OK)
}
