// Package store is what all documents share: the database, transactions, the registry of kinds of documents, counts,
// paging, removal, repair, and the translation of database errors.
//
// Does not belong here: a user, a post or any other document by name (models), HTTP.
package store

import (
	"context"
	"errors"
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

	"tokentube/utils/localdb"
	"tokentube/utils/media"
)

// Settings say where the data is.
type Settings struct {
	MongoURI, MongoDatabase string // a MongoDB or, if the address is empty,
	File                    string // a file of the embedded engine
	ReadOnly                bool   // the file is only read, so it needn't be writable; no Prepare
	Files                   Files  // nil: no document names files
	Now                     func() time.Time
	Log                     *slog.Logger // for background failures
}

// Files is the storage of the files that documents name (media.Store).
type Files interface {
	Delete(ctx context.Context, names ...string) error
	Each(ctx context.Context, prefix string, visit func(media.Info) error) error
	Exists(ctx context.Context, name string) (bool, error)
	RemoveDrafts(ctx context.Context, before time.Time) (removed, young int, err error)
	Local() bool // file times are from this machine's clock
}

// DB is the open database and the registry of the kinds of documents in it.
type DB struct {
	engine   engine
	clock    func() time.Time
	files    Files
	log      *slog.Logger
	opened   time.Time
	kinds    []*kind
	queries  atomic.Int64
	observer atomic.Pointer[Observer]
	work     work
	removals collection
	removing chan struct{} // holds a value for each removal that uses the database
	grace    time.Duration // see engine.grace
	pause    time.Duration // before background work is retried for the first time
	starts   []func(ctx context.Context) error

	working context.Context // ended by Close: background work stops, and resumes at the next start
	stop    context.CancelFunc
	jobs    sync.WaitGroup // work that ends by itself
	loops   sync.WaitGroup // work that runs until then
}

// engine is what differs between the two databases.
type engine interface {
	collection(name string) collection
	ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error
	atomically(ctx context.Context, do func(context.Context) error) error
	transactional() bool  // see DB.Transactions
	grace() time.Duration // how long an insert that has seen its parent may still take
	ping(ctx context.Context) error
	alone() bool // no other process uses the same data
	removeLeftovers()
	writable() error
	space(ctx context.Context) (localdb.Space, error)
	scans() int64
	warnOfScans() // from now on
	indexNames(ctx context.Context, collection string) ([]string, error)
	time(ctx context.Context) (time.Time, error) // the server's clock; zero: there is no other clock
	scratch(name string, now func() time.Time, log *slog.Logger) (engine, error)
	close(ctx context.Context) error
}

// collection is the part of the official driver's collection that the store uses. Reads return the documents' bytes, so
// nothing is decoded unnecessarily.
type collection interface {
	Each(ctx context.Context, filter any, visit func(bson.Raw) error, opts ...options.Lister[options.FindOptions]) error
	CountDocuments(ctx context.Context, filter any, opts ...options.Lister[options.CountOptions]) (int64, error)
	InsertOne(ctx context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error)
	UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error)
	UpdateMany(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error)
	FindOneAndUpdateRaw(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) (bson.Raw, error)
	FindOneAndDeleteRaw(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) (bson.Raw, error)
	DeleteOne(ctx context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error)
	DeleteMany(ctx context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error)
}

// Open opens the database. Register the kinds of documents next, then call Prepare.
func Open(ctx context.Context, s Settings) (*DB, error) {
	e, err := openEngine(ctx, s)
	if err != nil {
		return nil, err
	}
	return newDB(e, s), nil
}

func newDB(e engine, s Settings) *DB {
	db := &DB{
		engine: e, clock: s.Now, files: s.Files, log: s.Log, opened: time.Now(), grace: e.grace(), pause: 100 * time.Millisecond,
		removals: essential{e.collection("removals")}, removing: make(chan struct{}, removalsAtOnce),
	}
	db.working, db.stop = context.WithCancel(context.Background())
	return db
}

func openEngine(ctx context.Context, s Settings) (engine, error) {
	if s.MongoURI != "" {
		return openMongo(ctx, s)
	}
	warns := new(atomic.Bool)
	scans := localdb.OnScan(scanLog(s.Log, warns))
	if s.ReadOnly {
		db, err := localdb.OpenStill(s.File, scans)
		return embedded{db, warns}, err
	}
	if err := os.MkdirAll(filepath.Dir(s.File), 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be created: %w", err)
	}
	db, err := localdb.Open(s.File, localdb.WithClock(s.Now), scans, localdb.WithReserve(reserve))
	if err != nil {
		return nil, err
	}
	return embedded{db, warns}, nil
}

// scanLog warns once about each kind of query without an index, while warns is set.
func scanLog(log *slog.Logger, warns *atomic.Bool) func(collection string, fields []string) {
	var seen sync.Map
	return func(collection string, fields []string) {
		if !warns.Load() {
			return
		}
		if _, again := seen.LoadOrStore(fmt.Sprint(collection, fields), true); !again {
			log.Warn("a query read a whole collection: it needs an index", "collection", collection, "fields", fields)
		}
	}
}

