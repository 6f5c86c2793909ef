package localdb

import (
	"context"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
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
		if err := c.find(ctx, tx, q, func(h hit) { found = append(found, q.project(h.raw)) }); err != nil {
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
	result := single(nil, nil)
	err = c.db.view(ctx, func(tx *bbolt.Tx) error {
		return c.find(ctx, tx, q, func(h hit) {
			result = single(q.project(h.raw), nil) // copies: the bytes end with the transaction
		})
	})
	if err != nil {
		return single(nil, err)
	}
	return result
}

// single wraps one document, an error, or, where both are nil, the absence of a document.
func single(raw bson.Raw, err error) *mongo.SingleResult {
	if err == nil && raw == nil {
		err = mongo.ErrNoDocuments
	}
	if err != nil {
		return mongo.NewSingleResultFromDocument(bson.D{}, err, nil)
	}
	return mongo.NewSingleResultFromDocument(raw, nil, nil)
}

// CountDocuments counts the documents that match.
func (c *Collection) CountDocuments(ctx context.Context, filter any, opts ...options.Lister[options.CountOptions]) (n int64, err error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return 0, err
	}
	err = c.db.view(ctx, func(tx *bbolt.Tx) error {
		n, err = c.count(ctx, tx, q)
		return err
	})
	return n, err
}
