package ratelimit

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// Limiter keeps the buckets of one limit in this process, one a key.
type Limiter struct {
	limit Limit
	most  int
	now   func() time.Time
	seed  maphash.Seed

	mu   sync.Mutex
	full map[uint64]int64 // by the key's hash: when the bucket is full again, in ns
}

// New makes a Limiter that remembers at most so many keys, at 16 bytes each,
// however long the keys are.
func New(limit Limit, most int, now func() time.Time) *Limiter {
	return &Limiter{limit: limit, most: most, now: now, seed: maphash.MakeSeed(), full: map[uint64]int64{}}
}

// Take takes one out of the key's bucket.
func (l *Limiter) Take(key string) State {
	hash, now := maphash.String(l.seed, key), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	was, known := l.full[hash]
	if !known {
		was = now.UnixNano()
		l.makeRoom(was)
	}
	full, state := l.limit.Take(time.Unix(0, was), now)
	l.full[hash] = full.UnixNano()
	return state
}

// Look is what Take would answer, with nothing taken.
func (l *Limiter) Look(key string) State {
	hash, now := maphash.String(l.seed, key), l.now()
	l.mu.Lock()
	full := time.Unix(0, l.full[hash])
	l.mu.Unlock()
	_, would := l.limit.Take(full, now)
	return l.limit.At(full, now, would.OK)
}

// looked is how many buckets are looked at to let one go.
const looked = 8

// makeRoom keeps the memory bounded. Of a few buckets those that are full again
// go, which loses nothing, or else the fullest. A flood of new keys therefore
// pushes out other new keys: nobody gets rid of a bucket he has emptied by
// inventing keys, as he would if the oldest went.
func (l *Limiter) makeRoom(now int64) {
	if len(l.full) < l.most {
		return
	}
	fullest, least, n := uint64(0), int64(math.MaxInt64), 0
	for hash, full := range l.full { // from a random place on
		if full <= now {
			delete(l.full, hash)
		}
		if full < least {
			fullest, least = hash, full
		}
		if n++; n == looked {
			break
		}
	}
	delete(l.full, fullest)
}
