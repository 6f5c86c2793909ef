// Package models holds the documents of the site, one file a type: its fields,
// its rules, its indexes, and the queries on it. A query that belongs to somebody
// takes that user's id first, so that it cannot reach anybody else's.
//
// It does not belong here: HTTP, cookies, templates.
package models

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
	"tokentube/utils/localdb"
)

// Collection is what models use of a collection, in the words of the official
// driver, so that *mongo.Collection is one as it stands. The embedded engine is
// the other.
type Collection interface {
	InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error)
	FindOne(ctx context.Context, filter any, opts ...options.Lister[options.FindOneOptions]) *mongo.SingleResult
	Find(ctx context.Context, filter any, opts ...options.Lister[options.FindOptions]) (*mongo.Cursor, error)
	UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error)
	UpdateMany(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error)
	FindOneAndUpdate(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult
	FindOneAndDelete(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult
	DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error)
	DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error)
	CountDocuments(ctx context.Context, filter any, opts ...options.Lister[options.CountOptions]) (int64, error)
}

// Settings say where the data is.
type Settings struct {
	MongoURI, MongoDatabase string // a MongoDB, or, where the address is empty,
	File                    string // a file of the embedded engine
	Now                     func() time.Time
	DeleteFiles             func(ctx context.Context, names ...string) error
	Log                     *slog.Logger // of what fails in the background
}

// DB is the open database and the registry of what is kept in it.
type DB struct {
	engine      engine
	clock       func() time.Time
	deleteFiles func(ctx context.Context, names ...string) error
	log         *slog.Logger
	entities    []*entity
	removals    Collection
	lateness    time.Duration

	working context.Context // ended by Close: background work stops, and goes on at the next start
	stop    context.CancelFunc
	jobs    sync.WaitGroup
}

// engine is what differs between the two databases.
type engine interface {
	collection(name string) Collection
	ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error
	ping(ctx context.Context) error
	scans() int64
	warnOfScans() // from now on
	close(ctx context.Context) error
}

// Open opens the database. Models are made from it next, then Prepare.
func Open(ctx context.Context, s Settings) (*DB, error) {
	e, err := openEngine(ctx, s)
	if err != nil {
		return nil, err
	}
	return newDB(e, s), nil
}

func newDB(e engine, s Settings) *DB {
	db := &DB{engine: e, clock: s.Now, deleteFiles: s.DeleteFiles, log: s.Log, removals: e.collection("removals"), lateness: lateness}
	db.working, db.stop = context.WithCancel(context.Background())
	return db
}

func openEngine(ctx context.Context, s Settings) (engine, error) {
	if s.MongoURI != "" {
		return openMongo(ctx, s.MongoURI, s.MongoDatabase)
	}
	if err := os.MkdirAll(filepath.Dir(s.File), 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w", err)
	}
	warns := new(atomic.Bool)
	db, err := localdb.Open(s.File, localdb.WithClock(s.Now), localdb.OnScan(scanLog(s.Log, warns)))
	if err != nil {
		return nil, err
	}
	return embedded{db, warns}, nil
}

// scanLog warns of each kind of query that no index serves, once, while warns is set.
func scanLog(log *slog.Logger, warns *atomic.Bool) func(collection string, fields []string) {
	var seen sync.Map
	return func(collection string, fields []string) {
		if log == nil || !warns.Load() {
			return
		}
		if _, again := seen.LoadOrStore(fmt.Sprint(collection, fields), true); !again {
			log.Warn("a query read a whole collection: it needs an index", "collection", collection, "fields", fields)
		}
	}
}

// Scans counts the queries since the start that read a whole collection, for want of an index. A MongoDB counts its own
// (serverStatus, metrics.queryExecutor.collectionScans); the answer is 0 then.
func (db *DB) Scans() int64 {
	return db.engine.scans()
}

// Prepare makes the indexes that the models need, and takes up removals that an
// earlier process left half done. From then on a query that no index serves is a
// fault, of which the log warns; Repair, which reads everything, needs no Prepare.
func (db *DB) Prepare(ctx context.Context) error {
	for _, e := range db.entities {
		if err := db.makeIndexes(ctx, e); err != nil {
			return err
		}
	}
	db.engine.warnOfScans()
	return db.resumeRemovals(ctx)
}

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return translate(db.engine.ping(ctx)) }

// Close ends background work and closes the database.
func (db *DB) Close(ctx context.Context) error {
	db.stop()
	db.jobs.Wait()
	return db.engine.close(ctx)
}

// now is the time as both engines keep it: UTC, whole milliseconds.
func (db *DB) now() time.Time { return db.clock().UTC().Truncate(time.Millisecond) }

// embedded is the engine inside the process.
type embedded struct {
	db    *localdb.DB
	warns *atomic.Bool
}

func (e embedded) collection(name string) Collection { return e.db.Collection(name) }
func (e embedded) scans() int64                      { return e.db.Scans() }
func (e embedded) warnOfScans()                      { e.warns.Store(true) }
func (e embedded) ping(ctx context.Context) error    { return e.db.Ping(ctx) }
func (e embedded) close(context.Context) error       { return e.db.Close() }
func (e embedded) ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error {
	return e.db.Collection(name).EnsureIndexes(ctx, indexes)
}

// index makes the description of an index on these fields: "-name" is a
// descending one.
func index(fields ...string) mongo.IndexModel { return mongo.IndexModel{Keys: keys(fields...)} }

func uniqueIndex(fields ...string) mongo.IndexModel {
	return mongo.IndexModel{Keys: keys(fields...), Options: options.Index().SetUnique(true)}
}

// expiry makes documents go away at the time that stands in the field.
func expiry(field string) mongo.IndexModel {
	return mongo.IndexModel{Keys: keys(field), Options: options.Index().SetExpireAfterSeconds(0)}
}

func keys(fields ...string) bson.D {
	d := bson.D{}
	for _, field := range fields {
		if field[0] == '-' {
			d = append(d, bson.E{Key: field[1:], Value: -1})
			continue
		}
		d = append(d, bson.E{Key: field, Value: 1})
	}
	return d
}

// absent is the condition that a field is not set.
var absent = bson.D{{Key: "$exists", Value: false}}

// ErrNotFound is the error for what is not there, or not for this user.
func ErrNotFound() *apperr.Error { return apperr.New(apperr.NotFound, "There is nothing here.") }

// ParseID reads an id from an address. One that is malformed names nothing.
func ParseID(hex string) (bson.ObjectID, error) {
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		return id, ErrNotFound().Because(err)
	}
	return id, nil
}

// decode reads the answer of a find into a new value.
func decode[T any](result *mongo.SingleResult) (*T, error) {
	v := new(T)
	if err := result.Decode(v); err != nil {
		return nil, translate(err)
	}
	return v, nil
}

// collect reads all documents of a cursor.
func collect[T any](ctx context.Context, cursor *mongo.Cursor, err error) ([]T, error) {
	if err != nil {
		return nil, translate(err)
	}
	all := []T{}
	return all, translate(cursor.All(ctx, &all))
}

// indexes lists the indexes of a collection.
func indexes(list ...mongo.IndexModel) []mongo.IndexModel { return list }
