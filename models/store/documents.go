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

// CachedFor is how long another process may use its cached copy of a document that was changed here.
const CachedFor = 5 * time.Second

const cacheSize = 10_000

// Documents are the documents of one kind, as values of T. No method returns those that are being removed.
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

// Insert adds a document and counts it on its parents. If a parent is gone, the result is not found; if another
// document has a value that must be unique, a conflict.
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
			// Without transactions, undo what was counted, unless the document may exist after all.
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

// ByID loads a document, bypassing the cache.
func (d *Documents[T]) ByID(ctx context.Context, id bson.ObjectID) (*T, error) {
	return d.One(ctx, Where("_id", id))
}

// List finds the documents that match, in order, at most limit (0: all, where the site's rules keep the number small).
func (d *Documents[T]) List(ctx context.Context, filter bson.D, by Order, limit int) ([]*T, error) {
	found := []*T{}
	err := d.kind.Each(ctx, d.kind.live(filter), func(raw bson.Raw) error {
		doc := new(T)
		found = append(found, doc)
		return d.decoder.decode(raw, doc)
	}, options.Find().SetSort(keys(by...)).SetLimit(int64(limit)))
	return found, translate(err)
}

// ByIDs loads several documents in one query. Deleted ones are left out.
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

// Cached is ByID from the cache: in processes other than the one that made a change, it may be up to CachedFor old. The
// document is shared, so don't change it. Inside Atomically it bypasses the cache: what is read there may be older than
// another request's change that the cache already reflects, or may be rolled back.
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

// CachedByIDs is ByIDs from the cache: see Cached.
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

// Count counts the documents that match, up to limit (0: all). Its cost is proportional to the result.
func (d *Documents[T]) Count(ctx context.Context, filter bson.D, limit int) (int, error) {
	opts := options.Count()
	if limit > 0 { // MongoDB rejects 0
		opts.SetLimit(int64(limit))
	}
	n, err := d.kind.CountDocuments(ctx, d.kind.live(filter), opts)
	return int(n), translate(err)
}

// Frequency counts the documents with this value of an indexed field, up to limit, including those that are being
// removed: it reads only the index.
func (d *Documents[T]) Frequency(ctx context.Context, field string, value any, limit int) (int, error) {
	n, err := d.kind.CountDocuments(ctx, Where(field, value), options.Count().SetLimit(int64(limit)))
	return int(n), translate(err)
}

// Taken reports whether a document has this value of an indexed field, including one that is being removed.
func (d *Documents[T]) Taken(ctx context.Context, field string, value any) (bool, error) {
	n, err := d.Frequency(ctx, field, value, 1)
	return n > 0, err
}

// Update changes the document that matches and returns the updated document. If that affects whether its parents count
// it, their counts change too.
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

// UpdateAll changes all documents that match. It is for kinds that are not cached, and for fields that no count depends
// on.
func (d *Documents[T]) UpdateAll(ctx context.Context, filter, update bson.D) error {
	if d.kind.mayFlip(update) || d.kind.changed != nil {
		return errors.New("store: " + d.kind.Name + " are not updated all at once")
	}
	_, err := d.kind.UpdateMany(ctx, d.kind.live(filter), update)
	return translate(err)
}

// Upsert updates the document that matches, or inserts one from the filter and the update. It is for kinds without
// parents.
func (d *Documents[T]) Upsert(ctx context.Context, filter, update bson.D) error {
	if len(d.kind.Parents) > 0 || d.kind.changed != nil {
		return errors.New("store: an upsert checks no parents, and does not know which copy changes")
	}
	_, err := d.kind.UpdateOne(ctx, filter, update, options.UpdateOne().SetUpsert(true))
	return translate(err)
}

// Put updates the document that matches, or inserts doc if there is none. The filter names a unique key: of several
// concurrent calls, one inserts and the others update. Don't use it inside Atomically, where a duplicate key rolls
// everything back.
func (d *Documents[T]) Put(ctx context.Context, filter, update bson.D, doc *T) error {
	_, err := d.Update(ctx, filter, update)
	if !apperr.Is(err, apperr.NotFound) {
		return err
	}
	if err = d.Insert(ctx, doc); apperr.Is(err, apperr.Conflict) { // another one came first
		_, err = d.Update(ctx, filter, update)
	}
	return err
}

// Add adds to number fields of a document, given as alternating names and numbers, if it exists. It is for numbers that
// aren't worth a transaction.
func (d *Documents[T]) Add(ctx context.Context, id any, fieldsAndNumbers ...any) error {
	_, err := d.kind.UpdateOne(ctx, d.kind.live(Where("_id", id)), bson.D{{Key: "$inc", Value: Where(fieldsAndNumbers...)}})
	if id, is := id.(bson.ObjectID); is {
		d.kind.noteChange(ctx, id)
	}
	return translate(err)
}

// Delete deletes the document that matches, updates the counts of its parents, and reports whether there was one. It is
// for leaves: documents without files and children.
func (d *Documents[T]) Delete(ctx context.Context, filter bson.D) (deleted bool, err error) {
	doc, err := d.Take(ctx, filter)
	return doc != nil, err
}

// Take is Delete, but returns the deleted document; nil if there was none.
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

// DeleteAll deletes all documents that match. It is for leaves that are neither counted nor cached.
func (d *Documents[T]) DeleteAll(ctx context.Context, filter bson.D) error {
	counted := slices.ContainsFunc(d.kind.Parents, func(p Parent) bool { return p.Counter != "" })
	if !d.kind.isLeaf() || counted || d.kind.changed != nil {
		return errors.New("store: " + d.kind.Name + " are not deleted all at once")
	}
	_, err := d.kind.DeleteMany(ctx, filter)
	return translate(err)
}

// All visits all documents that match, in the order of their ids, page by page: it may take long. The ids are
// ObjectIDs.
func (d *Documents[T]) All(ctx context.Context, filter bson.D, visit func(*T) error) error {
	// The explicit lowest id makes it use the index of the ids: reading all of them in order is intended.
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
