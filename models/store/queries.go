package store

import (
	"context"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// counting is a collection that counts what the database is asked.
type counting struct {
	collection
	n *atomic.Int64
}

// Queries counts what the database was asked since the start, by whatever is kept in documents.
func (db *DB) Queries() int64 { return db.queries.Load() }

func (c counting) Each(ctx context.Context, filter any, visit func(bson.Raw) error, opts ...options.Lister[options.FindOptions]) error {
	c.n.Add(1)
	return c.collection.Each(ctx, filter, visit, opts...)
}

func (c counting) CountDocuments(ctx context.Context, filter any, opts ...options.Lister[options.CountOptions]) (int64, error) {
	c.n.Add(1)
	return c.collection.CountDocuments(ctx, filter, opts...)
}

func (c counting) InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	c.n.Add(1)
	return c.collection.InsertOne(ctx, document, opts...)
}

func (c counting) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	c.n.Add(1)
	return c.collection.UpdateOne(ctx, filter, update, opts...)
}

func (c counting) FindOneAndUpdateRaw(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) (bson.Raw, error) {
	c.n.Add(1)
	return c.collection.FindOneAndUpdateRaw(ctx, filter, update, opts...)
}

func (c counting) FindOneAndDeleteRaw(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) (bson.Raw, error) {
	c.n.Add(1)
	return c.collection.FindOneAndDeleteRaw(ctx, filter, opts...)
}

func (c counting) DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	c.n.Add(1)
	return c.collection.DeleteOne(ctx, filter, opts...)
}

func (c counting) DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	c.n.Add(1)
	return c.collection.DeleteMany(ctx, filter, opts...)
}
