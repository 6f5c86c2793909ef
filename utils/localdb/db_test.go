package localdb

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path)
	ok(t, err)
	equal(t, "writes without a flush", db.bolt.NoSync, false)
	c := db.Collection("users")
	strange := options.Index().SetUnique(true).SetName("by\xff/name") // JSON would change it
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{{Keys: d{{Key: "name", Value: 1}}, Options: strange}}))
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "name", Value: "x"}})
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "in use by another process") || !strings.Contains(err.Error(), "MONGODB_URI") {
		t.Fatalf("a second open: %v", err)
	}
	ok(t, db.Close())
	ok(t, db.Close())
	_, err = c.InsertOne(ctx, d{})
	if !errors.Is(err, ErrClosed) || !errors.Is(c.FindOne(ctx, d{}).Err(), ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
	db, err = Open(path)
	ok(t, err)
	defer db.Close()
	c = db.Collection("users")
	_, err = c.InsertOne(ctx, d{{Key: "name", Value: "x"}})
	if !mongo.IsDuplicateKeyError(err) {
		t.Fatalf("the index was forgotten: %v", err)
	}
	same(t, "kept", ids(find(t, c, d{{Key: "name", Value: "x"}})), []int32{1})
	equal(t, "scans", db.Scans(), 0)
	intact(t, c)
}

// TestNeighbours fills one transaction manually: a failure in it must not affect the others.
func TestNeighbours(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	store := func(id int32) *operation {
		doc, err := accept(d{{Key: "_id", Value: id}})
		ok(t, err)
		return &operation{do: func(w *writeTx) error {
			_, err := c.insert(w, doc)
			return err
		}}
	}
	spoil := func(end func() error) *operation {
		o := store(100)
		insert := o.do
		o.do = func(w *writeTx) error {
			if err := insert(w); err != nil {
				return err
			}
			return end()
		}
		return o
	}
	for i, bad := range []*operation{
		store(1), // a duplicate from the second round on
		spoil(func() error { return errors.New("after it wrote") }),
		spoil(func() error { panic("after it wrote") }),
		{do: func(*writeTx) error { panic("before it wrote") }},
	} {
		n := int32(10 * i)
		batch := []*operation{store(n + 1), bad, store(n + 2), store(n + 3), store(n + 4)}
		db.commit(batch) // the writer is idle
		for j, o := range batch {
			if (o.err != nil) != (o == bad) {
				t.Fatalf("round %d, operation %d: %v", i, j, o.err)
			}
		}
	}
	equal(t, "documents", len(find(t, c, d{})), 16)
}

// TestCompareAndSwap rotates a session concurrently: one winner per round.
func TestCompareAndSwap(t *testing.T) {
	c := open(t).Collection("sessions")
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "current", Value: d{{Key: "jti", Value: 0}}}})
	for round := range 20 {
		var won atomic.Int32
		together(8, func(i int) {
			filter := d{{Key: "_id", Value: 1}, {Key: "current.jti", Value: round}, {Key: "revokedAt", Value: d{{Key: "$exists", Value: false}}}}
			update := d{{Key: "$set", Value: d{{Key: "current", Value: d{{Key: "jti", Value: round + 1}, {Key: "by", Value: i}}}}}}
			if c.FindOneAndUpdate(ctx, filter, update).Err() == nil {
				won.Add(1)
			}
		})
		equal(t, "winners", won.Load(), 1)
	}
}

func TestConcurrentWritesAndReads(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	ensure(t, c, d{{Key: "n", Value: 1}})
	insert(t, c, d{{Key: "_id", Value: -1}, {Key: "n", Value: int64(0)}})
	together(8, func(i int) {
		for j := range 20 {
			_, err := c.UpdateOne(ctx, d{{Key: "_id", Value: -1}}, d{{Key: "$inc", Value: d{{Key: "n", Value: int64(1)}}}})
			if err == nil {
				_, err = c.InsertOne(ctx, d{{Key: "_id", Value: 100*i + j}, {Key: "n", Value: -j}})
			}
			if err != nil {
				t.Error(err)
			}
			_ = find(t, c, d{{Key: "n", Value: d{{Key: "$lte", Value: 0}}}}, options.Find().SetSort(d{{Key: "n", Value: -1}}).SetLimit(5))
		}
	})
	same(t, "increments", ids(find(t, c, d{{Key: "n", Value: 160}})), []int32{-1})
	equal(t, "documents", len(find(t, c, d{})), 161)
	intact(t, c)
}

// TestCloseWaits: writes queued before Close are carried out.
func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path)
	ok(t, err)
	var acknowledged atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			_, err := db.Collection("things").InsertOne(ctx, d{{Key: "_id", Value: i}})
			if err == nil {
				acknowledged.Add(1)
			} else if !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
	}
	time.Sleep(time.Millisecond)
	ok(t, db.Close())
	all.Wait()
	db, err = Open(path)
	ok(t, err)
	defer db.Close()
	equal(t, "documents", int32(len(find(t, db.Collection("things"), d{}))), acknowledged.Load())
}

// TestReadFromBeforeAnIndex: a read that began before an index was built doesn't use it.
func TestReadFromBeforeAnIndex(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "n", Value: 7}}, d{{Key: "_id", Value: 2}, {Key: "text", Value: strings.Repeat("x", 500_000)}})
	_, err := c.DeleteOne(ctx, d{{Key: "_id", Value: 2}}) // frees space: if the file must grow, a write may wait for all reads
	ok(t, err)
	q, err := newQuery(d{{Key: "n", Value: 7}}, []options.Lister[options.FindOptions]{options.Find().SetSort(d{{Key: "n", Value: 1}})})
	ok(t, err)
	ok(t, db.view(ctx, func(tx *bbolt.Tx) error {
		ensure(t, c, d{{Key: "n", Value: 1}})
		insert(t, c, d{{Key: "_id", Value: 3}, {Key: "n", Value: 7}})
		var found []int32
		err := c.find(ctx, tx, q, func(h hit) { found = append(found, field(document(h.raw), "_id").Int32()) })
		same(t, "before", found, []int32{1})
		n, counting := c.count(ctx, tx, q)
		equal(t, "count", n, 1)
		return errors.Join(err, counting)
	}))
	scans := db.Scans()
	same(t, "after", ids(find(t, c, d{{Key: "n", Value: 7}})), []int32{1, 3})
	equal(t, "scans", db.Scans(), scans)
}
