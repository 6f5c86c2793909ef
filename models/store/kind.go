package store

import (
	"context"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// Kind describes a kind of document, once. Whatever must hold for all kinds (their indexes exist, they go when what they
// hang on goes, the counts that they raised come down, their files are deleted) is done by walking the registry, so that
// a new kind cannot be forgotten.
type Kind struct {
	Name     string
	Indexes  []mongo.IndexModel
	Parents  []Parent
	Files    []string // fields that name a stored file
	Cached   bool     // see Documents.Cached
	Obsolete []string // fields that an earlier version kept: ignored, until Repair removes them

	// Essential documents are small and pass: they are written on a full disk too, so that people can log in and make room.
	Essential bool

	Placeholder *Placeholder // what stays of a document that others of its own kind hang on; nil: nothing
}

// Parent says what a document hangs on: it is inserted only while its parent is there, and goes with it.
type Parent struct {
	Kind    string
	Field   string // where the document keeps the parent's _id; a document without it has no such parent
	Counter string // the parent's field that counts these documents, if one does
	If      bson.E // only documents with this field and value are counted; zero: all
	Max     int    // how many it counts at most, without If; zero: any number
	Full    string // what anybody who adds one more is told
}

// kind is a registered one.
type kind struct {
	collection
	Kind
	db      *DB
	changed func(id bson.ObjectID) // called after a document was changed; nil: nobody asks
	leaf    func() bool            // see isLeaf; worked out once, when all kinds are registered
}

func (db *DB) register(k Kind) *kind {
	registered := &kind{collection: db.engine.collection(k.Name), Kind: k, db: db}
	if k.Essential {
		registered.collection = essential{registered.collection}
	}
	registered.leaf = sync.OnceValue(func() bool {
		return len(k.Files) == 0 && !slices.ContainsFunc(db.kinds, func(other *kind) bool { return len(other.hangsOn(k.Name)) > 0 })
	})
	if k.Placeholder != nil {
		k.Placeholder.check(registered)
	}
	db.kinds = append(db.kinds, registered)
	return registered
}

func (db *DB) kind(name string) *kind {
	i := slices.IndexFunc(db.kinds, func(k *kind) bool { return k.Name == name })
	if i < 0 {
		panic("store: no kind " + name + " is registered")
	}
	return db.kinds[i]
}

// hangsOn lists how k hangs on another kind.
func (k *kind) hangsOn(name string) []Parent {
	return slices.DeleteFunc(slices.Clone(k.Parents), func(p Parent) bool { return p.Kind != name })
}

// isLeaf tells a kind that has no files and on which nothing hangs. A leaf is deleted at once; anything else is marked
// first, and nobody sees it from then on.
func (k *kind) isLeaf() bool { return k.leaf() }

// deletedAt is the mark of a document that is being removed.
const deletedAt = "deletedAt"

// live adds to a filter that the document is not being removed.
func (k *kind) live(filter bson.D) bson.D {
	if k.isLeaf() {
		return filter
	}
	return append(filter[:len(filter):len(filter)], bson.E{Key: deletedAt, Value: Absent})
}

// id reads which parent a document names, if it names one.
func (p Parent) id(doc bson.Raw) (bson.ObjectID, bool) {
	id, ok := doc.Lookup(p.Field).ObjectIDOK()
	return id, ok && !id.IsZero()
}

// counts tells whether the document has such a parent and the parent counts it.
func (p Parent) counts(doc bson.Raw) bool {
	_, named := p.id(doc)
	return named && p.Counter != "" && (p.If.Key == "" || equal(doc.Lookup(p.If.Key), p.If.Value))
}

// equal compares a value of a document with one of Go's.
func equal(stored bson.RawValue, value any) bool {
	t, data, err := bson.MarshalValue(value)
	return err == nil && stored.Equal(bson.RawValue{Type: t, Value: data})
}

// checkParents makes sure that all parents have room and are there, but for those whose count shows it in the same
// transaction.
func (k *kind) checkParents(ctx context.Context, doc bson.Raw) error {
	for _, p := range k.Parents {
		id, named := p.id(doc)
		if named && p.Max > 0 {
			if err := k.checkRoom(ctx, p, id); err != nil {
				return err
			}
		}
		if !named || (p.counts(doc) && k.db.Transactions()) {
			continue
		}
		parent := k.db.kind(p.Kind)
		n, err := parent.CountDocuments(ctx, parent.live(Where("_id", id)), options.Count().SetLimit(1))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound()
		}
	}
	return nil
}

// checkRoom makes sure that a parent has room for one more. Of several transactions at once only one raises the count that
// it read; without transactions they may go a little over the limit.
func (k *kind) checkRoom(ctx context.Context, p Parent, id bson.ObjectID) error {
	full, err := k.db.kind(p.Kind).CountDocuments(ctx, Where("_id", id, p.Counter, Where("$gte", p.Max)), options.Count().SetLimit(1))
	if err == nil && full > 0 {
		err = apperr.New(apperr.Conflict, "%s", p.Full)
	}
	return err
}

// count adds to the counts of the parents that count a document, but for one that is going itself. If one is gone, the
// others count all the same: without transactions the document stays until that one's removal finds it, and takes it out
// of their counts.
func (k *kind) count(ctx context.Context, doc bson.Raw, by int64, going bson.ObjectID) error {
	var gone error
	for _, p := range k.Parents {
		if id, _ := p.id(doc); id == going || !p.counts(doc) {
			continue
		}
		err := k.countOn(ctx, p, doc, by)
		if err == nil && by < 0 && k.Placeholder != nil && p.Kind == k.Name {
			id, _ := p.id(doc)
			err = k.dropPlaceholder(ctx, id)
		}
		switch {
		case apperr.Is(err, apperr.NotFound):
			gone = err
		case err != nil:
			return err
		}
	}
	return gone
}

// countOn adds to the count of one parent. A document less is taken from any parent; one more needs a parent that stays.
func (k *kind) countOn(ctx context.Context, p Parent, doc bson.Raw, by int64) error {
	id, _ := p.id(doc)
	parent := k.db.kind(p.Kind)
	filter := Where("_id", id)
	if by > 0 {
		filter = parent.live(filter)
	}
	parent.noteChange(ctx, id)
	result, err := parent.UpdateOne(ctx, filter, bson.D{Inc(p.Counter, by)})
	if err == nil && by > 0 && result.MatchedCount == 0 {
		return ErrNotFound()
	}
	return err
}

// noteChange tells whoever keeps copies that a document changed, when the change is over.
func (k *kind) noteChange(ctx context.Context, id bson.ObjectID) {
	if k.changed != nil {
		after(ctx, func() { k.changed(id) })
	}
}

// idOf is the _id of a document; kinds of which copies are kept have ObjectIDs.
func idOf(doc bson.Raw) bson.ObjectID {
	id, _ := doc.Lookup("_id").ObjectIDOK()
	return id
}
