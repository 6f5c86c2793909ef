package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/localdb"
)

const (
	migrations     = "migrations" // the collection of the one migration
	migrationBatch = 500
)

// migration records in the target which site is being copied into it. It is written before the first document, so that
// an interrupted copy is recognised.
type migration struct {
	ID         string        `bson:"_id"`
	First      bson.ObjectID `bson:"firstUser"` // the oldest document of the root kind, which identifies the site
	StartedAt  time.Time     `bson:"startedAt"`
	FinishedAt *time.Time    `bson:"finishedAt,omitempty"`
}

// copying is a migration in progress.
type copying struct {
	db      *DB
	source  *localdb.DB
	target  *mongo.Database
	batch   int
	say     func(format string, args ...any)
	onBatch func() // for tests
}

// CopyFrom copies all documents of an embedded site into this database, a MongoDB that is empty or contains a part of
// the same copy, and makes the indexes. It changes nothing in the source and overwrites nothing in the target. If the
// site was copied before, it does nothing, and copied is false.
func (db *DB) CopyFrom(ctx context.Context, source *localdb.DB, say func(format string, args ...any)) (copied bool, err error) {
	s, ok := db.engine.(*server)
	if !ok {
		return false, errors.New("the target is not a MongoDB")
	}
	return (&copying{db: db, source: source, target: s.db, batch: migrationBatch, say: say, onBatch: func() {}}).run(ctx)
}

// root is the kind whose oldest document identifies the site: the first one without parents.
func (db *DB) root() string {
	i := slices.IndexFunc(db.kinds, func(k *kind) bool { return len(k.Parents) == 0 })
	return db.kinds[i].Name
}

func (c *copying) run(ctx context.Context) (copied bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	var first bson.ObjectID
	err = c.source.Collection(c.db.root()).Each(ctx, bson.D{}, func(raw bson.Raw) error {
		first = idOf(raw)
		return nil
	}, options.Find().SetSort(keys("_id")).SetLimit(1))
	if err != nil {
		return false, err
	}
	if first.IsZero() {
		return false, fmt.Errorf("the embedded site has no %s: there is nothing to copy", c.db.root())
	}
	begun, err := c.begin(ctx, first)
	if err != nil {
		return false, err
	}
	if begun.FinishedAt != nil {
		c.say("This site was copied there on %s already. Nothing was done.", begun.FinishedAt.Local().Format("2 January 2006 at 15:04"))
		return false, nil
	}
	names, err := c.source.Names(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if err := c.collection(ctx, name); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, k := range c.db.kinds { // now, so that nothing expires before it is counted
		if err := c.db.makeIndexes(ctx, k); err != nil {
			return false, err
		}
	}
	finished := bson.D{Set("finishedAt", c.db.Now())}
	_, err = c.target.Collection(migrations).UpdateOne(ctx, Where("_id", "site"), finished)
	return err == nil, translate(err)
}

// begin checks that the target may be written to, and records for which site.
func (c *copying) begin(ctx context.Context, first bson.ObjectID) (*migration, error) {
	notes := c.target.Collection(migrations)
	m := new(migration)
	err := notes.FindOne(ctx, Where("_id", "site")).Decode(m)
	if err == nil && m.First != first {
		return nil, c.taken("another site was copied into it")
	}
	if err == nil || !errors.Is(err, mongo.ErrNoDocuments) {
		return m, translate(err)
	}
	names, err := c.target.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return nil, translate(err)
	}
	for _, name := range names {
		err := c.target.Collection(name).FindOne(ctx, bson.D{}).Err()
		if err == nil && !strings.HasPrefix(name, "system.") {
			return nil, c.taken("there are " + name + " in it")
		}
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return nil, translate(err)
		}
	}
	m = &migration{ID: "site", First: first, StartedAt: c.db.Now()}
	if _, err := notes.InsertOne(ctx, m); mongo.IsDuplicateKeyError(err) {
		return nil, c.taken("another site is being copied into it")
	} else if err != nil {
		return nil, translate(err)
	}
	return m, nil
}

func (c *copying) taken(why string) error {
	return fmt.Errorf("the database %s is not empty: %s. Name another one with MONGODB_DATABASE, or drop it. Nothing was changed", c.target.Name(), why)
}

func (c *copying) collection(ctx context.Context, name string) error {
	n, target := int64(0), c.target.Collection(name)
	err := c.source.Collection(name).Batches(ctx, c.batch, func(batch []bson.Raw) error {
		n += int64(len(batch))
		err := insert(ctx, target, batch)
		c.onBatch()
		return err
	})
	if err != nil {
		return err
	}
	there, err := target.CountDocuments(ctx, bson.D{})
	if err != nil {
		return translate(err)
	}
	if there != n {
		return fmt.Errorf("the MongoDB has %d documents and the embedded site %d: %w", there, n, errUsed)
	}
	c.say("%s: %d", name, n)
	return nil
}

var errUsed = errors.New("one of the two was used since an earlier try. Drop that database in the MongoDB and run migrate again; the embedded site is as it was")

// insert writes a batch. Documents that already exist, from an earlier attempt, must be identical.
func insert(ctx context.Context, target *mongo.Collection, batch []bson.Raw) error {
	_, err := target.InsertMany(ctx, batch, options.InsertMany().SetOrdered(false))
	var failed mongo.BulkWriteException
	if !errors.As(err, &failed) || failed.WriteConcernError != nil {
		return translate(err)
	}
	var ids []any
	missing := map[string]bson.Raw{}
	for _, e := range failed.WriteErrors {
		if !mongo.IsDuplicateKeyError(e) {
			return translate(err)
		}
		doc := batch[e.Index]
		ids = append(ids, doc.Lookup("_id"))
		missing[doc.Lookup("_id").String()] = doc
	}
	err = serverCollection{target}.Each(ctx, Where("_id", In(ids)), func(doc bson.Raw) error {
		id := doc.Lookup("_id").String()
		if !bytes.Equal(doc, missing[id]) {
			return fmt.Errorf("the document %s differs: %w", id, errUsed)
		}
		delete(missing, id)
		return nil
	})
	if err != nil {
		return translate(err)
	}
	for id := range missing {
		return fmt.Errorf("the document %s clashes with another one: %w", id, errUsed)
	}
	return nil
}
