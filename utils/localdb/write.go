package localdb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// deleteChunk is how many documents DeleteMany and the sweeper remove at a time, so that other writers get their turn.
const deleteChunk = 200

// run queues a write that shares its transaction with others.
func (c *Collection) run(ctx context.Context, do func(*writeTx) error) error {
	return c.db.write(ctx, &operation{do: do})
}

// InsertOne stores a document, with a new ObjectID when it has no _id.
func (c *Collection) InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	if _, err := resolve(opts); err != nil {
		return nil, err
	}
	doc, err := accept(document)
	if err != nil {
		return nil, err
	}
	doc = idFirst(doc)
	var raw []byte
	err = c.run(ctx, func(w *writeTx) (err error) {
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
	args, err := resolve(opts, "Upsert", "ArrayFilters", "Sort")
	if err != nil {
		return nil, err
	}
	q, err := newQuery(filter, args.Sort, 1)
	if err != nil {
		return nil, err
	}
	u, err := newUpdate(update, args.ArrayFilters)
	if err != nil {
		return nil, err
	}
	return c.update(ctx, q, u, args.Upsert)
}

// UpdateMany updates every document that matches, all or none.
func (c *Collection) UpdateMany(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error) {
	args, err := resolve(opts, "Upsert", "ArrayFilters")
	if err != nil {
		return nil, err
	}
	q, err := newQuery(filter, nil, 0)
	if err != nil {
		return nil, err
	}
	u, err := newUpdate(update, args.ArrayFilters)
	if err != nil {
		return nil, err
	}
	return c.update(ctx, q, u, args.Upsert)
}

func (c *Collection) update(ctx context.Context, q *query, u *update, upsert *bool) (*mongo.UpdateResult, error) {
	var result *mongo.UpdateResult
	err := c.run(ctx, func(w *writeTx) error {
		result = &mongo.UpdateResult{Acknowledged: true}
		hits, err := c.collect(w, q)
		if err != nil {
			return err
		}
		if len(hits) == 0 && upsert != nil && *upsert {
			raw, err := c.upsert(w, q, u)
			if err != nil {
				return err
			}
			result.UpsertedCount = 1
			result.UpsertedID, err = idOf(raw)
			return err
		}
		for _, h := range hits {
			_, changed, err := c.updateHit(w, q, u, h)
			if err != nil {
				return err
			}
			result.MatchedCount++
			result.ModifiedCount += int64(flag(changed))
		}
		return nil
	})
	if err != nil {
		return nil, writeError(err)
	}
	return result, nil
}

func (c *Collection) updateHit(w *writeTx, q *query, u *update, h hit) (raw []byte, changed bool, err error) {
	doc, raw, changed, err := u.applied(h.raw, &q.filter)
	if err != nil || !changed {
		return raw, false, err
	}
	before, err := decode(h.raw)
	if err != nil {
		return nil, false, err
	}
	return raw, true, c.store(w, change{id: h.id, before: &before, after: &doc, raw: raw})
}

func (c *Collection) upsert(w *writeTx, q *query, u *update) ([]byte, error) {
	doc, err := u.upserted(&q.filter)
	if err != nil {
		return nil, err
	}
	return c.insert(w, idFirst(doc))
}

// DeleteOne removes one document that matches.
func (c *Collection) DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	if _, err := resolve(opts); err != nil {
		return nil, err
	}
	q, err := newQuery(filter, nil, 1)
	if err != nil {
		return nil, err
	}
	n, err := c.deleteSome(ctx, q)
	if err != nil {
		return nil, err
	}
	return &mongo.DeleteResult{DeletedCount: n, Acknowledged: true}, nil
}

// DeleteMany removes every document that matches, in chunks between which others may write. An error may leave the
// rest undeleted, as in MongoDB.
func (c *Collection) DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	if _, err := resolve(opts); err != nil {
		return nil, err
	}
	q, err := newQuery(filter, nil, deleteChunk)
	if err != nil {
		return nil, err
	}
	result := &mongo.DeleteResult{Acknowledged: true}
	for {
		n, err := c.deleteSome(ctx, q)
		result.DeletedCount += n
		if err != nil || n < deleteChunk {
			return result, err
		}
	}
}

func (c *Collection) deleteSome(ctx context.Context, q *query) (int64, error) {
	var n int64
	err := c.run(ctx, func(w *writeTx) error {
		hits, err := c.collect(w, q)
		n = int64(len(hits))
		for _, h := range hits {
			if err := c.remove(w, h); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		return 0, writeError(err)
	}
	return n, nil
}

// idFirst puts the _id in front, as MongoDB stores it, and makes one where there is none.
func idFirst(doc bson.D) bson.D {
	i := slices.IndexFunc(doc, func(e bson.E) bool { return e.Key == "_id" })
	if i == 0 {
		return doc
	}
	id := bson.E{Key: "_id", Value: primitive.NewObjectID()}
	if i > 0 {
		id = doc[i]
		doc = slices.Delete(doc, i, i+1)
	}
	return append(bson.D{id}, doc...)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
