package store

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Placeholder is what remains of a document that is removed while others of its own kind are counted on it, until the
// last of them, counted or not, is removed: replies aren't lost with the comment that they reply to. A placeholder is
// removed like any other document when one of the parents that it still names is.
type Placeholder struct {
	Mark  bson.E   // the field and value that identify a placeholder; every parent that counts the kind filters on this field (If)
	Drops []string // the fields that it doesn't keep, including those that name a parent
}

// check panics if a description contradicts itself.
func (p *Placeholder) check(k *kind) {
	own := k.hangsOn(k.Name)
	if len(own) != 1 || own[0].Counter == "" || len(k.Files) > 0 {
		panic("store: a placeholder of " + k.Name + " needs one counted parent of its own kind, and no files")
	}
	for _, parent := range k.Parents {
		if parent.Counter != "" && (parent.If.Key != p.Mark.Key || parent.If.Value == p.Mark.Value) {
			panic("store: " + parent.Field + " would count the placeholders of " + k.Name)
		}
	}
}

// hider returns how documents are hidden when their parent in this field is removed (empty: when they are removed
// themselves). The function reports whether it was this call that hid the document.
func (k *kind) hider(parent string) func(ctx context.Context, filter bson.D, going bson.ObjectID) (bool, error) {
	switch {
	case k.isLeaf():
		return k.deleteCounted
	case k.leavesPlaceholder(parent):
		return k.giveWay
	}
	return k.mark
}

func (k *kind) leavesPlaceholder(parent string) bool {
	return k.Placeholder != nil && (parent == "" || slices.Contains(k.Placeholder.Drops, parent))
}

// giveWay turns a document into a placeholder, which is removed right away if nothing is counted on it.
func (k *kind) giveWay(ctx context.Context, filter bson.D, going bson.ObjectID) (bool, error) {
	unset := bson.D{}
	for _, field := range k.Placeholder.Drops {
		unset = append(unset, bson.E{Key: field, Value: ""})
	}
	update := bson.D{{Key: "$set", Value: bson.D{k.Placeholder.Mark}}, {Key: "$unset", Value: unset}}
	raw, err := k.FindOneAndUpdateRaw(ctx, filter, update)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	k.noteChange(ctx, idOf(raw))
	if err := k.dropPlaceholder(ctx, idOf(raw)); err != nil { // before its own parent, which may be next
		return false, err
	}
	return true, k.count(ctx, raw, -1, going)
}

// dropPlaceholder removes a document if it is a placeholder without children, whether or not they are counted now.
func (k *kind) dropPlaceholder(ctx context.Context, id bson.ObjectID) error {
	empty := k.live(append(Where("_id", id, k.hangsOn(k.Name)[0].Counter, Where("$lte", 0)), k.Placeholder.Mark))
	err := k.one(ctx, empty, func(bson.Raw) error { return nil })
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return err
	}
	if bears, err := k.bears(ctx, id); err != nil || bears {
		return err
	}
	_, err = k.markNoted(ctx, id, empty)
	return err
}

// bears reports whether a document has children of its own kind.
func (k *kind) bears(ctx context.Context, id bson.ObjectID) (bool, error) {
	n, err := k.CountDocuments(ctx, k.live(Where(k.hangsOn(k.Name)[0].Field, id)), options.Count().SetLimit(1))
	return n > 0, err
}

// dropPlaceholders removes the placeholders without children: without transactions, a crash may leave some.
func (r *repair) dropPlaceholders(ctx context.Context, k *kind) error {
	if k.Placeholder == nil {
		return nil
	}
	counter := k.hangsOn(k.Name)[0].Counter
	return k.walk(ctx, k.live(bson.D{k.Placeholder.Mark}), []string{counter}, func(page []bson.Raw) error {
		var empty []bson.Raw
		for _, doc := range page {
			if n, ok := doc.Lookup(counter).AsInt64OK(); !ok || n > 0 {
				continue
			}
			bears, err := k.bears(ctx, idOf(doc))
			if err != nil {
				return err
			}
			if !bears {
				empty = append(empty, doc)
			}
		}
		return r.remove(ctx, k, empty, func(bson.Raw) string { return "a placeholder on which nothing hangs" })
	})
}
