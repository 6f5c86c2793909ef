package localdb

import (
	"context"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	bson2 "go.mongodb.org/mongo-driver/v2/bson"
)

// Collection has the methods of the driver's collection that models use. Get one from DB.Collection.
type Collection struct {
	db      *DB
	name    string
	docs    []byte // the bucket of the documents
	primary *index
	indexes atomic.Pointer[[]*index]
}

// Find returns the documents that match. They are read at once, in one moment of the database.
func (c *Collection) Find(ctx context.Context, filter any, opts ...options.Lister[options.FindOptions]) (*mongo.Cursor, error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	var cursor *mongo.Cursor
	err = c.db.view(ctx, func(tx *bbolt.Tx) error {
		var found []any
		err := c.find(ctx, tx, q, func(h hit) error {
			raw, err := project(h.raw, q.projection)
			found = append(found, bson2.Raw(raw))
			return err
		})
		if err != nil {
			return err
		}
		cursor, err = mongo.NewCursorFromDocuments(found, nil, nil) // copies: the bytes end with the transaction
		return err
	})
	return cursor, err
}

// FindOne returns the first document that matches; mongo.ErrNoDocuments comes from the result's Err and Decode.
func (c *Collection) FindOne(ctx context.Context, filter any, opts ...options.Lister[options.FindOneOptions]) *mongo.SingleResult {
	q, err := newQuery(filter, opts)
	if err != nil {
		return single(nil, err)
	}
	q.limit = 1
	var result *mongo.SingleResult
	err = c.db.view(ctx, func(tx *bbolt.Tx) error {
		return c.find(ctx, tx, q, func(h hit) error {
			raw, err := project(h.raw, q.projection)
			result = single(raw, err) // copies: the bytes end with the transaction
			return err
		})
	})
	if err != nil || result == nil {
		return single(nil, err)
	}
	return result
}

// CountDocuments counts the documents that match. Where an index covers the filter, no document is read.
func (c *Collection) CountDocuments(ctx context.Context, filter any, opts ...options.Lister[options.CountOptions]) (int64, error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return 0, err
	}
	var n int64
	err = c.db.view(ctx, func(tx *bbolt.Tx) error {
		n, err = c.count(ctx, tx, q)
		return err
	})
	return n, err
}

func (c *Collection) count(ctx context.Context, tx *bbolt.Tx, q *query) (n int64, err error) {
	p := c.choose(tx, q)
	if !p.covers() {
		err = c.find(ctx, tx, q, func(hit) error {
			n++
			return nil
		})
		return n, err
	}
	err = p.ids(tx, false, func(_, _ []byte) (bool, error) {
		n++
		if n%4096 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		return q.limit == 0 || n < int64(q.limit), nil
	})
	return n, err
}

// single wraps one document, an error, or, where both are nil, the absence of a document.
func single(raw []byte, err error) *mongo.SingleResult {
	if err == nil && raw == nil {
		err = mongo.ErrNoDocuments
	}
	if err != nil {
		return mongo.NewSingleResultFromDocument(bson2.D{}, err, nil)
	}
	return mongo.NewSingleResultFromDocument(bson2.Raw(raw), nil, nil)
}
