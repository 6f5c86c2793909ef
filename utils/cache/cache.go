// Package cache keeps loaded values for a short while, and never after they are reported as changed.
package cache

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Cache holds values by key, each for at most its time to live.
type Cache[K comparable, V any] struct {
	ttl  time.Duration
	size int
	now  func() time.Time

	mu      sync.RWMutex
	entries map[K]entry[V]
	drops   uint64

	hits, misses atomic.Int64
}

// sweeps is how many entries are checked for each one that is added.
const sweeps = 4

type entry[V any] struct {
	value V
	until time.Time
}

// New makes a cache for at most size entries.
func New[K comparable, V any](ttl time.Duration, size int, now func() time.Time) *Cache[K, V] {
	return &Cache[K, V]{ttl: ttl, size: size, now: now, entries: map[K]entry[V]{}}
}

// Get returns the value of key, calling load if there is none.
func (c *Cache[K, V]) Get(key K, load func() (V, error)) (V, error) {
	c.mu.RLock()
	e, ok := c.entries[key]
	c.mu.RUnlock()
	if ok && c.now().Before(e.until) {
		c.hits.Add(1)
		return e.value, nil
	}
	return c.Renew(key, load)
}

// Renew is Get past the cache: it always calls load. The result is cached only if nothing was dropped since the call
// began: otherwise it may be older than the change, and would bring back what was just revoked.
func (c *Cache[K, V]) Renew(key K, load func() (V, error)) (V, error) {
	fill := c.begin()
	c.misses.Add(1)
	value, err := load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.keep(key, value, fill)
	} else {
		delete(c.entries, key)
	}
	return value, err
}

// fill is when values were requested: they may be that old.
type fill struct {
	drops uint64
	until time.Time
}

func (c *Cache[K, V]) begin() fill {
	until := c.now().Add(c.ttl)
	c.mu.RLock()
	defer c.mu.RUnlock()
	return fill{c.drops, until}
}

func (c *Cache[K, V]) keep(key K, value V, f fill) {
	if e, is := c.entries[key]; is && e.until.After(f.until) {
		return // a later request was faster
	}
	delete(c.entries, key)
	if c.drops == f.drops {
		c.sweep()
		c.makeRoom()
		c.entries[key] = entry[V]{value, f.until}
	}
}

// GetAll returns the values of keys, calling load for the missing ones. What load doesn't return is missing from the
// result too.
func (c *Cache[K, V]) GetAll(keys []K, load func(missing []K) (map[K]V, error)) (map[K]V, error) {
	found := make(map[K]V, len(keys))
	var missing []K
	now := c.now()
	c.mu.RLock()
	for _, key := range keys {
		if _, again := found[key]; again {
			continue
		}
		if e, ok := c.entries[key]; ok && now.Before(e.until) {
			found[key] = e.value
		} else if !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	c.mu.RUnlock()
	c.hits.Add(int64(len(found)))
	if len(missing) == 0 {
		return found, nil
	}
	loaded, err := c.RenewAll(missing, load)
	if err != nil {
		return nil, err
	}
	maps.Copy(found, loaded)
	return found, nil
}

// RenewAll is Renew for several values at once.
func (c *Cache[K, V]) RenewAll(keys []K, load func(keys []K) (map[K]V, error)) (map[K]V, error) {
	fill := c.begin()
	c.misses.Add(int64(len(keys)))
	loaded, err := load(keys)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		if value, is := loaded[key]; is && err == nil {
			c.keep(key, value, fill)
		} else {
			delete(c.entries, key)
		}
	}
	return loaded, err
}

// Use returns how many values were cached, and how many had to be loaded.
func (c *Cache[K, V]) Use() (hits, misses int64) { return c.hits.Load(), c.misses.Load() }

// Drop evicts these keys immediately.
func (c *Cache[K, V]) Drop(keys ...K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	for _, key := range keys {
		delete(c.entries, key)
	}
}

// sweep checks a few entries for each one that is added, and evicts expired ones: they stay few, however large the
// cache may become.
func (c *Cache[K, V]) sweep() {
	now, looked := c.now(), 0
	for key, e := range c.entries {
		if !now.Before(e.until) {
			delete(c.entries, key)
		}
		if looked++; looked == sweeps {
			return
		}
	}
}

// makeRoom keeps the memory bounded: a full cache evicts an arbitrary entry, which costs one additional read.
func (c *Cache[K, V]) makeRoom() {
	for key := range c.entries {
		if len(c.entries) < c.size {
			return
		}
		delete(c.entries, key)
	}
}
