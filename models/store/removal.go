package store

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/media"
)

// removal is a job that must be finished once it has started, if necessary by another process.
type removal struct {
	ID         string        `bson:"_id"`
	Collection string        `bson:"collection"`
	Document   bson.ObjectID `bson:"document"`
	File       string        `bson:"file"` // instead of a document: a file that no document names any more
	NotedAt    time.Time     `bson:"notedAt"`
}

// markedWithin is the longest time between noting a job and marking its document, if the two are not one transaction:
// longer than any write may take.
const markedWithin = 5 * time.Minute

// removeBatch is how many children of a document that is being removed are deleted, or marked, together.
const removeBatch = 50

// removalsAtOnce is how many removals use the database at the same time: requests wait behind these at most, even if
// thousands of documents are removed together.
const removalsAtOnce = 8

// Remove removes a document and its children, if it meets the conditions. Once it returns, nobody sees the document and
// nothing counts it. Its children, its files and the document itself are deleted in the background, if necessary after
// the next start.
func (d *Documents[T]) Remove(ctx context.Context, id bson.ObjectID, conditions bson.D) error {
	if d.kind.isLeaf() {
		return errors.New("store: " + d.kind.Name + " are leaves: they are deleted")
	}
	filter := d.kind.live(append(Where("_id", id), conditions...))
	return d.kind.db.Atomically(ctx, func(ctx context.Context) error {
		if err := d.kind.one(ctx, filter, func(bson.Raw) error { return nil }); err != nil {
			return err
		}
		var removed bool
		var err error
		if d.kind.leavesPlaceholder("") {
			removed, err = d.kind.giveWay(ctx, filter, bson.ObjectID{})
		} else {
			removed, err = d.kind.markNoted(ctx, id, filter)
		}
		if err == nil && !removed {
			err = ErrNotFound() // changed or removed by a concurrent request
		}
		return err
	})
}

// markNoted marks a document and notes that its children must be removed.
func (k *kind) markNoted(ctx context.Context, id bson.ObjectID, filter bson.D) (bool, error) {
	job := removal{ID: k.Name + "/" + id.Hex(), Collection: k.Name, Document: id, NotedAt: k.db.Now()}
	if err := k.db.noteRemoval(ctx, job); err != nil {
		return false, err
	}
	After(ctx, func() { k.db.inBackground(job) })
	return k.mark(ctx, filter, bson.ObjectID{})
}

// mark hides a document and updates its parents' counts, and reports whether it was this call that did.
func (k *kind) mark(ctx context.Context, filter bson.D, going bson.ObjectID) (bool, error) {
	raw, err := essential{k.collection}.FindOneAndUpdateRaw(ctx, filter, bson.D{Set(deletedAt, k.db.Now())}) // it frees space
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	k.noteChange(ctx, idOf(raw))
	return true, k.count(ctx, raw, -1, going)
}

// noteRemoval notes a job, or when it was last noted: one that an earlier attempt left behind is as good as a new one.
func (db *DB) noteRemoval(ctx context.Context, job removal) error {
	update := bson.D{Set("collection", job.Collection, "document", job.Document, "file", job.File, "notedAt", job.NotedAt)}
	_, err := db.removals.UpdateOne(ctx, Where("_id", job.ID), update, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) { // another process noted it at the same moment
		return nil
	}
	return err
}

// inBackground finishes a removal.
func (db *DB) inBackground(job removal) {
	db.Finish("removal of "+job.ID, func(ctx context.Context) error { return db.finishRemoval(ctx, job) })
}

