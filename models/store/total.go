package store

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Total counts the documents that match, and adds up some of their number fields. It reads all of them in one query,
// and keeps none in memory.
func (d *Documents[T]) Total(ctx context.Context, filter bson.D, fields ...string) (n int64, sums []int64, err error) {
	sums = make([]int64, len(fields))
	err = d.kind.Each(ctx, d.kind.live(filter), func(raw bson.Raw) error {
		n++
		for i, field := range fields {
			value, _ := raw.Lookup(field).AsInt64OK()
			sums[i] += value
		}
		return nil
	}, options.Find().SetProjection(keys(fields...)))
	return n, sums, translate(err)
}
