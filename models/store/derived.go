package store

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Derived is a field that is computed from other fields of its document. It is set whenever those are, at startup if
// documents of an earlier version lack it, and by Repair if it is wrong.
type Derived struct {
	Field string   // the first field of an index; empty: there is none
	From  []string // an update that sets one of these recomputes it
	Of    func(doc bson.Raw) (any, error)
}

const deriveBatch = 500

// derive adds the derived field to a new document.
func (k *kind) derive(raw bson.Raw) (bson.Raw, error) {
	if k.Derived.Field == "" {
		return raw, nil
	}
	value, err := k.Derived.Of(raw)
	if err != nil {
		return nil, err
	}
	var doc bson.D
	if err := bson.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	return bson.Marshal(append(doc, bson.E{Key: k.Derived.Field, Value: value}))
}

// mayDerive reports whether an update sets or removes a field that another one is derived from.
func (k *kind) mayDerive(update bson.D) bool {
	return slices.ContainsFunc(k.Derived.From, func(field string) bool { _, sets := setsField(update, field); return sets })
}

// deriveAgain recomputes the derived field of a document that was changed in the same transaction.
func (k *kind) deriveAgain(ctx context.Context, id bson.ObjectID) error {
	var value any
	err := k.one(ctx, Where("_id", id), func(raw bson.Raw) (err error) {
		value, err = k.Derived.Of(raw)
		return err
	})
	if err != nil {
		return err
	}
	_, err = k.UpdateOne(ctx, Where("_id", id), bson.D{Set(k.Derived.Field, value)})
	return err
}

// deriveMissing fills in what documents of an earlier version lack: the derived field and the scores based on it.
func (k *kind) deriveMissing(ctx context.Context) error {
	for k.Derived.Field != "" {
		var lacking []bson.Raw
		err := k.Each(ctx, Where(k.Derived.Field, nil), func(raw bson.Raw) error {
			lacking = append(lacking, slices.Clone(raw))
			return nil
		}, options.Find().SetLimit(deriveBatch))
		if err != nil || len(lacking) == 0 {
			return err
		}
		for _, doc := range lacking {
			if err := k.deriveFirst(ctx, doc); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *kind) deriveFirst(ctx context.Context, doc bson.Raw) error {
	value, err := k.Derived.Of(doc)
	if err != nil {
		return err
	}
	sums, err := k.scores(ctx, idOf(doc))
	if err != nil {
		return err
	}
	set := Where(k.Derived.Field, value)
	for field, sum := range sums {
		if doc.Lookup(field).IsZero() {
			set = append(set, bson.E{Key: field, Value: sum})
		}
	}
	_, err = k.UpdateOne(ctx, Where("_id", doc.Lookup("_id"), k.Derived.Field, nil), bson.D{{Key: "$set", Value: set}})
	return err
}

// deriveAll recomputes the derived field of every document, and sets it where it is wrong.
func (r *repair) deriveAll(ctx context.Context, k *kind) error {
	if k.Derived.Field == "" {
		return nil
	}
	if err := k.deriveMissing(ctx); err != nil {
		return err
	}
	return k.walk(ctx, k.live(bson.D{}), nil, func(page []bson.Raw) error {
		for _, doc := range page {
			value, err := k.Derived.Of(doc)
			if err != nil {
				return err
			}
			stored := doc.Lookup(k.Derived.Field)
			if equal(stored, value) {
				continue
			}
			asRead := append(Where("_id", doc.Lookup("_id")), unchanged(doc, k.Derived.From)...)
			result, err := k.UpdateOne(ctx, k.live(asRead), bson.D{Set(k.Derived.Field, value)})
			if err != nil {
				return err
			}
			if result.MatchedCount == 0 {
				r.Busy++
				continue
			}
			r.mended("%s %s: %s did not follow from the rest", k.Name, idOf(doc).Hex(), k.Derived.Field)
		}
		return nil
	})
}

// unchanged is the condition that fields are as they were read.
func unchanged(doc bson.Raw, fields []string) (filter bson.D) {
	for _, field := range fields {
		value := doc.Lookup(field)
		switch {
		case value.IsZero():
			filter = append(filter, bson.E{Key: field, Value: Absent})
		case value.Type == bson.TypeArray: // compared by elements
		default:
			filter = append(filter, bson.E{Key: field, Value: value})
		}
	}
	return filter
}