// Prepare makes the indexes that the kinds need, fills in derived fields that documents of earlier versions lack,
// resumes removals that an earlier process left unfinished, and removes files that no document names and partial files,
// now and once a day. From then on, the log warns about queries without an index. Repair, which reads everything,
// doesn't need Prepare.
func (db *DB) Prepare(ctx context.Context) error {
	for _, k := range db.kinds {
		if err := db.makeIndexes(ctx, k); err != nil {
			return err
		}
		if err := k.deriveMissing(ctx); err != nil {
			return translate(err)
		}
	}
	db.engine.warnOfScans()
	if db.files != nil {
		db.removeLeftovers(ctx)
		db.sweepDaily()
	}
	for _, start := range db.starts {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return db.resumeRemovals(ctx)
}

// AtStart registers something for Prepare to do once the indexes exist, such as resuming what an earlier process left
// unfinished.
func (db *DB) AtStart(do func(ctx context.Context) error) { db.starts = append(db.starts, do) }

// Scans counts the queries since startup that read a whole collection for lack of an index. A MongoDB counts its own
// (serverStatus, metrics.queryExecutor.collectionScans); Scans returns 0 then.
func (db *DB) Scans() int64 { return db.engine.scans() }

// Ping checks that the database responds and, as far as it knows, accepts writes.
func (db *DB) Ping(ctx context.Context) error { return translate(db.engine.ping(ctx)) }

// Writable checks that a small file can be written in the folder of the embedded engine.
func (db *DB) Writable() error { return db.engine.writable() }

// Space is the size of the embedded engine's file, and how much of it is free; for a MongoDB, neither is known.
func (db *DB) Space(ctx context.Context) (localdb.Space, error) {
	s, err := db.engine.space(ctx)
	return s, translate(err)
}

// Transactions reports whether changes that belong together are atomic, as they are everywhere except on a standalone
// MongoDB.
func (db *DB) Transactions() bool { return db.engine.transactional() }

// Close ends background work and closes the database.
func (db *DB) Close(ctx context.Context) error {
	db.stop()
	db.jobs.Wait()
	db.loops.Wait()
	return db.engine.close(ctx)
}

// Now is the time at the resolution that both engines store: UTC, whole milliseconds.
func (db *DB) Now() time.Time { return db.clock().UTC().Truncate(time.Millisecond) }

// Shared reports whether other processes may use the same data.
func (db *DB) Shared() bool { return !db.engine.alone() }

// Background runs work that no request waits for. Its context ends with ctx, and at the latest when the database is
// closed.
func (db *DB) Background(work func(ctx context.Context)) {
	db.work.running.Add(1)
	db.jobs.Go(func() {
		defer db.work.done.Add(1)
		defer db.work.running.Add(-1)
		work(db.working)
	})
}

// work counts background work.
type work struct{ running, done, failed atomic.Int64 }

// Work returns the background work that is running, the work finished since startup, and the number of failures,
// including those that were retried.
func (db *DB) Work() (running, done, failed int64) {
	return db.work.running.Load(), db.work.done.Load(), db.work.failed.Load()
}

// UntilClosed runs work that continues until the database is closed or ctx ends.
func (db *DB) UntilClosed(work func(ctx context.Context)) {
	db.loops.Go(func() { work(db.working) })
}

// reserve is enough for several thousand deletes and logins on a full disk.
const reserve = 1 << 20

// Later is Background for work that may be lost: an error is only logged.
func (db *DB) Later(what string, work func(ctx context.Context) error) {
	db.Background(func(ctx context.Context) {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			db.work.failed.Add(1)
			db.log.Warn("work in the background failed", "what", what, "error", err)
		}
	})
}

// embedded is the engine inside this process.
type embedded struct {
	db    *localdb.DB
	warns *atomic.Bool
}

func (e embedded) collection(name string) collection { return e.db.Collection(name) }
func (e embedded) transactional() bool               { return true }
func (e embedded) grace() time.Duration              { return 0 } // a single writer: what was checked still holds
func (e embedded) scans() int64                      { return e.db.Scans() }
func (e embedded) warnOfScans()                      { e.warns.Store(true) }
func (e embedded) alone() bool                       { return true } // the file is locked
func (e embedded) writable() error                   { return e.db.Probe() }
func (e embedded) removeLeftovers()                  { e.db.RemoveLeftovers() }
func (e embedded) space(ctx context.Context) (localdb.Space, error) {
	return e.db.Space(ctx)
}
func (e embedded) time(context.Context) (time.Time, error) { return time.Time{}, nil }
func (e embedded) indexNames(ctx context.Context, name string) ([]string, error) {
	return e.db.Collection(name).IndexNames(ctx)
}
func (e embedded) ping(ctx context.Context) error {
	if err := e.db.Ping(ctx); err != nil || !e.db.Short() {
		return err
	}
	return localdb.ErrFull
}
func (e embedded) close(context.Context) error { return e.db.Close() }
func (e embedded) ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error {
	return e.db.Collection(name).EnsureIndexes(ctx, indexes)
}
func (e embedded) atomically(ctx context.Context, do func(context.Context) error) error {
	err := e.db.Atomically(ctx, do)
	if err != nil && !errors.Is(err, localdb.ErrDisk) {
		return undone{err}
	}
	return err
}
