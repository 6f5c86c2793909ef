package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
	"tokentube/utils/media"
)

// removal is a job that must be finished once it has begun, also by another
// process than the one that began it.
type removal struct {
	ID         string        `bson:"_id"`
	Collection string        `bson:"collection"`
	Document   bson.ObjectID `bson:"document"`
	File       string        `bson:"file"` // instead of a document: a file that none names any more
	NotedAt    time.Time     `bson:"notedAt"`
}

// markedWithin is how long after its job was noted a document is marked at the
// latest: longer than any write may take.
const markedWithin = 5 * time.Minute

// beginRemoval marks the document with deletedAt, from which moment no query
// shows it, and clears up behind it in the background. The filter says whose it
// must be. The job is noted before the mark, and a job whose document was not
// marked soon afterwards is void: at no moment can the process die and leave a
// marked document that nobody clears up.
func (db *DB) beginRemoval(ctx context.Context, name string, id bson.ObjectID, filter bson.D) error {
	filter = append(filter, bson.E{Key: "_id", Value: id}, bson.E{Key: "deletedAt", Value: absent})
	if n, err := db.entity(name).CountDocuments(ctx, filter); err != nil || n == 0 {
		return translate(cmp.Or(err, mongo.ErrNoDocuments))
	}
	job := removal{ID: name + "/" + id.Hex(), Collection: name, Document: id, NotedAt: db.now()}
	if err := db.noteRemoval(ctx, job); err != nil {
		return err
	}
	mark := bson.D{{Key: "$set", Value: bson.D{{Key: "deletedAt", Value: db.now()}}}}
	result, err := db.entity(name).UpdateOne(ctx, filter, mark)
	if err != nil {
		if inDoubt(err) { // it may be marked
			db.background(job)
		}
		return translate(err)
	}
	if result.MatchedCount == 0 {
		return ErrNotFound() // the job is void, and dropped by a later start
	}
	db.background(job)
	return nil
}

// noteRemoval notes a job, or when it was noted last: one that an earlier try
// left behind is as good as new.
func (db *DB) noteRemoval(ctx context.Context, job removal) error {
	_, err := db.removals.UpdateOne(ctx, bson.D{{Key: "_id", Value: job.ID}}, bson.D{{Key: "$set", Value: bson.D{
		{Key: "collection", Value: job.Collection}, {Key: "document", Value: job.Document},
		{Key: "file", Value: job.File}, {Key: "notedAt", Value: job.NotedAt},
	}}}, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) { // another process noted it at the same moment
		return nil
	}
	return translate(err)
}

// background runs a removal; what cannot be finished now is at the next start.
func (db *DB) background(job removal) {
	db.eventually("the removal of "+job.ID, func(ctx context.Context) error { return db.finishRemoval(ctx, job) })
}

// WaitRemovals waits until no removal is running, for tests.
func (db *DB) WaitRemovals() { db.jobs.Wait() }

func (db *DB) resumeRemovals(ctx context.Context) error {
	cursor, err := db.removals.Find(ctx, bson.D{})
	jobs, err := collect[removal](ctx, cursor, err)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		db.background(job)
	}
	return nil
}

func (db *DB) finishRemoval(ctx context.Context, job removal) error {
	if job.File != "" {
		if err := db.deleteFiles(ctx, job.File); err != nil {
			return err
		}
		return db.dropRemoval(ctx, job)
	}
	e := db.entity(job.Collection)
	doc, err := decode[struct {
		DeletedAt *time.Time `bson:"deletedAt"`
	}](e.FindOne(ctx, bson.D{{Key: "_id", Value: job.Document}}))
	switch {
	case apperr.Is(err, apperr.NotFound): // all is done but this
	case err != nil:
		return err
	case doc.DeletedAt != nil:
		if err := db.remove(ctx, e, job.Document); err != nil {
			return err
		}
	case db.now().Before(job.NotedAt.Add(markedWithin)):
		return nil // the process that noted it may be about to mark it
	}
	return db.dropRemoval(ctx, job)
}

