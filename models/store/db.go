// Package store is what all documents share: the database, changes that belong together, the registry of kinds of
// documents, counts, paging, removal, repair, and the translation of the database's errors.
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
	MongoURI, MongoDatabase string // a MongoDB, or, where the address is empty,
	File                    string // a file of the embedded engine
	ReadOnly                bool   // which is then only read, also where it may not be written; no Prepare
	Files                   Files  // nil: no document names any
	Now                     func() time.Time
	Log                     *slog.Logger // what fails in the background
}

// Files is the storage of the files that documents name (media.Store).
type Files interface {
	Delete(ctx context.Context, names ...string) error
	Each(ctx context.Context, prefix string, visit func(media.Info) error) error
	Exists(ctx context.Context, name string) (bool, error)
	RemoveDrafts(ctx context.Context, before time.Time) (removed, young int, err error)
	Local() bool // their times are by this machine's clock
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
	grace    time.Duration // see engine.grace
	pause    time.Duration // before work in the background is tried again, the first time
	starts   []func(ctx context.Context) error

	working context.Context // ended by Close: background work stops, and resumes at the next start
	stop    context.CancelFunc
	jobs    sync.WaitGroup // what ends by itself
	loops   sync.WaitGroup // what goes on until then
}

// engine is what differs between the two databases.
type engine interface {
	collection(name string) collection
	ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error
	atomically(ctx context.Context, do func(context.Context) error) error
	transactional() bool  // see DB.Transactions
	grace() time.Duration // how long an insert that saw its parent may still arrive
	ping(ctx context.Context) error
	alone() bool // no other process works on the same data
	removeLeftovers()
	writable() error
	space(ctx context.Context) (localdb.Space, error)
	scans() int64
	warnOfScans() // from now on
	indexNames(ctx context.Context, collection string) ([]string, error)
	time(ctx context.Context) (time.Time, error) // by the server's clock; zero: there is no other clock
	close(ctx context.Context) error
}

// collection is what the store uses of a collection, in the words of the official driver. Reads hand over the
// documents' bytes: nothing is decoded that nobody asked for.
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
	db := &DB{engine: e, clock: s.Now, files: s.Files, log: s.Log, opened: time.Now(), removals: essential{e.collection("removals")}, grace: e.grace(), pause: 100 * time.Millisecond}
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

// scanLog warns of each kind of query that no index serves, once, while warns is set.
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

// Prepare makes the indexes that the kinds need, fills derived fields that documents of an earlier version lack, resumes removals that an earlier process left unfinished, and removes
// files that no document names, and half-written ones, now and once a day. From then on a query that no index serves is a fault, of which the
// log warns; Repair, which reads everything, needs no Prepare.
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

// AtStart has Prepare do something when the indexes are there: resuming what an earlier process left unfinished.
func (db *DB) AtStart(do func(ctx context.Context) error) { db.starts = append(db.starts, do) }

// Scans counts the queries since the start that read a whole collection, for want of an index. A MongoDB counts its own
// (serverStatus, metrics.queryExecutor.collectionScans); Scans returns 0 then.
func (db *DB) Scans() int64 { return db.engine.scans() }

// Ping tells whether the database responds, and takes writes, as far as it knows.
func (db *DB) Ping(ctx context.Context) error { return translate(db.engine.ping(ctx)) }

// Writable tells whether the folder of the embedded engine takes a small file.
func (db *DB) Writable() error { return db.engine.writable() }

// Space is the size of the embedded engine's file, and how much of it is free; nothing is known of a MongoDB.
func (db *DB) Space(ctx context.Context) (localdb.Space, error) {
	s, err := db.engine.space(ctx)
	return s, translate(err)
}

// Transactions tells whether changes that belong together happen together, as they do everywhere but on a standalone
// MongoDB.
func (db *DB) Transactions() bool { return db.engine.transactional() }

// Close ends background work and closes the database.
func (db *DB) Close(ctx context.Context) error {
	db.stop()
	db.jobs.Wait()
	db.loops.Wait()
	return db.engine.close(ctx)
}

// Now is the time as both engines keep it: UTC, whole milliseconds.
func (db *DB) Now() time.Time { return db.clock().UTC().Truncate(time.Millisecond) }

// Shared says whether other processes may work on the same data.
func (db *DB) Shared() bool { return !db.engine.alone() }

// Background runs work that no request waits for. It ends with ctx, at the latest when the database is closed.
func (db *DB) Background(work func(ctx context.Context)) {
	db.work.running.Add(1)
	db.jobs.Go(func() {
		defer db.work.done.Add(1)
		defer db.work.running.Add(-1)
		work(db.working)
	})
}

// work counts what Background does.
type work struct{ running, done, failed atomic.Int64 }

// Work counts the work in the background: what is running, what has ended since the start, and how often something failed,
// also what was tried again then.
func (db *DB) Work() (running, done, failed int64) {
	return db.work.running.Load(), db.work.done.Load(), db.work.failed.Load()
}

// UntilClosed runs work that goes on for as long as the database is open, and ends with ctx.
func (db *DB) UntilClosed(work func(ctx context.Context)) {
	db.loops.Go(func() { work(db.working) })
}

// reserve is for some thousand deletes and logins on a full disk.
const reserve = 1 << 20

// Later is Background for what may be lost: an error is logged, and that is all.
func (db *DB) Later(what string, work func(ctx context.Context) error) {
	db.Background(func(ctx context.Context) {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			db.work.failed.Add(1)
			db.log.Warn("work in the background failed", "what", what, "error", err)
		}
	})
}

// embedded is the engine inside the process.
type embedded struct {
	db    *localdb.DB
	warns *atomic.Bool
}

func (e embedded) collection(name string) collection { return e.db.Collection(name) }
func (e embedded) transactional() bool               { return true }
func (e embedded) grace() time.Duration              { return 0 } // one writer: what was checked still holds
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
