package store

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
	"tokentube/utils/cache"
)

// CachedFor is how long another process may go on with what it knows of a document that was changed here.
const CachedFor = 5 * time.Second

const cacheSize = 10_000

// Documents are the documents of one kind, as values of T. Those that are being removed are not there for any method.
type Documents[T any] struct {
	kind    *kind
	cache   *cache.Cache[bson.ObjectID, *T]
	decoder *decoder
}

// Register adds a kind of document to the database.
func Register[T any](db *DB, k Kind) *Documents[T] {
	d := &Documents[T]{kind: db.register(k), decoder: newDecoder[T]()}
	d.kind.checkExport(reflect.TypeFor[T]())
	if k.Cached {
		d.cache = cache.New[bson.ObjectID, *T](CachedFor, cacheSize, db.clock)
		d.kind.cacheUse = d.cache.Use
		d.kind.changed = func(id bson.ObjectID) { d.cache.Drop(id) }
	}
	return d
}

// Insert adds a document and counts it on its parents. If a parent is gone, it is not found; if another document has a
// value that must be unique, it is a conflict.
func (d *Documents[T]) Insert(ctx context.Context, doc *T) error {
	raw, err := bson.Marshal(doc)
	if err == nil {
		raw, err = d.kind.derive(raw)
	}
	if err != nil {
		return err
	}
	if len(d.kind.Parents) == 0 {
		_, err := d.kind.InsertOne(ctx, bson.Raw(raw))
		return translate(err)
	}
	return d.kind.db.Atomically(ctx, func(ctx context.Context) error {
		if err := d.kind.checkParents(ctx, raw); err != nil {
			return err
		}
		if err := d.kind.count(ctx, raw, 1, bson.ObjectID{}, bounded); err != nil {
			return err
		}
		if _, err := d.kind.InsertOne(ctx, bson.Raw(raw)); err != nil {
			// Without transactions, what was taken is given back, unless the document may be there after all.
			if d.kind.db.Transactions() || InDoubt(err) {
				return err
			}
			if failed := d.kind.count(ctx, raw, -1, bson.ObjectID{}, bounded); failed != nil {
				err = errors.Join(err, failed)
			}
			return err
		}
		return d.kind.count(ctx, raw, 1, bson.ObjectID{}, unbounded)
	})
}