func (db *DB) dropRemoval(ctx context.Context, job removal) error {
	_, err := db.removals.DeleteOne(ctx, bson.D{{Key: "_id", Value: job.ID}})
	return err
}

// remove deletes a document with all that hangs on it. Each step may be done
// twice without harm, so that a removal that was cut off is simply done again.
func (db *DB) remove(ctx context.Context, e *entity, id bson.ObjectID) error {
	// The mark claims the document: whoever else would take its counts back (an
	// unlike in another tab) passes over marked ones.
	mark := bson.D{{Key: "$set", Value: bson.D{{Key: "deletedAt", Value: db.now()}}}}
	doc, err := decode[bson.M](e.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: id}}, mark))
	if apperr.Is(err, apperr.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	for _, child := range db.entities {
		for _, p := range child.hangsOn(e.name) {
			if err := db.removeChildren(ctx, child, p, id); err != nil {
				return err
			}
		}
	}
	if err := db.uncount(ctx, e, *doc); err != nil {
		return err
	}
	if err := db.removeFiles(ctx, e, *doc); err != nil {
		return err
	}
	_, err = e.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}})
	return translate(err)
}

// removeChildren removes what hangs on a document that is going. Where nothing
// else would be left wrong by it, all go in one delete.
func (db *DB) removeChildren(ctx context.Context, child *entity, p parent, id bson.ObjectID) error {
	filter := bson.D{{Key: p.field, Value: id}}
	if db.isLeaf(child, p) {
		_, err := child.DeleteMany(ctx, filter)
		return translate(err)
	}
	for {
		cursor, err := child.Find(ctx, filter, options.Find().SetLimit(100).SetProjection(bson.D{{Key: "_id", Value: 1}}))
		docs, err := collect[struct {
			ID bson.ObjectID `bson:"_id"`
		}](ctx, cursor, err)
		if err != nil || len(docs) == 0 {
			return err
		}
		for _, doc := range docs {
			if err := db.remove(ctx, child, doc.ID); err != nil {
				return err
			}
		}
	}
}

// isLeaf tells a type that has no files, on which nothing hangs, and which
// counts on nothing but the parent that is going anyway.
func (db *DB) isLeaf(child *entity, going parent) bool {
	for _, p := range child.parents {
		if p.counter != "" && p.name != going.name {
			return false
		}
	}
	for _, e := range db.entities {
		if len(e.hangsOn(child.name)) > 0 {
			return false
		}
	}
	return len(child.files) == 0
}

// uncount takes a going document out of its parents' counts.
func (db *DB) uncount(ctx context.Context, e *entity, doc bson.M) error {
	for _, p := range e.parents {
		if p.counter == "" || (p.counts.Key != "" && doc[p.counts.Key] != p.counts.Value) {
			continue
		}
		gone := tally{parent: p.name, id: doc[p.field], counter: p.counter, by: -1, change: doc["_id"]}
		if _, err := db.countOnce(ctx, gone, bson.D{}); err != nil {
			return translate(err)
		}
	}
	return nil
}

func (db *DB) removeFiles(ctx context.Context, e *entity, doc bson.M) error {
	var names []string
	for _, field := range e.files {
		if name, _ := doc[field].(string); name != "" {
			names = append(names, name)
		}
	}
	if err := db.DeleteFiles(ctx, names...); err != nil {
		return fmt.Errorf("files of %s: %w", e.name, err)
	}
	return nil
}

// DeleteFiles deletes files that no document names any more; empty names are
// skipped. While a backup holds them, it notes the job instead, so that they go
// after the backup, or at the next start.
func (db *DB) DeleteFiles(ctx context.Context, names ...string) error {
	err := db.deleteFiles(ctx, names...)
	if !errors.Is(err, media.ErrHeld) {
		return err
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		job := removal{ID: "files/" + name, File: name, NotedAt: db.now()}
		if err := db.noteRemoval(ctx, job); err != nil {
			return err
		}
		db.background(job)
	}
	return nil
}
