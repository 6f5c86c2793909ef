package store

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// makeIndexes makes the indexes of a kind. If duplicates prevent a unique one, those that carry no information of their
// own are removed: a second like of the same post by the same user. Two users with the same name are left for people to
// resolve.
func (r *repair) makeIndexes(ctx context.Context, k *kind) error {
	err := r.db.makeIndexes(ctx, k)
	if err == nil {
		return nil
	}
	before := r.Mended
	for _, x := range k.Indexes {
		if fields := relation(k, x); fields != nil {
			if failed := r.removeDuplicates(ctx, k, fields); failed != nil {
				return errors.Join(err, failed)
			}
		}
	}
	if r.Mended == before {
		return err
	}
	return r.db.makeIndexes(ctx, k)
}

// relation returns the fields of a unique index if they are all parents: then the documents do nothing but relate
// these.
func relation(k *kind, x mongo.IndexModel) []string {
	fields, unique := uniqueFields(x)
	isParent := func(field string) bool {
		return slices.ContainsFunc(k.Parents, func(p Parent) bool { return p.Field == field })
	}
	if !unique || len(fields) < 2 || len(k.Files) > 0 || slices.ContainsFunc(fields, func(f string) bool { return !isParent(f) }) {
		return nil
	}
	return fields
}

// removeDuplicates keeps the first of each group of duplicates, which are adjacent in the order of the fields. They are
// collected first, because the database must not be changed while it is read.
func (r *repair) removeDuplicates(ctx context.Context, k *kind, fields []string) error {
	order := append(slices.Clone(fields), "_id")
	var last string
	var again []bson.RawValue
	err := k.Each(ctx, bson.D{}, func(raw bson.Raw) error {
		if values := show(raw, fields); values != last {
			last = values
			return nil
		}
		id := raw.Lookup("_id")
		again = append(again, bson.RawValue{Type: id.Type, Value: slices.Clone(id.Value)})
		return nil
	}, options.Find().SetSort(keys(order...)).SetProjection(keys(order...)))
	if err != nil {
		return err
	}
	for _, id := range again {
		if _, err := k.DeleteOne(ctx, Where("_id", id)); err != nil {
			return err
		}
		r.mended("%s %s: removed, it was there twice", k.Name, showValue(id))
	}
	return nil
}