// One finds the document that matches.
func (d *Documents[T]) One(ctx context.Context, filter bson.D) (*T, error) {
	found, err := d.List(ctx, filter, nil, 1)
	if err == nil && len(found) == 0 {
		err = ErrNotFound()
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// ByID loads a document, past the cache.
func (d *Documents[T]) ByID(ctx context.Context, id bson.ObjectID) (*T, error) {
	return d.One(ctx, Where("_id", id))
}

// List finds the documents that match, in order, at most limit (0: all, for what is few by its rules).
func (d *Documents[T]) List(ctx context.Context, filter bson.D, by Order, limit int) ([]*T, error) {
	found := []*T{}
	err := d.kind.Each(ctx, d.kind.live(filter), func(raw bson.Raw) error {
		doc := new(T)
		found = append(found, doc)
		return d.decoder.decode(raw, doc)
	}, options.Find().SetSort(keys(by...)).SetLimit(int64(limit)))
	return found, translate(err)
}

// ByIDs loads several documents in one query. Those that are gone are missing.
func (d *Documents[T]) ByIDs(ctx context.Context, ids []bson.ObjectID) (map[bson.ObjectID]*T, error) {
	found := make(map[bson.ObjectID]*T, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	err := d.kind.Each(ctx, d.kind.live(Where("_id", In(ids))), func(raw bson.Raw) error {
		doc := new(T)
		found[idOf(raw)] = doc
		return d.decoder.decode(raw, doc)
	})
	return found, translate(err)
}

// Cached is ByID, up to CachedFor old in processes other than the one that made a change. The document is shared: do not
// change it. Inside Atomically it passes the cache: what is read there may be older than a change of another request that
// the cache has heard of, or may never come about.
func (d *Documents[T]) Cached(ctx context.Context, id bson.ObjectID) (*T, error) {
	if unitOf(ctx) != nil {
		return d.ByID(ctx, id)
	}
	load := func() (*T, error) { return d.ByID(ctx, id) }
	if len(d.kind.toRenew(ctx, id)) > 0 {
		return d.cache.Renew(id, load)
	}
	return d.cache.Get(id, load)
}

// CachedByIDs is ByIDs, for documents as Cached returns them.
func (d *Documents[T]) CachedByIDs(ctx context.Context, ids []bson.ObjectID) (map[bson.ObjectID]*T, error) {
	if unitOf(ctx) != nil {
		return d.ByIDs(ctx, ids)
	}
	load := func(missing []bson.ObjectID) (map[bson.ObjectID]*T, error) { return d.ByIDs(ctx, missing) }
	if renew := d.kind.toRenew(ctx, ids...); len(renew) > 0 {
		if _, err := d.cache.RenewAll(renew, load); err != nil {
			return nil, err
		}
	}
	return d.cache.GetAll(ids, load)
}

// Count counts the documents that match, up to limit (0: all): it costs as much as there are.
func (d *Documents[T]) Count(ctx context.Context, filter bson.D, limit int) (int, error) {
	opts := options.Count()
	if limit > 0 { // to MongoDB, 0 is a fault
		opts.SetLimit(int64(limit))
	}
	n, err := d.kind.CountDocuments(ctx, d.kind.live(filter), opts)
	return int(n), translate(err)
}

// Frequency counts the documents that have this value of an indexed field, up to limit, also those that are being removed:
// it reads the index alone.
func (d *Documents[T]) Frequency(ctx context.Context, field string, value any, limit int) (int, error) {
	n, err := d.kind.CountDocuments(ctx, Where(field, value), options.Count().SetLimit(int64(limit)))
	return int(n), translate(err)
}

// Taken tells whether a document has this value of an indexed field, also one that is being removed.
func (d *Documents[T]) Taken(ctx context.Context, field string, value any) (bool, error) {
	n, err := d.Frequency(ctx, field, value, 1)
	return n > 0, err
}

// Update changes the document that matches and returns it as it is then. Where that changes whether its parents count
// it, they count again.
func (d *Documents[T]) Update(ctx context.Context, filter, update bson.D) (*T, error) {
	doc := new(T)
	decode := func(raw bson.Raw) error {
		*doc = *new(T)
		return d.decoder.decode(raw, doc)
	}
	var err error
	for _, p := range d.kind.Parents {
		if _, sets := setsField(update, p.Field); sets {
			return nil, errors.New("store: an update moves no document to another parent")
		}
	}
	if d.kind.mayFlip(update) || d.kind.mayDerive(update) {
		err = d.kind.db.Atomically(ctx, func(ctx context.Context) error { return d.kind.updateCounted(ctx, filter, update, decode) })
	} else {
		err = d.kind.update(ctx, filter, update, options.After, decode)
	}
	return doc, translate(err)
}

func (k *kind) update(ctx context.Context, filter, update bson.D, returned options.ReturnDocument, visit func(bson.Raw) error) error {
	raw, err := k.FindOneAndUpdateRaw(ctx, k.live(filter), update, options.FindOneAndUpdate().SetReturnDocument(returned))
	if err != nil {
		return err
	}
	k.noteChange(ctx, idOf(raw))
	return visit(raw)
}

// mayFlip tells whether an update sets or removes a field on which a count depends.
func (k *kind) mayFlip(update bson.D) bool {
	return slices.ContainsFunc(k.Parents, func(p Parent) bool { return p.dependsOn(update) })
}

func (p Parent) dependsOn(update bson.D) bool {
	return slices.ContainsFunc(append([]string{p.If.Key}, p.Sum...), func(field string) bool { _, sets := setsField(update, field); return sets })
}

// setsField returns what an update sets a field to: nil, where it removes it.
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

// updateCounted compares the document before the update with what the update sets, which is exact however many do it at
// once.
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

// changed is the document with what an update sets of some fields.
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

// one visits the document that matches, live or not.
func (k *kind) one(ctx context.Context, filter bson.D, visit func(bson.Raw) error) error {
	found := false
	err := k.Each(ctx, filter, func(raw bson.Raw) error {
		found = true
		return visit(raw)
	}, options.Find().SetLimit(1))
	if err == nil && !found {
		err = mongo.ErrNoDocuments
	}
	return err
}

// UpdateAll changes all documents that match. It is for kinds of which nobody keeps copies, and for fields on which no count
// depends.
func (d *Documents[T]) UpdateAll(ctx context.Context, filter, update bson.D) error {
	if d.kind.mayFlip(update) || d.kind.changed != nil {
		return errors.New("store: " + d.kind.Name + " are not updated all at once")
	}
	_, err := d.kind.UpdateMany(ctx, d.kind.live(filter), update)
	return translate(err)
}

// Upsert updates the document that matches, or inserts what the filter and the update say. It is for kinds that hang on
// nothing.
func (d *Documents[T]) Upsert(ctx context.Context, filter, update bson.D) error {
	if len(d.kind.Parents) > 0 || d.kind.changed != nil {
		return errors.New("store: an upsert checks no parents, and does not know which copy changes")
	}
	_, err := d.kind.UpdateOne(ctx, filter, update, options.UpdateOne().SetUpsert(true))
	return translate(err)
}

// Put updates the document that matches, or inserts doc where there is none. The filter names what is unique: of several
// at once, one inserts and the others update. It is not for inside Atomically, where a clash undoes everything.
func (d *Documents[T]) Put(ctx context.Context, filter, update bson.D, doc *T) error {
	_, err := d.Update(ctx, filter, update)
	if !apperr.Is(err, apperr.NotFound) {
		return err
	}
	if err = d.Insert(ctx, doc); apperr.Is(err, apperr.Conflict) { // another one was first
		_, err = d.Update(ctx, filter, update)
	}
	return err
}

// Add adds to fields of a document, names and numbers in turn, if it is there. It is for numbers that are worth no
// transaction.
func (d *Documents[T]) Add(ctx context.Context, id any, fieldsAndNumbers ...any) error {
	_, err := d.kind.UpdateOne(ctx, d.kind.live(Where("_id", id)), bson.D{{Key: "$inc", Value: Where(fieldsAndNumbers...)}})
	if id, is := id.(bson.ObjectID); is {
		d.kind.noteChange(ctx, id)
	}
	return translate(err)
}

// Delete deletes the document that matches, takes it out of the counts of its parents, and tells whether there was one.
// It is for leaves: documents without files, on which nothing hangs.
func (d *Documents[T]) Delete(ctx context.Context, filter bson.D) (deleted bool, err error) {
	doc, err := d.Take(ctx, filter)
	return doc != nil, err
}

// Take is Delete that returns what it deleted: nil, if there was nothing.
func (d *Documents[T]) Take(ctx context.Context, filter bson.D) (doc *T, err error) {
	if !d.kind.isLeaf() {
		return nil, errors.New("store: " + d.kind.Name + " are not leaves: they are removed")
	}
	err = d.kind.db.Atomically(ctx, func(ctx context.Context) error {
		doc = nil
		raw, err := d.kind.takeCounted(ctx, filter, bson.ObjectID{})
		if err != nil || raw == nil {
			return err
		}
		doc = new(T)
		return d.decoder.decode(raw, doc)
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// DeleteAll deletes all documents that match. It is for leaves that nothing counts and of which nobody keeps copies.
func (d *Documents[T]) DeleteAll(ctx context.Context, filter bson.D) error {
	counted := slices.ContainsFunc(d.kind.Parents, func(p Parent) bool { return p.Counter != "" })
	if !d.kind.isLeaf() || counted || d.kind.changed != nil {
		return errors.New("store: " + d.kind.Name + " are not deleted all at once")
	}
	_, err := d.kind.DeleteMany(ctx, filter)
	return translate(err)
}

// deleteCounted deletes one document. A parent that is going itself needs no count.
func (k *kind) deleteCounted(ctx context.Context, filter bson.D, going bson.ObjectID) (bool, error) {
	raw, err := k.takeCounted(ctx, filter, going)
	return raw != nil, err
}

// takeCounted is deleteCounted that returns the document, nil if there was none.
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

// All visits all documents that match, in the order of their ids, page by page: it may take long. The ids are ObjectIDs.
func (d *Documents[T]) All(ctx context.Context, filter bson.D, visit func(*T) error) error {
	// After the lowest id, so that the index of the ids serves it: reading them all in order is meant.
	return d.kind.walkAfter(ctx, bson.NilObjectID, d.kind.live(filter), nil, func(page []bson.Raw) error {
		for _, raw := range page {
			doc := new(T)
			if err := d.decoder.decode(raw, doc); err != nil {
				return err
			}
			if err := visit(doc); err != nil {
				return err
			}
		}
		return nil
	})
}
