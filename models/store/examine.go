package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MissingIndexes returns the indexes that Prepare would make, as "kind index", and whether there are none at all yet,
// as in a database that was never prepared. It changes nothing.
func (db *DB) MissingIndexes(ctx context.Context) (missing []string, empty bool, err error) {
	empty = true
	for _, k := range db.kinds {
		have, err := db.engine.indexNames(ctx, k.Name)
		if err != nil {
			return nil, false, translate(err)
		}
		for _, index := range k.Indexes {
			name := indexName(index.Keys.(bson.D))
			if slices.Contains(have, name) {
				empty = false
			} else {
				missing = append(missing, k.Name+" "+name)
			}
		}
	}
	return missing, empty, nil
}

// indexName is the name that both engines give an index with these keys.
func indexName(keys bson.D) string {
	var parts []string
	for _, key := range keys {
		parts = append(parts, fmt.Sprintf("%s_%v", key.Key, key.Value))
	}
	return strings.Join(parts, "_")
}

// ServerTime is the time by MongoDB's clock, or zero if this machine's is the only clock.
func (db *DB) ServerTime(ctx context.Context) (time.Time, error) {
	now, err := db.engine.time(ctx)
	return now, translate(err)
}
