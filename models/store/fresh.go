package store

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type freshKey struct{}

// freshness is what a Fresh context knows.
type freshness struct {
	until time.Time

	mu      sync.Mutex
	renewed map[copied]bool
}

// copied names a copy that a process keeps.
type copied struct {
	kind string
	id   bson.ObjectID
}

// Fresh is the context for a request that must see what another process has just changed. Until the given time, its
// first read of each document passes the copies that this process keeps, and renews them for everybody. It ends by
// itself, so that a stream that goes on for hours doesn't read past the copies for as long.
func Fresh(ctx context.Context, until time.Time) context.Context {
	return context.WithValue(ctx, freshKey{}, &freshness{until: until, renewed: map[copied]bool{}})
}

// toRenew are those of the documents whose copies the context must not be given.
func (k *kind) toRenew(ctx context.Context, ids ...bson.ObjectID) []bson.ObjectID {
	if !k.db.Shared() {
		return nil // nobody else changes anything
	}
	f, _ := ctx.Value(freshKey{}).(*freshness)
	if f == nil || !k.db.Now().Before(f.until) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id bson.ObjectID) bool {
		before := f.renewed[copied{k.Name, id}]
		f.renewed[copied{k.Name, id}] = true
		return before
	})
}
