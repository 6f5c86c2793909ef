package models

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// faulty is a collection each of whose writes is in the hands of write, which
// makes it or not, and may say that it failed.
type faulty struct {
	Collection
	write func(do func()) error
}

func (c faulty) InsertOne(ctx context.Context, doc any, o ...options.Lister[options.InsertOneOptions]) (r *mongo.InsertOneResult, err error) {
	killed := c.write(func() { r, err = c.Collection.InsertOne(ctx, doc, o...) })
	return r, errors.Join(killed, err)
}

func (c faulty) UpdateOne(ctx context.Context, f, u any, o ...options.Lister[options.UpdateOneOptions]) (r *mongo.UpdateResult, err error) {
	killed := c.write(func() { r, err = c.Collection.UpdateOne(ctx, f, u, o...) })
	return r, errors.Join(killed, err)
}

func (c faulty) FindOneAndUpdate(ctx context.Context, f, u any, o ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	var r *mongo.SingleResult
	if err := c.write(func() { r = c.Collection.FindOneAndUpdate(ctx, f, u, o...) }); err != nil {
		return mongo.NewSingleResultFromDocument(bson.D{}, err, nil)
	}
	return r
}

func (c faulty) DeleteOne(ctx context.Context, f any, o ...options.Lister[options.DeleteOneOptions]) (r *mongo.DeleteResult, err error) {
	killed := c.write(func() { r, err = c.Collection.DeleteOne(ctx, f, o...) })
	return r, errors.Join(killed, err)
}

func (c faulty) DeleteMany(ctx context.Context, f any, o ...options.Lister[options.DeleteManyOptions]) (r *mongo.DeleteResult, err error) {
	killed := c.write(func() { r, err = c.Collection.DeleteMany(ctx, f, o...) })
	return r, errors.Join(killed, err)
}
