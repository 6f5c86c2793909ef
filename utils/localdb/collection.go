package localdb

import (
	"context"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Collection has the driver collection's methods that the models use. Get one from DB.Collection.
type Collection struct {
	db      *DB
	name    string
	docs    []byte // the bucket of the documents
	primary *index
	indexes atomic.Pointer[[]*index]
}

// Find returns the matching documents. They are all read immediately, from one consistent state of the database.
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

// Each calls visit with every matching document, in order, and stops at the first error it returns. The bytes are only
// valid during the call. All documents are read up front, from one consistent state, so visit may itself read and
// write.
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

// read returns the result of a query, copied into one piece of memory: the file's own bytes are only valid until the
// end of the transaction, or until the next write in it.
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

// FindOne returns the first matching document; the result's Err and Decode return mongo.ErrNoDocuments if there is
// none.
func (c *Collection) FindOne(ctx context.Context, filter any, opts ...options.Lister[options.FindOneOptions]) *mongo.SingleResult {
	return single(c.FindOneRaw(ctx, filter, opts...))
}

// FindOneRaw is like FindOne, but returns the document's bytes, which the caller owns, or mongo.ErrNoDocuments.
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

// CountDocuments counts the matching documents.
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
