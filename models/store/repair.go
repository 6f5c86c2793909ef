package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Repair configures a repair.
type Repair struct {
	// Settle is longer than any change takes from its first write to its last, if other processes may be running
	// without transactions: what is still wrong after that is wrong, not half done. Zero if no other process is
	// running.
	Settle time.Duration
	Say    func(format string, args ...any)
}

// Repaired is what a repair did.
type Repaired struct {
	Mended int // things that were corrected
	Lost   int // things that were reported and can't be corrected
	Busy   int // things that kept changing: run it again for those
	Young  int // files that no document names, but that one may be about to name
}

// repair is a repair in progress. It works through the registry, so it covers every kind, and reads in pages, so memory
// doesn't grow with the site. Each correction is complete on its own: the repair may be interrupted anywhere and run
// again.
type repair struct {
	Repair
	Repaired
	db          *DB
	before      time.Time // files older than this are orphans if no document names them
	filesAtOnce int
}

const (
	walkPage    = 500
	repairTime  = 24 * time.Hour // a deadline of its own, or the driver's short one would apply
	filesAtOnce = 200_000
)

// Repair corrects what a crash can leave behind on a database without transactions, and what a restored backup or
// manual changes to the database may: duplicates that prevent a unique index, marks of removals without a note,
// documents whose parent is gone, wrong counts, placeholders without children, and files that no document names. First
// it finishes noted removals, as the next start would: a site that was killed, or a backup of a running one, has some,
// and they are no fault. The database need not be prepared.
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
	if err := db.finishNoted(ctx); err != nil { // placeholders that were removed with their last child
		return r.Repaired, translate(err)
	}
	return r.Repaired, errors.Join(r.compareFiles(ctx, ""), r.removeDrafts(ctx))
}

func (r *repair) mended(format string, args ...any) {
	r.Mended++
	r.Say(format, args...)
}

// walk visits the documents that match, in pages by _id, with the named fields, or all fields if none are named.
func (k *kind) walk(ctx context.Context, filter bson.D, fields []string, visit func(page []bson.Raw) error) error {
	return k.walkAfter(ctx, nil, filter, fields, visit)
}

// walkAfter starts after an _id.
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

// finishRemovals removes what is marked as removed but wasn't noted. If a process on the same database is doing the
// same, each step still happens once.
func (r *repair) finishRemovals(ctx context.Context, k *kind) error {
	if k.isLeaf() {
		return nil
	}
	return k.walk(ctx, Where(deletedAt, Where("$exists", true)), nil, func(page []bson.Raw) error {
		return r.remove(ctx, k, page, func(bson.Raw) string { return "its removal had been cut off" })
	})
}

// remove removes documents of one kind. All are hidden before the first is erased, so that it waits only once for
// children that may still arrive (engine.grace).
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

// removeOrphans removes documents whose parent is gone. A parent exists before its first child, so a new child is never
// mistaken for an orphan.
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

// dropObsolete removes fields of earlier versions.
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
			if elements, err := doc.Elements(); err != nil || len(elements) == 1 { // only the _id
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

// there reports which of the parents that a page names exist.
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
