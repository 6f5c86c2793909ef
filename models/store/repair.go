package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Repair says how to repair.
type Repair struct {
	// Settle is longer than any change takes from its first write to its last, where other processes may be at work
	// without transactions: what is still wrong after it is wrong, and not half done. Zero where nobody else is.
	Settle time.Duration
	Say    func(format string, args ...any)
}

// Repaired is what a repair did.
type Repaired struct {
	Mended int // things that are right now
	Lost   int // things that were reported and cannot be mended
	Busy   int // things that kept changing: another run may look at them
	Young  int // files that no document names, and that one may be about to name
}

// repair is one that is under way. It works through the registry, so that every kind is looked at, and reads in pages, so
// that memory does not grow with the site. Each thing that it mends is right at once: it may end anywhere, and run again.
type repair struct {
	Repair
	Repaired
	db          *DB
	before      time.Time // files older than this are nobody's, if no document names them
	filesAtOnce int
}

const (
	walkPage    = 500
	repairTime  = 24 * time.Hour // a deadline of its own, or the driver's short one would hold
	filesAtOnce = 200_000
)

// Repair mends what a crash can leave behind on a database without transactions, and what a restored backup or a hand in
// the database may: duplicates that keep a unique index from being made, marks of removals of which nothing is noted,
// documents whose parent is gone, counts, placeholders of nothing, and files that no document names. Removals that are noted it finishes first, as
// the next start would: a site that was killed, or a backup of a running one, has some, and they are nothing to mend. The
// database need not be prepared.
func (db *DB) Repair(ctx context.Context, how Repair) (Repaired, error) {
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	r := &repair{Repair: how, db: db, before: db.settledAtStart(), filesAtOnce: filesAtOnce}
	if err := db.finishNoted(ctx); err != nil {
		return r.Repaired, translate(err)
	}
	for _, step := range []func(context.Context, *kind) error{r.makeIndexes, r.finishRemovals, r.removeOrphans, r.recount, r.dropPlaceholders, r.deriveAll, r.dropObsolete} {
		for _, k := range db.kinds {
			if err := step(ctx, k); err != nil {
				return r.Repaired, translate(err)
			}
		}
	}
	if err := db.finishNoted(ctx); err != nil { // placeholders that went with what hung on them
		return r.Repaired, translate(err)
	}
	return r.Repaired, errors.Join(r.compareFiles(ctx, ""), r.removeDrafts(ctx))
}

func (r *repair) mended(format string, args ...any) {
	r.Mended++
	r.Say(format, args...)
}

// walk visits the documents that match, in pages by _id, with the named fields, or with all where none are named.
func (k *kind) walk(ctx context.Context, filter bson.D, fields []string, visit func(page []bson.Raw) error) error {
	return k.walkAfter(ctx, nil, filter, fields, visit)
}

// walkAfter begins after an _id.
func (k *kind) walkAfter(ctx context.Context, id any, filter bson.D, fields []string, visit func(page []bson.Raw) error) error {
	opts := options.Find().SetSort(keys("_id")).SetLimit(walkPage)
	if fields != nil {
		opts.SetProjection(keys(append([]string{"_id"}, fields...)...))
	}
	rest := filter
	if id != nil {
		rest = append(Where("_id", Where("$gt", id)), filter...)
	}
	for {
		var page []bson.Raw
		err := k.Each(ctx, rest, func(raw bson.Raw) error {
			page = append(page, slices.Clone(raw))
			return nil
		}, opts)
		if err != nil || len(page) == 0 {
			return err
		}
		past := Where("$gt", page[len(page)-1].Lookup("_id"))
		if err := visit(page); err != nil {
			return err
		}
		rest = append(Where("_id", past), filter...)
	}
}

// finishRemovals removes what is marked as going, and was not noted. Where a process on the same database is at it too,
// each step is still done once.
func (r *repair) finishRemovals(ctx context.Context, k *kind) error {
	if k.isLeaf() {
		return nil
	}
	return k.walk(ctx, Where(deletedAt, Where("$exists", true)), nil, func(page []bson.Raw) error {
		return r.remove(ctx, k, page, func(bson.Raw) string { return "its removal had been cut off" })
	})
}

