package store

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/localdb"
)

// essential is a collection that is written to even on a full disk, from the embedded engine's reserve
// (localdb.Essential). It makes no difference on MongoDB.
type essential struct{ collection }

func (e essential) InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	return e.collection.InsertOne(localdb.Essential(ctx), document, opts...)
}

func (e essential) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	return e.collection.UpdateOne(localdb.Essential(ctx), filter, update, opts...)
}

func (e essential) FindOneAndUpdateRaw(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) (bson.Raw, error) {
	return e.collection.FindOneAndUpdateRaw(localdb.Essential(ctx), filter, update, opts...)
}
