package ratelimit

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// Memory remembers when buckets are full again, of a bounded number of keys, at 16 bytes each, however long the keys are.
type Memory struct {
	most int
	seed maphash.Seed

	mu   sync.Mutex
	full map[uint64]int64 // by the key's hash, in ns
}

// NewMemory makes a Memory of at most so many keys.
func NewMemory(most int) *Memory {
	return &Memory{most: most, seed: maphash.MakeSeed(), full: map[uint64]int64{}}
}

// Get is when the key's bucket is full again: the zero time if nothing is known of it.
func (m *Memory) Get(key string) time.Time {
	hash := maphash.String(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if full, known := m.full[hash]; known {
		return time.Unix(0, full)
	}
	return time.Time{}
}

// Put remembers when the key's bucket is full again. One that is full now needs no memory.
func (m *Memory) Put(key string, full, now time.Time) {
	hash := maphash.String(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !full.After(now) {
		delete(m.full, hash)
		return
	}
	if _, known := m.full[hash]; !known {
		m.makeRoom(now.UnixNano())
	}
	m.full[hash] = full.UnixNano()
}

// Forget forgets the key.
func (m *Memory) Forget(key string) {
	hash := maphash.String(m.seed, key)
	m.mu.Lock()
	delete(m.full, hash)
	m.mu.Unlock()
}

// looked is how many buckets are looked at to let one go.
const looked = 8

// makeRoom keeps the memory bounded. Of a few buckets those that are full again go, which loses nothing, or else the
// fullest. A flood of new keys therefore pushes out other new keys: inventing keys doesn't get rid of a bucket that has
// been emptied, as it would if the oldest went.
func (m *Memory) makeRoom(now int64) {
	if len(m.full) < m.most {
		return
	}
	fullest, least, n := uint64(0), int64(math.MaxInt64), 0
	for hash, full := range m.full { // from a random place on
		if full <= now {
			delete(m.full, hash)
		}
		if full < least {
			fullest, least = hash, full
		}
		if n++; n == looked {
			break
		}
	}
	delete(m.full, fullest)
}
