package store

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// List is an array of ids in a document. An id is removed from it with its document, and a document whose list becomes
// empty is removed too. It is for leaves that nothing counts, and needs an index on the field.
type List struct{ Kind, Field string }

// takeOut removes the id of a document that is being removed from all lists that contain it.
func (k *kind) takeOut(ctx context.Context, field string, going bson.ObjectID) error {
	for {
		var ids []any
		err := k.Each(ctx, Where(field, going), func(raw bson.Raw) error {
			ids = append(ids, raw.Lookup("_id"))
			return nil
		}, options.Find().SetProjection(keys("_id")).SetLimit(removeBatch))
		if err != nil || len(ids) == 0 {
			return err
		}
		err = k.db.Atomically(ctx, func(ctx context.Context) error {
			for _, id := range ids {
				if err := k.takeOutOf(ctx, id, field, going); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

func (k *kind) takeOutOf(ctx context.Context, id any, field string, going bson.ObjectID) error {
	deleted, err := k.DeleteOne(ctx, Where("_id", id, field, bson.A{going}))
	if err != nil || deleted.DeletedCount > 0 {
		return err
	}
	_, err = k.UpdateOne(ctx, Where("_id", id), bson.D{{Key: "$pull", Value: Where(field, going)}})
	return err
}
