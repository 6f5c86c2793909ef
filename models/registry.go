package models

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// entity is what the registry knows of a type of document. Whatever must hold
// for all types (their indexes are made, they go when what they hang on goes,
// the counts that they raised come down, their files are deleted) is done by
// walking the registry, so that a new type cannot be forgotten.
type entity struct {
	Collection
	name    string
	indexes []mongo.IndexModel
	parents []parent
	files   []string // fields that name a stored file
}

// parent says that a document hangs on another one.
type parent struct {
	name    string // the parent's collection
	field   string // where the document keeps the parent's _id
	counter string // the parent's field that counts these documents, if one does
	counts  bson.E // only documents with this field and value are counted; the zero counts all
}

// register adds a type of document and returns its collection.
func (db *DB) register(e entity) Collection {
	e.Collection = db.engine.collection(e.name)
	db.entities = append(db.entities, &e)
	return e.Collection
}

func (db *DB) entity(name string) *entity {
	for _, e := range db.entities {
		if e.name == name {
			return e
		}
	}
	panic("models: no collection " + name + " is registered")
}

// hangsOn finds how e hangs on the collection with this name.
func (e *entity) hangsOn(name string) []parent {
	var found []parent
	for _, p := range e.parents {
		if p.name == name {
			found = append(found, p)
		}
	}
	return found
}

// removal is a job that must be finished once it has begun, also by another
// process than the one that began it.
type removal struct {
	ID         string        `bson:"_id"`
	Collection string        `bson:"collection"`
	Document   bson.ObjectID `bson:"document"`
}

// beginRemoval marks the document with deletedAt, from which moment no query
// shows it, and clears up behind it in the background. The filter says whose it
// must be. The job is noted before the mark, and a job whose document was never
// marked is void: at no moment can the process die and leave a marked document
// that nobody clears up.
func (db *DB) beginRemoval(ctx context.Context, name string, id bson.ObjectID, filter bson.D) error {
	filter = append(filter, bson.E{Key: "_id", Value: id}, bson.E{Key: "deletedAt", Value: absent})
	if n, err := db.entity(name).CountDocuments(ctx, filter); err != nil || n == 0 {
		return translate(cmp.Or(err, mongo.ErrNoDocuments))
	}
	job := removal{ID: name + "/" + id.Hex(), Collection: name, Document: id}
	if _, err := db.removals.InsertOne(ctx, job); err != nil && !mongo.IsDuplicateKeyError(err) {
		return translate(err)
	}
	mark := bson.D{{Key: "$set", Value: bson.D{{Key: "deletedAt", Value: db.now()}}}}
	result, err := db.entity(name).UpdateOne(ctx, filter, mark)
	if err != nil {
		return translate(err)
	}
	if result.MatchedCount == 0 {
		return ErrNotFound() // the job is void, and dropped when it is next looked at
	}
	db.background(job)
	return nil
}

// background runs a removal; what cannot be finished now is at the next start.
func (db *DB) background(job removal) {
	db.jobs.Go(func() {
		if err := db.finishRemoval(db.working, job); err != nil && db.working.Err() == nil {
			db.log.Error("a removal is not finished; the next start goes on with it", "removal", job.ID, "error", err)
		}
	})
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
	e := db.entity(job.Collection)
	marked := bson.D{{Key: "_id", Value: job.Document}, {Key: "deletedAt", Value: bson.D{{Key: "$exists", Value: true}}}}
	n, err := e.CountDocuments(ctx, marked)
	if err != nil {
		return err
	}
	if n > 0 {
		if err := db.remove(ctx, e, job.Document); err != nil {
			return err
		}
	}
	_, err = db.removals.DeleteOne(ctx, bson.D{{Key: "_id", Value: job.ID}})
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

// uncount takes a going document out of its parents' counts, exactly once: the
// parent remembers the last ones that it let go in the same update.
func (db *DB) uncount(ctx context.Context, e *entity, doc bson.M) error {
	for _, p := range e.parents {
		if p.counter == "" || (p.counts.Key != "" && doc[p.counts.Key] != p.counts.Value) {
			continue
		}
		filter := bson.D{{Key: "_id", Value: doc[p.field]}, {Key: "uncounted", Value: bson.D{{Key: "$ne", Value: doc["_id"]}}}}
		update := bson.D{
			{Key: "$inc", Value: bson.D{{Key: p.counter, Value: int64(-1)}}},
			{Key: "$push", Value: bson.D{{Key: "uncounted", Value: bson.D{
				{Key: "$each", Value: bson.A{doc["_id"]}}, {Key: "$slice", Value: -100},
			}}}},
		}
		if _, err := db.entity(p.name).UpdateOne(ctx, filter, update); err != nil {
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
	if len(names) == 0 {
		return nil
	}
	if err := db.deleteFiles(ctx, names...); err != nil {
		return fmt.Errorf("files of %s: %w", e.name, err)
	}
	return nil
}

var duplicateIndex = regexp.MustCompile(`index: (\S+)`)

// duplicateField reads from a duplicate-key error which field clashed: both
// engines name the index, and an index is named for its fields.
func duplicateField(err error) string {
	match := duplicateIndex.FindStringSubmatch(err.Error())
	if match == nil {
		return "value"
	}
	name := match[1]
	if dot := strings.LastIndex(name, ".$"); dot >= 0 {
		name = name[dot+2:]
	}
	field, _, _ := strings.Cut(name, "_")
	return field
}