// remove removes documents of one kind. All are hidden before the first is erased: what may still arrive under them
// (engine.grace) is waited for once.
func (r *repair) remove(ctx context.Context, k *kind, docs []bson.Raw, why func(bson.Raw) string) error {
	hide := k.mark
	if k.isLeaf() {
		hide = k.deleteCounted
	}
	docs = slices.DeleteFunc(docs, func(doc bson.Raw) bool { return idOf(doc).IsZero() }) // not one of ours
	for _, doc := range docs {
		err := r.db.Atomically(ctx, func(ctx context.Context) error {
			_, err := hide(ctx, k.live(Where("_id", idOf(doc))), bson.ObjectID{})
			return err
		})
		if err == nil && r.db.grace > 0 {
			err = k.clear(ctx, idOf(doc), false)
		}
		if err != nil {
			return err
		}
	}
	if len(docs) > 0 && !k.isLeaf() {
		if err := wait(ctx, r.db.grace); err != nil {
			return err
		}
	}
	for _, doc := range docs {
		if err := k.clear(ctx, idOf(doc), true); err != nil {
			return err
		}
		r.mended("%s %s: removed, %s", k.Name, idOf(doc).Hex(), why(doc))
	}
	return nil
}

// removeOrphans removes documents whose parent is gone. A parent is there before its first child, so that none is taken
// for gone which is only just coming.
func (r *repair) removeOrphans(ctx context.Context, k *kind) error {
	var fields []string
	for _, p := range k.links() {
		fields = append(fields, p.Field)
	}
	if fields == nil {
		return nil
	}
	return k.walk(ctx, bson.D{}, fields, func(page []bson.Raw) error {
		for _, p := range k.links() {
			there, err := r.there(ctx, p, page)
			if err != nil {
				return err
			}
			var orphans, rest []bson.Raw
			for _, doc := range page {
				if id, named := p.id(doc); named && !there[id] {
					orphans = append(orphans, doc)
				} else {
					rest = append(rest, doc)
				}
			}
			err = r.remove(ctx, k, orphans, func(doc bson.Raw) string {
				id, _ := p.id(doc)
				return p.Field + " " + id.Hex() + " is not among the " + p.Kind
			})
			if err != nil {
				return err
			}
			page = rest
		}
		return nil
	})
}

// dropObsolete removes the fields that an earlier version kept.
func (r *repair) dropObsolete(ctx context.Context, k *kind) error {
	if len(k.Obsolete) == 0 {
		return nil
	}
	unset := bson.D{}
	for _, field := range k.Obsolete {
		unset = append(unset, bson.E{Key: field, Value: ""})
	}
	dropped := 0
	err := k.walk(ctx, bson.D{}, k.Obsolete, func(page []bson.Raw) error {
		for _, doc := range page {
			if elements, err := doc.Elements(); err != nil || len(elements) == 1 { // the _id alone
				continue
			}
			if _, err := k.UpdateOne(ctx, Where("_id", doc.Lookup("_id")), bson.D{{Key: "$unset", Value: unset}}); err != nil {
				return err
			}
			dropped++
		}
		return nil
	})
	if dropped > 0 {
		r.mended("%s: removed what an earlier version kept in %d documents", k.Name, dropped)
	}
	return err
}

// there tells which of the parents that a page names exist.
func (r *repair) there(ctx context.Context, p Parent, page []bson.Raw) (map[bson.ObjectID]bool, error) {
	found := map[bson.ObjectID]bool{}
	var ids []bson.ObjectID
	for _, doc := range page {
		if id, named := p.id(doc); named {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return found, nil
	}
	err := r.db.kind(p.Kind).Each(ctx, Where("_id", In(ids)), func(raw bson.Raw) error {
		found[idOf(raw)] = true
		return nil
	}, options.Find().SetProjection(keys("_id")))
	return found, err
}
