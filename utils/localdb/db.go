package localdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	formatVersion = 1
	lockWait      = time.Second
	sweepEvery    = time.Minute
)

var (
	metaBucket = []byte("meta")
	formatKey  = []byte("format")
)

// DB is an open data file. Its methods may be called from any goroutine.
type DB struct {
	bolt  *bbolt.DB
	clock func() time.Time
	scans atomic.Int64
	note  func(collection string, fields []string)

	mu          sync.Mutex
	collections map[string]*Collection

	// The writer's queue: senders hold gate for reading, Close holds it for writing.
	gate       sync.RWMutex
	closed     bool
	operations chan *operation
	background sync.WaitGroup
	stop       context.CancelFunc
	close      func() error
	failed     error // used only by the writer: see update

	readOnly bool // see OpenStill
	reserve  int  // see WithReserve
	short    atomic.Bool
	refilled time.Time // used only by the writer: when it last tried
	fleeting bool      // see Fleeting
}

// Option changes how a database is opened.
type Option func(*DB)

// WithClock sets the clock by which documents expire; the default is time.Now.
func WithClock(now func() time.Time) Option {
	return func(d *DB) { d.clock = now }
}

// OnScan sets a function that is called for each query that no index serves, with its collection and the fields it
// examined.
func OnScan(note func(collection string, fields []string)) Option {
	return func(d *DB) { d.note = note }
}

// Fleeting is for data that need not outlive the process: writes don't wait for the disk, and a crash may leave an
// unreadable file.
func Fleeting() Option { return func(d *DB) { d.fleeting = true } }

// Open opens or creates the data file. Only one process can have it open at a time.
func Open(path string, opts ...Option) (*DB, error) {
	d := &DB{clock: time.Now, note: func(string, []string) {}, collections: map[string]*Collection{}, operations: make(chan *operation, maxBatch)}
	for _, opt := range opts {
		opt(d)
	}
	file, err := openFile(path, d.readOnly)
	if err != nil {
		return nil, err
	}
	d.bolt = file
	file.NoSync, file.NoGrowSync = d.fleeting, d.fleeting
	err = d.prepare()
	if err == nil {
		err = d.fillReserve()
	}
	if err != nil {
		return nil, errors.Join(explain(path, err), file.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop, d.close = stop, sync.OnceValue(d.shut)
	if d.readOnly {
		return d, nil
	}
	d.background.Go(d.writer)
	d.background.Go(func() { d.sweeper(ctx) })
	return d, nil
}

// prepare loads the indexes that the file contains: they are maintained from the first write on.
func (d *DB) prepare() error {
	fresh := false
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if fresh = meta == nil; fresh {
			return nil
		}
		return meta.ForEach(d.loadIndex)
	})
	if err != nil || !fresh || d.readOnly {
		return err
	}
	return d.bolt.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		return meta.Put(formatKey, []byte(strconv.Itoa(formatVersion)))
	})
}

func (d *DB) loadIndex(key, spec []byte) error {
	parts := strings.SplitN(string(key), "/", 3)
	if parts[0] != "index" || len(parts) != 3 {
		return nil
	}
	x := new(index)
	if err := json.Unmarshal(spec, x); err != nil {
		return fmt.Errorf("index %s: %w", key, err)
	}
	x.Name = parts[2] // as given: JSON can't represent bytes that are not UTF-8
	c := d.Collection(parts[1])
	all := append(*c.indexes.Load(), x.locate(c.name))
	c.indexes.Store(&all)
	return nil
}

// Collection returns the collection of that name; it exists once it has a document. A slash in a name is replaced by an
// underscore, because buckets are named by paths.
func (d *DB) Collection(name string) *Collection {
	name = strings.ReplaceAll(name, "/", "_")
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.collections[name]; ok {
		return c
	}
	c := &Collection{db: d, name: name, docs: []byte("docs/" + name)}
	c.primary = &index{Name: "_id_", Columns: []column{{Path: "_id"}}, Unique: true, primary: true, collection: name, bucket: c.docs}
	c.indexes.Store(&[]*index{})
	d.collections[name] = c
	return c
}

// Scans counts the queries with a filter or a sort that no index served.
func (d *DB) Scans() int64 {
	return d.scans.Load()
}

// Close waits for queued writes and then closes the file. Calls after that return ErrClosed. It may be called more than
// once, and always returns only once the file is closed.
func (d *DB) Close() error { return d.close() }

func (d *DB) shut() error {
	d.gate.Lock()
	d.closed = true
	close(d.operations)
	d.gate.Unlock()
	d.stop()
	d.background.Wait()
	return d.bolt.Close()
}

// view runs a read in the context's transaction, or else in its own. Reads run concurrently with each other and with
// the writer.
func (d *DB) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if t := d.transaction(ctx); t != nil {
		return t.read(ctx, read)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := d.bolt.View(read)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
