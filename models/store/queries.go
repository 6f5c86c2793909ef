package store

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"

	"tokentube/utils/apperr"
	"tokentube/utils/localdb"
)

// counting is a collection that counts the database calls, and measures them for an observer.
type counting struct {
	collection
	kind string
	db   *DB
}

// Observer is called after each database call, with the kind of documents, the operation, its duration, and the reason
// for a failure: empty if there was none, or one that says nothing about the database.
type Observer func(kind, operation, reason string, took time.Duration)

// everything is the kind of calls that concern documents of any kind.
const everything = "any"

// Observe makes o observe the database calls from now on.
func (db *DB) Observe(o Observer) { db.observer.Store(&o) }

// measure starts to measure a call. The function that it returns ends the measurement.
func (db *DB) measure(kind, operation string) func(error) {
	o := db.observer.Load()
	if o == nil {
		return func(error) {}
	}
	start := time.Now()
	return func(err error) { (*o)(kind, operation, reason(err), time.Since(start)) }
}

// reason says in a word why a call failed. Not found, a duplicate, or a client that disconnected is not a failure.
func reason(err error) string {
	switch {
	case err == nil, errors.Is(err, mongo.ErrNoDocuments), mongo.IsDuplicateKeyError(err), errors.Is(err, context.Canceled), errors.As(err, new(*apperr.Error)):
		return ""
	case errors.Is(err, localdb.ErrFull), full(err):
		return "full"
	case hasLabel(err, driver.TransientTransactionError):
		return "conflict"
	case outage(err):
		return "unavailable"
	}
	return "other"
}

func (c counting) begin(operation string) func(error) {
	c.db.queries.Add(1)
	return c.db.measure(c.kind, operation)
}

// Queries counts the database calls since startup, by collection.
func (db *DB) Queries() int64 { return db.queries.Load() }

func (c counting) Each(ctx context.Context, filter any, visit func(bson.Raw) error, opts ...options.Lister[options.FindOptions]) error {
	done := c.begin("find")
	var own error // the visitor's error, not the database's
	err := c.collection.Each(ctx, filter, func(raw bson.Raw) error {
		own = visit(raw)
		return own
	}, opts...)
	if own != nil {
		done(nil)
		return err
	}
	done(err)
	return err
}

func (c counting) CountDocuments(ctx context.Context, filter any, opts ...options.Lister[options.CountOptions]) (int64, error) {
	done := c.begin("count")
	n, err := c.collection.CountDocuments(ctx, filter, opts...)
	done(err)
	return n, err
}

func (c counting) InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	done := c.begin("insert")
	result, err := c.collection.InsertOne(ctx, document, opts...)
	done(err)
	return result, err
}

func (c counting) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	done := c.begin("update")
	result, err := c.collection.UpdateOne(ctx, filter, update, opts...)
	done(err)
	return result, err
}

func (c counting) UpdateMany(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error) {
	done := c.begin("update_many")
	result, err := c.collection.UpdateMany(ctx, filter, update, opts...)
	done(err)
	return result, err
}

func (c counting) FindOneAndUpdateRaw(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) (bson.Raw, error) {
	done := c.begin("find_and_update")
	raw, err := c.collection.FindOneAndUpdateRaw(ctx, filter, update, opts...)
	done(err)
	return raw, err
}

func (c counting) FindOneAndDeleteRaw(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) (bson.Raw, error) {
	done := c.begin("find_and_delete")
	raw, err := c.collection.FindOneAndDeleteRaw(ctx, filter, opts...)
	done(err)
	return raw, err
}

func (c counting) DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	done := c.begin("delete")
	result, err := c.collection.DeleteOne(ctx, filter, opts...)
	done(err)
	return result, err
}

func (c counting) DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	done := c.begin("delete_many")
	result, err := c.collection.DeleteMany(ctx, filter, opts...)
	done(err)
	return result, err
}

// CacheUse is the number of cache hits and misses of a kind since startup.
type CacheUse struct {
	Kind string
	Read func() (hits, misses int64)
}

// Caches are those of the kinds that have one.
func (db *DB) Caches() (all []CacheUse) {
	for _, k := range db.kinds {
		if k.cacheUse != nil {
			all = append(all, CacheUse{k.Name, k.cacheUse})
		}
	}
	return all
}
