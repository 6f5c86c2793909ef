package localdb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// FindOneAndUpdate updates the first document that matches, and returns it as it was or, on demand, as it is now. The
// finding and the update are one: of any number of callers with the same filter on the old state, one wins.
func (c *Collection) FindOneAndUpdate(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	args, err := resolve(opts, "Sort", "Projection", "Upsert", "ReturnDocument", "ArrayFilters")
	if err != nil {
		return single(nil, err)
	}
	q, err := newQuery(filter, args.Sort, 1)
	if err != nil {
		return single(nil, err)
	}
	u, err := newUpdate(update, args.ArrayFilters)
	if err != nil {
		return single(nil, err)
	}
	p, err := newProjection(args.Projection)
	if err != nil {
		return single(nil, err)
	}
	var before, after []byte
	err = c.run(ctx, func(w *writeTx) error {
		before, after = nil, nil
		hits, err := c.collect(w, q)
		if err != nil {
			return err
		}
		if len(hits) > 0 {
			before = hits[0].raw
			after, _, err = c.updateHit(w, q, u, hits[0])
			return err
		}
		if args.Upsert != nil && *args.Upsert {
			after, err = c.upsert(w, q, u)
		}
		return err
	})
	if args.ReturnDocument != nil && *args.ReturnDocument == options.After {
		before = after
	}
	return modified(before, p, err)
}

// FindOneAndDelete removes the first document that matches and returns it.
func (c *Collection) FindOneAndDelete(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult {
	args, err := resolve(opts, "Sort", "Projection")
	if err != nil {
		return single(nil, err)
	}
	q, err := newQuery(filter, args.Sort, 1)
	if err != nil {
		return single(nil, err)
	}
	p, err := newProjection(args.Projection)
	if err != nil {
		return single(nil, err)
	}
	var before []byte
	err = c.run(ctx, func(w *writeTx) error {
		before = nil
		hits, err := c.collect(w, q)
		if err != nil || len(hits) == 0 {
			return err
		}
		before = hits[0].raw
		return c.remove(w, hits[0])
	})
	return modified(before, p, err)
}

func modified(raw []byte, p *projection, err error) *mongo.SingleResult {
	if err != nil || raw == nil {
		return single(nil, commandError(err))
	}
	raw, err = project(raw, p)
	return single(raw, err)
}
