package localdb

import (
	"context"
	"time"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// sweeper removes expired documents about once a minute. Until then they are visible, as in MongoDB.
func (d *DB) sweeper(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = d.Sweep(ctx) // whatever couldn't be removed is tried again in a minute
		}
	}
}

// Sweep removes all documents that have expired by a TTL index, in chunks between which others may write.
func (d *DB) Sweep(ctx context.Context) error {
	if err := d.outside(ctx, "Sweep"); err != nil {
		return err
	}
	for _, c := range d.all() {
		var indexes []*index
		err := d.view(ctx, func(tx *bbolt.Tx) error {
			indexes = c.indexesIn(tx) // nothing expires by an index whose creation is not committed, or failed
			return nil
		})
		if err != nil {
			return err
		}
		for _, x := range indexes {
			if x.TTL == nil {
				continue
			}
			if err := c.sweep(ctx, x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Collection) sweep(ctx context.Context, x *index) error {
	latest := c.db.clock().Add(-time.Duration(*x.TTL) * time.Second)
	_, err := c.DeleteMany(ctx, bson.D{{Key: x.Columns[0].Path, Value: bson.D{{Key: "$lte", Value: latest}}}})
	return err
}
