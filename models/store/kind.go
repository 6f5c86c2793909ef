package store

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// Kind describes a kind of document, once. Whatever applies to all kinds (their indexes exist, they are removed with
// their parents, the counts that include them are updated, their files are deleted) is done by walking the registry, so
// a new kind can't be forgotten.
type Kind struct {
	Name     string
	Indexes  []mongo.IndexModel
	Parents  []Parent
	Lists    []List   // fields that name several documents
	Files    []string // fields that name a stored file
	Cached   bool     // see Documents.Cached
	Obsolete []string // fields of an earlier version: ignored until Repair removes them
	Derived  Derived  // fields computed from others

	// Essential documents are small and short-lived: they are written even on a full disk, so that people can log in
	// and free space.
	Essential bool

	People bool              // each of these documents is a person
	Export Export            // what a user gets of the documents that are theirs
	Loose  map[string]string // fields with ids of documents that aren't parents, and why

	Placeholder *Placeholder // what remains of a document with children of its own kind; nil: nothing
}

// Parent is a document that others belong to: they are inserted only while it exists, and are removed with it.
type Parent struct {
	Kind    string
	Field   string // where the document stores the parent's _id; a document without it has no such parent
	Counter string // the parent's field that counts these documents, if one does
	If      bson.E // only documents with this field and value are counted; zero: all
	Max     int64  // the most that it may count; zero: unlimited
	Full    string // the message for anybody who adds one more; empty: ErrOverMax

	// Sum makes Counter the sum of these number fields of the documents, instead of their number, up to Max. A parent
	// that is older than this feature has no sum until a document is inserted or Repair runs.
	Sum []string

	Score Score // what else each counted document adds to the parent
}

// ErrOverMax is the error for a document that would make a count or a sum larger than it may be.
var ErrOverMax = errors.New("store: a count would exceed its bound")

// kind is a registered kind.
type kind struct {
	collection
	Kind
	db       *DB
	changed  func(id bson.ObjectID)      // called after a document was changed; nil: nobody needs it
	cacheUse func() (hits, misses int64) // nil: there is no cache
	leaf     func() bool                 // see isLeaf; computed once all kinds are registered
}

