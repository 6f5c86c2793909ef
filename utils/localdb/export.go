package localdb

import (
	"context"
	"strings"

	"go.etcd.io/bbolt"

	bson2 "go.mongodb.org/mongo-driver/v2/bson"
)

// Names lists the file's collections, sorted by name.
func (d *DB) Names(ctx context.Context) (names []string, err error) {
	err = d.view(ctx, func(tx *bbolt.Tx) error {
		return tx.ForEach(func(bucket []byte, _ *bbolt.Bucket) error {
			if name, isDocs := strings.CutPrefix(string(bucket), "docs/"); isDocs {
				names = append(names, name)
			}
			return nil
		})
	})
	return names, err
}

// Batches visits all documents, up to n at a time, in one consistent state. The bytes are valid until visit returns.
// visit must not call the database: a write that has to wait for this read would deadlock.
func (c *Collection) Batches(ctx context.Context, n int, visit func([]bson2.Raw) error) error {
	if err := c.db.outside(ctx, "Batches"); err != nil {
		return err
	}
	return c.db.view(ctx, func(tx *bbolt.Tx) error {
		docs := tx.Bucket(c.docs)
		if docs == nil {
			return nil
		}
		var batch []bson2.Raw
		err := docs.ForEach(func(_, raw []byte) error {
			if len(batch) == n {
				if err := visit(batch); err != nil {
					return err
				}
				batch = batch[:0]
			}
			batch = append(batch, raw)
			return nil
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		return visit(batch)
	})
}
