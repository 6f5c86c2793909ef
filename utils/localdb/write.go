package localdb

import (
	"bytes"
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// deleteChunk is how many documents DeleteMany and the sweeper remove at a time, so that other writers get their turn.
const deleteChunk = 200

// InsertOne stores a document, with a new ObjectID when it has no _id.
func (c *Collection) InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	if _, err := resolve(opts); err != nil {
		return nil, err
	}
	doc, err := accept(document)
	if err != nil {
		return nil, err
	}
	var raw []byte
	err = c.db.write(ctx, func(w *writeTx) (err error) {
		raw, err = c.insert(w, doc)
		return err
	})
	if err != nil {
		return nil, writeError(err)
	}
	id, err := idOf(raw)
	return &mongo.InsertOneResult{InsertedID: id, Acknowledged: true}, err
}

// UpdateOne updates the first document that matches, or with upsert inserts one.
func (c *Collection) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.limit = 1
	return c.update(ctx, q, update)
}

// UpdateMany updates every document that matches, all or none.
func (c *Collection) UpdateMany(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	return c.update(ctx, q, update)
}

func (c *Collection) update(ctx context.Context, q *query, v any) (*mongo.UpdateResult, error) {
	u, err := newUpdate(v)
	if err != nil {
		return nil, err
	}
	done, err := c.change(ctx, q, u)
	if err != nil {
		return nil, writeError(err)
	}
	result := &mongo.UpdateResult{Acknowledged: true, MatchedCount: done.matched, ModifiedCount: done.modified}
	if done.upserted {
		result.UpsertedCount = 1
		result.UpsertedID, err = idOf(done.after)
	}
	return result, err
}

// FindOneAndUpdate updates the first document that matches, and returns it as it was or, on demand, as it is now. The
// finding and the update are one: of any number of callers with the same filter on the old state, one wins.
func (c *Collection) FindOneAndUpdate(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	q, err := newQuery(filter, opts)
	if err != nil {
		return single(nil, err)
	}
	u, err := newUpdate(update)
	if err != nil {
		return single(nil, err)
	}
	return c.changeOne(ctx, q, u)
}

// FindOneAndDelete removes the first document that matches and returns it.
func (c *Collection) FindOneAndDelete(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult {
	q, err := newQuery(filter, opts)
	if err != nil {
		return single(nil, err)
	}
	q.remove = true
	return c.changeOne(ctx, q, nil)
}

func (c *Collection) changeOne(ctx context.Context, q *query, u update) *mongo.SingleResult {
	q.limit = 1
	done, err := c.change(ctx, q, u)
	if err != nil {
		return single(nil, commandError(err))
	}
	raw := done.before
	if q.after {
		raw = done.after
	}
	if raw == nil {
		return single(nil, nil)
	}
	return single(q.project(raw), nil)
}

// DeleteOne removes one document that matches.
func (c *Collection) DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.limit, q.remove = 1, true
	done, err := c.change(ctx, q, nil)
	if err != nil {
		return nil, writeError(err)
	}
	return &mongo.DeleteResult{DeletedCount: done.matched, Acknowledged: true}, nil
}

// DeleteMany removes every document that matches, in chunks between which others may write. An error may leave the
// rest undeleted, as in MongoDB.
func (c *Collection) DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.limit, q.remove = deleteChunk, true
	result := &mongo.DeleteResult{Acknowledged: true}
	for {
		done, err := c.change(ctx, q, nil)
		if err != nil {
			return result, writeError(err)
		}
		result.DeletedCount += done.matched
		if done.matched < deleteChunk {
			return result, nil
		}
	}
}

// outcome is what a change did, and the bytes of the last document before and after it.
type outcome struct {
	matched, modified int64
	upserted          bool
	before, after     []byte
}

// change updates the documents that match, or removes them, in one transaction.
func (c *Collection) change(ctx context.Context, q *query, u update) (done outcome, err error) {
	err = c.db.write(ctx, func(w *writeTx) error {
		done = outcome{}
		hits, err := c.collect(w, q)
		if err != nil {
			return err
		}
		if len(hits) == 0 && q.upsert {
			doc, err := u.inserted(q.filter)
			if err != nil {
				return err
			}
			done.upserted = true
			done.after, err = c.insert(w, doc)
			return err
		}
		for _, h := range hits {
			if err := c.changeHit(w, q, u, h, &done); err != nil {
				return err
			}
		}
		return nil
	})
	return done, err
}

func (c *Collection) changeHit(w *writeTx, q *query, u update, h hit, done *outcome) error {
	done.matched++
	done.before = h.raw
	after := missing
	if !q.remove {
		var err error
		after, err = u.apply(document(h.raw), false)
		done.after = after.Data
		if err != nil || bytes.Equal(after.Data, h.raw) {
			return err
		}
	}
	done.modified++
	return c.store(w, h.id, document(h.raw), after, u)
}
