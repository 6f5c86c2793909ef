package models

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/media"
)

// Repair says how to repair, and what to work on beside the documents.
type Repair struct {
	Files *media.Store
	// Settle is longer than any change takes from its first write to its last,
	// where other processes may be at work: what is still wrong after it is wrong,
	// and not half done. Zero where nobody else is.
	Settle time.Duration
	Say    func(format string, args ...any)
}

// Repaired is what a repair did.
type Repaired struct {
	Mended int // things that are right now
	Lost   int // things that were told and cannot be mended
	Busy   int // things that kept changing: another run may look at them
}

// repair is one that is under way. It works through the registry, so that every
// type of document is looked at, and reads in pages, so that memory does not grow
// with the site. Each thing that it mends is right at once: it may end anywhere,
// and run again.
type repair struct {
	Repair
	Repaired
	db          *DB
	filesAtOnce int
}

const (
	repairPage  = 500
	repairTime  = 24 * time.Hour // a deadline of its own, or the driver's short one would hold
	filesAtOnce = 200_000
)

// Repair mends what crashes and lost connections left wrong: doubles that keep a
// unique index from being made, removals that were cut off, documents whose parent
// is gone, counts, and files that no document names. The database need not be
// prepared.
func (db *DB) Repair(ctx context.Context, how Repair) (Repaired, error) {
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	r := &repair{Repair: how, db: db, filesAtOnce: filesAtOnce}
	for _, step := range []func(context.Context, *entity) error{r.makeIndexes, r.finishRemovals, r.removeOrphans, r.recount} {
		for _, e := range db.entities {
			if err := step(ctx, e); err != nil {
				return r.Repaired, err
			}
		}
	}
	return r.Repaired, r.compareFiles(ctx, "")
}

func (r *repair) mended(format string, args ...any) {
	r.Mended++
	r.Say(format, args...)
}

// walk visits the documents that match, in pages by _id, with the named fields.
func (e *entity) walk(ctx context.Context, filter bson.D, fields []string, visit func(page []bson.M) error) error {
	opts := options.Find().SetSort(keys("_id")).SetLimit(repairPage).SetProjection(keys(append([]string{"_id"}, fields...)...))
	page := filter
	for {
		cursor, err := e.Find(ctx, page, opts)
		docs, err := collect[bson.M](ctx, cursor, err)
		if err != nil || len(docs) == 0 {
			return err
		}
		after := bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: docs[len(docs)-1]["_id"]}}}
		if err := visit(docs); err != nil {
			return err
		}
		page = append(bson.D{after}, filter...)
	}
}

// finishRemovals removes what is marked as going. Where a process on the same
// database is at it too, each step is still done once.
func (r *repair) finishRemovals(ctx context.Context, e *entity) error {
	marked := bson.D{{Key: "deletedAt", Value: bson.D{{Key: "$exists", Value: true}}}}
	return e.walk(ctx, marked, nil, func(page []bson.M) error {
		for _, doc := range page {
			if err := r.remove(ctx, e, doc, "its removal had been cut off"); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *repair) remove(ctx context.Context, e *entity, doc bson.M, why string) error {
	id, ok := doc["_id"].(bson.ObjectID)
	if !ok {
		return nil
	}
	if err := r.db.remove(ctx, e, id); err != nil {
		return err
	}
	r.mended("%s %s: removed, %s", e.name, id.Hex(), why)
	return nil
}

// removeOrphans removes documents whose parent is gone. A parent is there before
// its first child, so that none is taken for gone which is only just coming.
func (r *repair) removeOrphans(ctx context.Context, e *entity) error {
	if len(e.parents) == 0 {
		return nil
	}
	var fields []string
	for _, p := range e.parents {
		fields = append(fields, p.field)
	}
	return e.walk(ctx, bson.D{}, fields, func(page []bson.M) error {
		for _, p := range e.parents {
			there, err := r.there(ctx, p, page)
			if err != nil {
				return err
			}
			page = slices.DeleteFunc(page, func(doc bson.M) bool {
				id, named := parentID(doc, p)
				if err != nil || !named || there[id] {
					return false
				}
				err = r.remove(ctx, e, doc, p.field+" "+id.Hex()+" is not among the "+p.name)
				return err == nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// parentID reads which parent a document names, if it does.
func parentID(doc bson.M, p parent) (bson.ObjectID, bool) {
	id, ok := doc[p.field].(bson.ObjectID)
	return id, ok && !id.IsZero()
}

// there tells which of the parents that a page names exist.
func (r *repair) there(ctx context.Context, p parent, page []bson.M) (map[bson.ObjectID]bool, error) {
	found := map[bson.ObjectID]bool{}
	var ids []bson.ObjectID
	for _, doc := range page {
		if id, named := parentID(doc, p); named && !found[id] {
			found[id] = true
			ids = append(ids, id)
		}
	}
	clear(found)
	if len(ids) == 0 {
		return found, nil
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
	cursor, err := r.db.entity(p.name).Find(ctx, filter, options.Find().SetProjection(keys("_id")))
	docs, err := collect[bson.M](ctx, cursor, err)
	for _, doc := range docs {
		if id, ok := doc["_id"].(bson.ObjectID); ok {
			found[id] = true
		}
	}
	return found, err
}
