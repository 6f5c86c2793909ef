package ratelimit

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// Memory holds the times when buckets are full again, for a bounded number of keys, at 16 bytes each, however long the
// keys are.
type Memory struct {
	most int
	seed maphash.Seed

	mu   sync.Mutex
	full map[uint64]int64 // by the key's hash, in ns
}

// NewMemory makes a Memory for at most this many keys.
func NewMemory(most int) *Memory {
	return &Memory{most: most, seed: maphash.MakeSeed(), full: map[uint64]int64{}}
}

// Get is when the key's bucket is full again: the zero time if the key is unknown.
func (m *Memory) Get(key string) time.Time {
	hash := maphash.String(m.seed, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if full, known := m.full[hash]; known {
		return time.Unix(0, full)
	}
	return time.Time{}
}

// Put stores when the key's bucket is full again. A bucket that is already full isn't stored.
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

// Forget removes the key.
func (m *Memory) Forget(key string) {
	hash := maphash.String(m.seed, key)
	m.mu.Lock()
	delete(m.full, hash)
	m.mu.Unlock()
}

// looked is how many buckets are examined to evict one.
const looked = 8

// makeRoom keeps the memory bounded. Of a few random buckets, it evicts those that are full again, which loses nothing,
// or else the fullest. So a flood of new keys evicts other new keys: inventing keys doesn't evict an exhausted bucket,
// as it would if the oldest were evicted.
func (m *Memory) makeRoom(now int64) {
	if len(m.full) < m.most {
		return
	}
	fullest, least, n := uint64(0), int64(math.MaxInt64), 0
	for hash, full := range m.full { // starts at a random place
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
