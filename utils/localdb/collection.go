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
	found, err := c.read(ctx, q)
	if err != nil {
		return nil, err
	}
	documents := make([]any, len(found))
	for i, raw := range found {
		documents[i] = raw
	}
	return mongo.NewCursorFromDocuments(documents, nil, nil)
}

// Each calls visit with every document that matches, in order, and ends with the first error that it returns. The bytes
// are good during the call. They are read at once, in one moment of the database, so visit may read and write there.
func (c *Collection) Each(ctx context.Context, filter any, visit func(bson.Raw) error, opts ...options.Lister[options.FindOptions]) error {
	q, err := newQuery(filter, opts)
	if err != nil {
		return err
	}
	found, err := c.read(ctx, q)
	if err != nil {
		return err
	}
	for _, raw := range found {
		if err := visit(raw); err != nil {
			return err
		}
	}
	return nil
}

// read returns the answer to a query, in one piece of memory: the file's own bytes end with the transaction, or with the
// next write in it.
func (c *Collection) read(ctx context.Context, q *query) ([]bson.Raw, error) {
	var found []bson.Raw
	err := c.db.view(ctx, func(tx *bbolt.Tx) error {
		size := 0
		err := c.find(ctx, tx, q, func(h hit) {
			found = append(found, h.raw)
			size += len(h.raw)
		})
		all := make([]byte, 0, size)
		for i, raw := range found {
			start := len(all)
			all = q.project(all, raw)
			found[i] = all[start:len(all):len(all)]
		}
		return err
	})
	return found, err
}

// FindOne returns the first document that matches; mongo.ErrNoDocuments comes from the result's Err and Decode.
func (c *Collection) FindOne(ctx context.Context, filter any, opts ...options.Lister[options.FindOneOptions]) *mongo.SingleResult {
	return single(c.FindOneRaw(ctx, filter, opts...))
}

// FindOneRaw is FindOne that returns the document's bytes, which are the caller's, or mongo.ErrNoDocuments.
func (c *Collection) FindOneRaw(ctx context.Context, filter any, opts ...options.Lister[options.FindOneOptions]) (bson.Raw, error) {
	q, err := newQuery(filter, opts)
	if err != nil {
		return nil, err
	}
	q.limit = 1
	found, err := c.read(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, mongo.ErrNoDocuments
	}
	return found[0], nil
}

// single wraps one document, or an error.
func single(raw bson.Raw, err error) *mongo.SingleResult {
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