func (db *DB) register(k Kind) *kind {
	registered := &kind{collection: counting{db.engine.collection(k.Name), k.Name, db}, Kind: k, db: db}
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

// hangsOn lists the parents of k that are of the named kind.
func (k *kind) hangsOn(name string) []Parent {
	return slices.DeleteFunc(slices.Clone(k.Parents), func(p Parent) bool { return p.Kind != name })
}

// links are the parents, each once, however many of its counts include k.
func (k *kind) links() (links []Parent) {
	for _, p := range k.Parents {
		if !slices.ContainsFunc(links, func(l Parent) bool { return l.Kind == p.Kind && l.Field == p.Field }) {
			links = append(links, p)
		}
	}
	return links
}

// isLeaf reports whether a kind has no files and no children. A leaf is deleted directly; anything else is marked
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

// id reads which parent a document names, if any.
func (p Parent) id(doc bson.Raw) (bson.ObjectID, bool) {
	id, ok := doc.Lookup(p.Field).ObjectIDOK()
	return id, ok && !id.IsZero()
}

// counts reports whether the document has such a parent and the parent counts it.
func (p Parent) counts(doc bson.Raw) bool {
	_, named := p.id(doc)
	return named && p.Counter != "" && (p.If.Key == "" || equal(doc.Lookup(p.If.Key), p.If.Value))
}

// amount is what the document adds to the parent's count: one, or its share of a sum.
func (p Parent) amount(doc bson.Raw) (n int64) {
	switch {
	case !p.counts(doc):
		return 0
	case p.Sum == nil:
		return 1
	}
	for _, field := range p.Sum {
		part, _ := doc.Lookup(field).AsInt64OK()
		n += part
	}
	return n
}

// equal compares a value of a document with a Go value.
func equal(stored bson.RawValue, value any) bool {
	t, data, err := bson.MarshalValue(value)
	return err == nil && stored.Equal(bson.RawValue{Type: t, Value: data})
}

// checkParents checks that all parents exist, except those whose count proves it in the same transaction.
func (k *kind) checkParents(ctx context.Context, doc bson.Raw) error {
	for _, p := range k.links() {
		id, named := p.id(doc)
		if !named || (k.countShows(p.Field, doc) && k.db.Transactions()) {
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

// countShows reports whether counting the document on the parent proves that the parent exists.
func (k *kind) countShows(field string, doc bson.Raw) bool {
	return slices.ContainsFunc(k.Parents, func(p Parent) bool { return p.Field == field && p.amount(doc) > 0 })
}

// bounded and unbounded distinguish two kinds of counts: those that may refuse a document are updated before it is
// written, the others after.
func bounded(p Parent) bool   { return p.Max > 0 }
func unbounded(p Parent) bool { return p.Max == 0 }

// count updates the counts of the parents that count a document, except one that is being removed itself. If one is
// gone, the others are still updated: without transactions, the document exists until that parent's removal finds it
// and updates their counts.
func (k *kind) count(ctx context.Context, doc bson.Raw, sign int64, going bson.ObjectID, which ...func(Parent) bool) error {
	var gone error
	for _, p := range k.Parents {
		id, named := p.id(doc)
		by := sign * p.amount(doc)
		if !named || id == going || len(which) > 0 && !which[0](p) {
			continue
		}
		var err error
		if by != 0 {
			err = k.countOn(ctx, p, doc, by)
		}
		if err == nil && sign < 0 && k.Placeholder != nil && p.Kind == k.Name {
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

// countOn updates the count of one parent. Subtracting works on any parent; adding requires one that isn't being
// removed, and room.
func (k *kind) countOn(ctx context.Context, p Parent, doc bson.Raw, by int64) error {
	id, _ := p.id(doc)
	parent := k.db.kind(p.Kind)
	parent.noteChange(ctx, id)
	if p.Max > 0 && by > 0 {
		return k.countWithin(ctx, p, id, by)
	}
	filter := Where("_id", id)
	if by > 0 {
		filter = parent.live(filter)
	}
	if p.Sum != nil { // a missing sum isn't maintained
		filter = append(filter, bson.E{Key: p.Counter, Value: Where("$exists", true)})
	}
	result, err := parent.UpdateOne(ctx, filter, bson.D{p.inc(doc, by)})
	if err == nil && by > 0 && result.MatchedCount == 0 && p.Sum == nil {
		return ErrNotFound()
	}
	return err
}

// countWithin adds to a count that has a maximum, if there is room: of several concurrent calls, those that fit
// succeed.
func (k *kind) countWithin(ctx context.Context, p Parent, id bson.ObjectID, by int64) error {
	parent := k.db.kind(p.Kind)
	within := append(Where("_id", id), bson.E{Key: p.Counter, Value: Where("$lte", p.Max-by)})
	for range 2 {
		result, err := parent.UpdateOne(ctx, parent.live(within), bson.D{Inc(p.Counter, by)})
		if err != nil || result.MatchedCount > 0 {
			return err
		}
		began, err := k.beginCount(ctx, p, id)
		if err != nil {
			return err
		}
		if !began {
			break
		}
	}
	if p.Full != "" {
		return apperr.New(apperr.Conflict, "%s", p.Full).Because(ErrOverMax)
	}
	return ErrOverMax
}

// beginCount computes a count that a parent doesn't have yet, and reports whether it did. A parent that is gone is not
// found.
func (k *kind) beginCount(ctx context.Context, p Parent, id bson.ObjectID) (began bool, err error) {
	parent := k.db.kind(p.Kind)
	var has bool
	err = parent.one(ctx, parent.live(Where("_id", id)), func(raw bson.Raw) error { has = !raw.Lookup(p.Counter).IsZero(); return nil })
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, ErrNotFound()
	}
	if err != nil || has {
		return false, err
	}
	n, err := counted{k, p}.total(ctx, id)
	if err != nil {
		return false, err
	}
	_, err = parent.UpdateOne(ctx, parent.live(Where("_id", id, p.Counter, Absent)), bson.D{Set(p.Counter, n)})
	return true, err
}

// noteChange notifies caches that a document changed, when the change is over.
func (k *kind) noteChange(ctx context.Context, id bson.ObjectID) {
	if k.changed != nil {
		After(ctx, func() { k.changed(id) })
	}
}

// idOf is the _id of a document; cached kinds have ObjectIDs.
func idOf(doc bson.Raw) bson.ObjectID {
	id, _ := doc.Lookup("_id").ObjectIDOK()
	return id
}
