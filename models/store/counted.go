package store

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// This file is how updates and deletions of a document change its parents' counts.

// mayFlip reports whether an update sets or removes a field that a count depends on.
func (k *kind) mayFlip(update bson.D) bool {
	return slices.ContainsFunc(k.Parents, func(p Parent) bool { return p.dependsOn(update) })
}

func (p Parent) dependsOn(update bson.D) bool {
	return slices.ContainsFunc(append([]string{p.If.Key}, p.Sum...), func(field string) bool { _, sets := setsField(update, field); return sets })
}

// setsField returns the value that an update sets a field to; nil if it removes the field.
func setsField(update bson.D, name string) (value any, sets bool) {
	for _, part := range update {
		fields, ok := part.Value.(bson.D)
		if !ok {
			continue
		}
		for _, field := range fields {
			switch {
			case field.Key == name && part.Key == "$set":
				return field.Value, true
			case field.Key == name && part.Key == "$unset":
				return nil, true
			}
		}
	}
	return nil, false
}

// updateCounted compares the document from before the update with what the update sets, which is exact even with
// concurrent updates.
func (k *kind) updateCounted(ctx context.Context, filter, update bson.D, visit func(bson.Raw) error) error {
	var before bson.Raw
	err := k.update(ctx, filter, update, options.Before, func(raw bson.Raw) error { before = raw; return nil })
	if err != nil {
		return err
	}
	if k.mayDerive(update) {
		if err := k.deriveAgain(ctx, idOf(before)); err != nil {
			return err
		}
	}
	for _, p := range k.Parents {
		if !p.dependsOn(update) {
			continue
		}
		if by := p.amount(changed(before, update, append([]string{p.If.Key}, p.Sum...))) - p.amount(before); by != 0 {
			if err := k.countOn(ctx, p, before, by); err != nil {
				return err
			}
		}
	}
	return k.one(ctx, Where("_id", before.Lookup("_id")), visit)
}

// changed is the document with the values that an update sets.
func changed(before bson.Raw, update bson.D, fields []string) bson.Raw {
	doc := bson.D{}
	elements, _ := before.Elements() // it came from the database
	for _, e := range elements {
		if _, sets := setsField(update, e.Key()); !sets || !slices.Contains(fields, e.Key()) {
			doc = append(doc, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	for _, field := range fields {
		if value, sets := setsField(update, field); sets && value != nil {
			doc = append(doc, bson.E{Key: field, Value: value})
		}
	}
	after, _ := bson.Marshal(doc) // the update was accepted with it
	return after
}

// deleteCounted deletes one document. A parent that is being removed itself needs no count.
func (k *kind) deleteCounted(ctx context.Context, filter bson.D, going bson.ObjectID) (bool, error) {
	raw, err := k.takeCounted(ctx, filter, going)
	return raw != nil, err
}

// takeCounted is deleteCounted, but returns the document; nil if there was none.
func (k *kind) takeCounted(ctx context.Context, filter bson.D, going bson.ObjectID) (bson.Raw, error) {
	raw, err := k.FindOneAndDeleteRaw(ctx, filter)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k.noteChange(ctx, idOf(raw))
	return raw, k.count(ctx, raw, -1, going)
}