// Finish runs work in the background, retrying with growing pauses as long as the process runs. If the next process
// must finish it, pass a function that resumes it to AtStart.
func (db *DB) Finish(name string, work func(ctx context.Context) error) {
	db.Background(func(ctx context.Context) {
		for pause := db.pause; ; pause = min(2*pause, time.Minute) {
			err := work(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			if !errors.Is(err, media.ErrHeld) {
				db.work.failed.Add(1)
				db.log.Warn("work in the background is not finished and will be tried again", "work", name, "error", err)
			}
			if wait(ctx, pause) != nil {
				return
			}
		}
	})
}

// WaitRemovals waits until no background work is running, for tests.
func (db *DB) WaitRemovals() { db.jobs.Wait() }

func (db *DB) resumeRemovals(ctx context.Context) error {
	jobs, err := db.notedRemovals(ctx)
	for _, job := range jobs {
		db.inBackground(job)
	}
	return translate(err)
}

// finishNoted finishes the noted removals while the caller waits.
func (db *DB) finishNoted(ctx context.Context) error {
	jobs, err := db.notedRemovals(ctx)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if err := db.finishRemoval(ctx, job); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) notedRemovals(ctx context.Context) (jobs []removal, err error) {
	err = db.removals.Each(ctx, bson.D{}, func(raw bson.Raw) error {
		var job removal
		if err := bson.Unmarshal(raw, &job); err != nil {
			return err
		}
		jobs = append(jobs, job)
		return nil
	})
	return jobs, err
}

// finishRemoval deletes a marked document and its children. Each step is idempotent, so an interrupted removal is simply
// run again. If a document whose insert has seen its parent may still arrive (engine.grace), everything is hidden first,
// and erased once nothing can arrive any more.
func (db *DB) finishRemoval(ctx context.Context, job removal) error {
	var marked time.Time
	err := db.inTurn(ctx, func() (err error) {
		marked, err = db.beginRemoval(ctx, job)
		return err
	})
	if err != nil || marked.IsZero() {
		return err
	}
	k := db.kind(job.Collection)
	if db.Now().Before(marked.Add(db.grace)) {
		if err := db.inTurn(ctx, func() error { return k.clear(ctx, job.Document, false) }); err != nil {
			return err
		}
		if err := wait(ctx, db.grace); err != nil {
			return err
		}
	}
	return db.inTurn(ctx, func() error { return k.clear(ctx, job.Document, true) })
}

// inTurn runs part of a removal, as one of removalsAtOnce.
func (db *DB) inTurn(ctx context.Context, part func() error) error {
	select {
	case db.removing <- struct{}{}:
		defer func() { <-db.removing }()
		return part()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beginRemoval returns when the job's document was marked. If it is zero, nothing is left to do.
func (db *DB) beginRemoval(ctx context.Context, job removal) (marked time.Time, err error) {
	if job.File != "" {
		if err := db.files.Delete(ctx, job.File); err != nil {
			return marked, err
		}
		return marked, db.dropRemoval(ctx, job.ID)
	}
	err = db.kind(job.Collection).one(ctx, Where("_id", job.Document), func(raw bson.Raw) error {
		marked, _ = raw.Lookup(deletedAt).TimeOK()
		return nil
	})
	switch {
	case errors.Is(err, mongo.ErrNoDocuments): // everything except this is done
		return marked, db.dropRemoval(ctx, job.ID)
	case err != nil || !marked.IsZero():
		return marked, err
	case db.Now().Before(job.NotedAt.Add(markedWithin)):
		return marked, nil // the process that noted it may be about to mark it
	}
	return marked, db.dropRemoval(ctx, job.ID)
}

func (db *DB) dropRemoval(ctx context.Context, id string) error {
	_, err := db.removals.DeleteOne(ctx, Where("_id", id))
	return err
}

// clear deletes a marked document's files and children and, if erase is set, finally the document. Files are first: on
// a full disk they make the room that the rest needs.
func (k *kind) clear(ctx context.Context, id bson.ObjectID, erase bool) error {
	var files []string
	err := k.one(ctx, Where("_id", id), func(raw bson.Raw) error { files = k.filesOf(raw); return nil })
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return err
	}
	if err := k.db.DeleteFiles(ctx, files...); err != nil {
		return err
	}
	for _, child := range k.db.kinds {
		for _, p := range child.links() {
			if p.Kind != k.Name {
				continue
			}
			if err := child.clearOf(ctx, p, id, erase); err != nil {
				return err
			}
		}
	}
	for _, other := range k.db.kinds {
		for _, l := range other.Lists {
			if l.Kind != k.Name {
				continue
			}
			if err := other.takeOut(ctx, l.Field, id); err != nil {
				return err
			}
		}
	}
	if !erase {
		return nil
	}
	return k.db.Atomically(ctx, func(ctx context.Context) error {
		if _, err := k.DeleteOne(ctx, Where("_id", id)); err != nil {
			return err
		}
		return k.db.dropRemoval(ctx, k.Name+"/"+id.Hex())
	})
}

// clearOf clears the children of a document that is being removed: leaves that nothing else counts all at once, others
// in batches.
func (k *kind) clearOf(ctx context.Context, p Parent, going bson.ObjectID, erase bool) error {
	filter := Where(p.Field, going)
	if k.isLeaf() && !k.countedBeside(p) {
		_, err := k.DeleteMany(ctx, filter)
		return err
	}
	if !erase {
		filter = k.live(filter)
	}
	for {
		var ids []bson.ObjectID
		err := k.Each(ctx, filter, func(raw bson.Raw) error {
			ids = append(ids, idOf(raw))
			return nil
		}, options.Find().SetProjection(keys("_id")).SetLimit(removeBatch))
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := k.clearEach(ctx, p, ids, going, erase); err != nil {
			return err
		}
	}
}

func (k *kind) countedBeside(going Parent) bool {
	for _, p := range k.Parents {
		if p.Counter != "" && p.Field != going.Field {
			return true
		}
	}
	return false
}

// clearEach clears documents whose parent is being removed. One that became a placeholder stays, or is noted as a
// removal of its own.
func (k *kind) clearEach(ctx context.Context, p Parent, ids []bson.ObjectID, going bson.ObjectID, erase bool) error {
	hide := k.hider(p.Field)
	var marked []bson.ObjectID
	err := k.db.Atomically(ctx, func(ctx context.Context) error {
		marked = marked[:0]
		for _, id := range ids {
			hidden, err := hide(ctx, k.live(Where("_id", id)), going)
			if err != nil {
				return err
			}
			if !hidden || !k.leavesPlaceholder(p.Field) {
				marked = append(marked, id)
			}
		}
		return nil
	})
	if err != nil || k.isLeaf() {
		return err
	}
	for _, id := range marked {
		if err := k.clear(ctx, id, erase); err != nil {
			return err
		}
	}
	return nil
}

func (k *kind) filesOf(doc bson.Raw) (names []string) {
	for _, field := range k.Files {
		if name, _ := doc.Lookup(field).StringValueOK(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// DeleteFiles deletes files that no document names any more; empty names are skipped. While a backup needs them, it
// notes the job instead, so that they are deleted after the backup or at the next start.
func (db *DB) DeleteFiles(ctx context.Context, names ...string) error {
	if db.files == nil {
		return nil
	}
	err := db.files.Delete(ctx, names...)
	if !errors.Is(err, media.ErrHeld) {
		return err
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		job := removal{ID: "files/" + name, File: name, NotedAt: db.Now()}
		if err := db.noteRemoval(ctx, job); err != nil {
			return translate(err)
		}
		db.inBackground(job)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
