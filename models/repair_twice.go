package models

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// makeIndexes makes the indexes of a type. Where doubles are in the way of a
// unique one, those go that say nothing which another document does not: a second
// like of the same post by the same user. Two users of one name are left to people.
func (r *repair) makeIndexes(ctx context.Context, e *entity) error {
	err := r.db.makeIndexes(ctx, e)
	if err == nil {
		return nil
	}
	before := r.Mended
	for _, x := range e.indexes {
		if fields := relation(e, x); fields != nil {
			if failed := r.removeDoubles(ctx, e, fields); failed != nil {
				return errors.Join(err, failed)
			}
		}
	}
	if r.Mended == before {
		return err
	}
	return r.db.makeIndexes(ctx, e)
}

// relation returns the fields of a unique index that are all of them parents: the
// documents relate these and are nothing else.
func relation(e *entity, x mongo.IndexModel) []string {
	fields, unique := uniqueFields(x)
	isParent := func(field string) bool {
		return slices.ContainsFunc(e.parents, func(p parent) bool { return p.field == field })
	}
	if !unique || len(fields) < 2 || len(e.files) > 0 || slices.ContainsFunc(fields, func(f string) bool { return !isParent(f) }) {
		return nil
	}
	return fields
}

// removeDoubles keeps the first of those that are alike. They stand side by side
// in the order of the fields, and are read one after the other.
func (r *repair) removeDoubles(ctx context.Context, e *entity, fields []string) error {
	order := append(append([]string{}, fields...), "_id")
	cursor, err := e.Find(ctx, bson.D{}, options.Find().SetSort(keys(order...)).SetProjection(keys(order...)))
	if err != nil {
		return translate(err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	var last []any
	for cursor.Next(ctx) {
		var doc bson.M
		if err := cursor.Decode(&doc); err != nil {
			return err
		}
		values := make([]any, len(fields))
		for i, field := range fields {
			values[i] = doc[field]
		}
		if !reflect.DeepEqual(values, last) {
			last = values
			continue
		}
		if _, err := e.DeleteOne(ctx, bson.D{{Key: "_id", Value: doc["_id"]}}); err != nil {
			return translate(err)
		}
		r.mended("%s %v: removed, it was there twice", e.name, hex(doc["_id"]))
	}
	return translate(cursor.Err())
}
