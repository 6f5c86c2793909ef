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

// Kind describes a kind of document, once. Whatever must hold for all kinds (their indexes exist, they go when what they
// hang on goes, the counts that they raised come down, their files are deleted) is done by walking the registry, so that
// a new kind cannot be forgotten.
type Kind struct {
	Name     string
	Indexes  []mongo.IndexModel
	Parents  []Parent
	Lists    []List   // fields that name several documents
	Files    []string // fields that name a stored file
	Cached   bool     // see Documents.Cached
	Obsolete []string // fields that an earlier version kept: ignored, until Repair removes them
	Derived  Derived  // fields that follow from others

	// Essential documents are small and pass: they are written on a full disk too, so that people can log in and make room.
	Essential bool

	People bool              // each of these documents is a person
	Export Export            // what a person gets of the documents that are theirs
	Loose  map[string]string // fields with ids on which a document does not hang, and why

	Placeholder *Placeholder // what stays of a document that others of its own kind hang on; nil: nothing
}

// Parent says what a document hangs on: it is inserted only while its parent is there, and goes with it.
type Parent struct {
	Kind    string
	Field   string // where the document keeps the parent's _id; a document without it has no such parent
	Counter string // the parent's field that counts these documents, if one does
	If      bson.E // only documents with this field and value are counted; zero: all
	Max     int64  // how many it counts at most; zero: any number
	Full    string // what anybody who adds one more is told; empty: they get ErrOverMax

	// Sum makes Counter add up these number fields of the documents, in place of counting them, up to Max. A parent that is
	// older than the sum has none until a document is inserted, or Repair runs.
	Sum []string

	Score Score // what else each counted document adds to the parent
}

// ErrOverMax is the error for a document that would make a count or a sum larger than it may be.
var ErrOverMax = errors.New("store: a count would exceed its bound")

// kind is a registered one.
type kind struct {
	collection
	Kind
	db       *DB
	changed  func(id bson.ObjectID)      // called after a document was changed; nil: nobody asks
	cacheUse func() (hits, misses int64) // nil: there is no cache
	leaf     func() bool                 // see isLeaf; worked out once, when all kinds are registered
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

// hangsOn lists how k hangs on another kind.
func (k *kind) hangsOn(name string) []Parent {
	return slices.DeleteFunc(slices.Clone(k.Parents), func(p Parent) bool { return p.Kind != name })
}

// links are the parents, each once, however many counts of it there are.
func (k *kind) links() (links []Parent) {
	for _, p := range k.Parents {
		if !slices.ContainsFunc(links, func(l Parent) bool { return l.Kind == p.Kind && l.Field == p.Field }) {
			links = append(links, p)
		}
	}
	return links
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

// amount is what the document adds to the parent's count: one, or its part of a sum.
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

// equal compares a value of a document with one of Go's.
func equal(stored bson.RawValue, value any) bool {
	t, data, err := bson.MarshalValue(value)
	return err == nil && stored.Equal(bson.RawValue{Type: t, Value: data})
}

// checkParents makes sure that all parents are there, but for those whose count shows it in the same transaction.
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

// countShows tells whether counting the document on the parent of a field shows that it is there.
func (k *kind) countShows(field string, doc bson.Raw) bool {
	return slices.ContainsFunc(k.Parents, func(p Parent) bool { return p.Field == field && p.amount(doc) > 0 })
}

// bounded and unbounded tell two kinds of counts: those that may refuse a document come before it, the others after it.
func bounded(p Parent) bool   { return p.Max > 0 }
func unbounded(p Parent) bool { return p.Max == 0 }

// count adds to the counts of the parents that count a document, but for one that is going itself. If one is gone, the
// others count all the same: without transactions the document stays until that one's removal finds it, and takes it out
// of their counts.
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

// countOn adds to the count of one parent. A document less is taken from any parent; one more needs a parent that stays,
// and room.
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
	if p.Sum != nil { // what is not there is not kept up to date
		filter = append(filter, bson.E{Key: p.Counter, Value: Where("$exists", true)})
	}
	result, err := parent.UpdateOne(ctx, filter, bson.D{p.inc(doc, by)})
	if err == nil && by > 0 && result.MatchedCount == 0 && p.Sum == nil {
		return ErrNotFound()
	}
	return err
}

// countWithin adds to a count that has a bound, if there is room: of several at once, those that fit.
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

// beginCount works out a count that a parent does not have yet, and tells whether it did. A parent that is gone is not found.
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

// noteChange tells whoever keeps copies that a document changed, when the change is over.
func (k *kind) noteChange(ctx context.Context, id bson.ObjectID) {
	if k.changed != nil {
		After(ctx, func() { k.changed(id) })
	}
}

// idOf is the _id of a document; kinds of which copies are kept have ObjectIDs.
func idOf(doc bson.Raw) bson.ObjectID {
	id, _ := doc.Lookup("_id").ObjectIDOK()
	return id
}
