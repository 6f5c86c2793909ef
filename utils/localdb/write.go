package localdb

import (
	"bytes"
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// deleteChunk is how many documents DeleteMany and the sweeper remove at a time, so that other writers get a turn.
const deleteChunk = 200

// InsertOne stores a document, with a new ObjectID if it has no _id.
func (c *Collection) InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (_ *mongo.InsertOneResult, err error) {
	defer c.spoil(ctx, &err)
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
		return writeError(err)
	})
	if err != nil {
		return nil, err
	}
	id, err := idOf(raw)
	return &mongo.InsertOneResult{InsertedID: id, Acknowledged: true}, err
}

// UpdateOne updates the first matching document, or inserts one with upsert.
func (c *Collection) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (_ *mongo.UpdateResult, err error) {
	defer c.spoil(ctx, &err)
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.limit = 1
	return c.update(ctx, q, update)
}

// UpdateMany updates all matching documents, or none.
func (c *Collection) UpdateMany(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (_ *mongo.UpdateResult, err error) {
	defer c.spoil(ctx, &err)
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
	done, err := c.change(ctx, q, u, writeError)
	if err != nil {
		return nil, err
	}
	result := &mongo.UpdateResult{Acknowledged: true, MatchedCount: done.matched, ModifiedCount: done.modified}
	if done.upserted {
		result.UpsertedCount = 1
		result.UpsertedID, err = idOf(done.after)
	}
	return result, err
}

// FindOneAndUpdate updates the first matching document, and returns it as it was or, on request, as it is now. Finding
// and updating are one atomic step: of several callers whose filter matches the old state, only one wins.
func (c *Collection) FindOneAndUpdate(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	return single(c.FindOneAndUpdateRaw(ctx, filter, update, opts...))
}

// FindOneAndUpdateRaw is like FindOneAndUpdate, but returns the document's bytes, which the caller owns, or
// mongo.ErrNoDocuments.
func (c *Collection) FindOneAndUpdateRaw(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) (_ bson.Raw, err error) {
	defer c.spoil(ctx, &err)
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	u, err := newUpdate(update)
	if err != nil {
		return nil, err
	}
	return c.changeOne(ctx, q, u)
}

// FindOneAndDelete removes the first matching document and returns it.
func (c *Collection) FindOneAndDelete(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult {
	return single(c.FindOneAndDeleteRaw(ctx, filter, opts...))
}

// FindOneAndDeleteRaw is like FindOneAndDelete, but returns the document's bytes, which the caller owns, or
// mongo.ErrNoDocuments.
func (c *Collection) FindOneAndDeleteRaw(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) (_ bson.Raw, err error) {
	defer c.spoil(ctx, &err)
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.remove = true
	return c.changeOne(ctx, q, nil)
}

func (c *Collection) changeOne(ctx context.Context, q *query, u update) (bson.Raw, error) {
	q.limit = 1
	done, err := c.change(ctx, q, u, commandError)
	if err != nil {
		return nil, err
	}
	raw := done.before
	if q.after {
		raw = done.after
	}
	if raw == nil {
		return nil, mongo.ErrNoDocuments
	}
	return q.project(nil, raw), nil // copies: a transaction that continues still holds what it stored
}

// DeleteOne removes one matching document.
func (c *Collection) DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (_ *mongo.DeleteResult, err error) {
	defer c.spoil(ctx, &err)
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.limit, q.remove = 1, true
	done, err := c.change(ctx, q, nil, writeError)
	if err != nil {
		return nil, err
	}
	return &mongo.DeleteResult{DeletedCount: done.matched, Acknowledged: true}, nil
}

// DeleteMany removes all matching documents, in chunks between which others may write. After an error, some may remain,
// as in MongoDB. In a transaction, all of them are removed or none.
func (c *Collection) DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (_ *mongo.DeleteResult, err error) {
	defer c.spoil(ctx, &err)
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.limit, q.remove = deleteChunk, true
	result := &mongo.DeleteResult{Acknowledged: true}
	for {
		done, err := c.change(ctx, q, nil, writeError)
		if err != nil {
			return result, err
		}
		result.DeletedCount += done.matched
		if done.matched < deleteChunk {
			return result, nil
		}
	}
}

// outcome is the result of a change, with the bytes of the last document before and after it.
type outcome struct {
	matched, modified int64
	upserted          bool
	before, after     []byte
}

// change updates or removes the matching documents in one transaction. typed converts errors to the driver's types.
func (c *Collection) change(ctx context.Context, q *query, u update, typed func(error) error) (done outcome, err error) {
	err = c.db.write(ctx, func(w *writeTx) error {
		done = outcome{}
		return typed(c.changeHits(w, q, u, &done))
	})
	return done, err
}

func (c *Collection) changeHits(w *writeTx, q *query, u update, done *outcome) error {
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
		if err := c.changeHit(w, q, u, h, done); err != nil {
			return err
		}
	}
	return nil
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
