package localdb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// shared makes calls whose writes end up, in this order, in one transaction.
func shared(db *DB, calls ...func()) {
	var all sync.WaitGroup
	begun, hold := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		_ = db.write(ctx, func(*writeTx) error {
			close(begun)
			<-hold
			return nil
		})
	})
	<-begun
	for i, call := range calls {
		all.Go(call)
		for len(db.operations) <= i {
			time.Sleep(time.Microsecond)
		}
	}
	close(hold)
	all.Wait()
}

// spoils is a write that fails after it wrote: all operations in its transaction run again, each alone.
func spoils(t *testing.T, c *Collection) func() {
	return func() {
		err := c.db.write(ctx, func(w *writeTx) error {
			doc, err := accept(d{{Key: "n", Value: "spoiled"}})
			if err == nil {
				_, err = c.insert(w, doc)
			}
			return errors.Join(err, errors.New("on purpose"))
		})
		refused(t, err, "on purpose")
	}
}

// TestCheckBesideWrites: what its neighbours have not committed yet is not reported as damage.
func TestCheckBesideWrites(t *testing.T) {
	for _, spoiled := range []bool{false, true} {
		db := open(t)
		c, other := db.Collection("things"), db.Collection("others")
		ensure(t, c, d{{Key: "n", Value: 1}}, d{{Key: "tags", Value: 1}})
		insert(t, c, d{{Key: "_id", Value: 0}, {Key: "n", Value: 0}})
		write := func(c *Collection) func() {
			return func() {
				insert(t, c, d{{Key: "n", Value: 0}, {Key: "tags", Value: a{1, 2, 3}}, {Key: "text", Value: strings.Repeat("x", 100_000)}})
			}
		}
		check := func() {
			if err := db.Check(ctx); err != nil {
				t.Error(err)
			}
		}
		empty := func() {
			_, err := c.DeleteMany(ctx, d{{Key: "n", Value: 0}})
			ok(t, err)
		}
		calls := []func(){check, write(c), check, write(other), check, func() { ensure(t, other, d{{Key: "tags", Value: -1}}) }, check, empty, check}
		if spoiled {
			calls = append(calls, spoils(t, c), check)
		}
		shared(db, calls...)
		check()
	}
}

// TestIndexThatFailed: documents do not expire by an index whose creation failed, and it may be requested again with
// other options.
func TestIndexThatFailed(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	for i := range 2 {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "n", Value: "x"}, {Key: "at", Value: day}})
	}
	expiring := func(seconds int32) mongo.IndexModel {
		return mongo.IndexModel{Keys: d{{Key: "at", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(seconds)}
	}
	err := c.EnsureIndexes(ctx, []mongo.IndexModel{expiring(60), unique(d{{Key: "n", Value: 1}})})
	if !mongo.IsDuplicateKeyError(err) {
		t.Fatal(err)
	}
	ok(t, db.Sweep(ctx))
	equal(t, "documents", len(find(t, c, d{})), 2)
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{expiring(1 << 30)}))
	equal(t, "indexes", indexesOf(t, c), 1)
	intact(t, c)
}

// TestIndexBesideWrites builds indexes in transactions that others share, and spoil.
func TestIndexBesideWrites(t *testing.T) {
	for _, spoiled := range []bool{false, true} {
		db := open(t)
		c := db.Collection("things")
		insertOne := func(id int) func() {
			return func() {
				insert(t, c, d{{Key: "_id", Value: id}, {Key: "n", Value: fmt.Sprint(id)}, {Key: "tags", Value: a{id, -id}}})
			}
		}
		build := func(keys ...d) func() { return func() { ensure(t, c, keys...) } }
		update := func() {
			_, err := c.UpdateMany(ctx, d{}, d{{Key: "$set", Value: d{{Key: "tags", Value: a{"a", "b"}}}}})
			ok(t, err)
		}
		other := func() {
			refused(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "tags", Value: 1}})}), "other keys or options")
		}
		calls := []func(){insertOne(1), build(d{{Key: "tags", Value: 1}}), insertOne(2), other, build(d{{Key: "n", Value: 1}}), update, insertOne(3),
			build(d{{Key: "n", Value: 1}}, d{{Key: "tags", Value: -1}, {Key: "n", Value: 1}}), update, insertOne(4)}
		if spoiled {
			calls = append(calls, spoils(t, c))
		}
		shared(db, calls...)
		equal(t, "documents", len(find(t, c, d{})), 4)
		same(t, "by index", ids(find(t, c, d{{Key: "tags", Value: "b"}})), []int32{1, 2, 3})
		equal(t, "scans", db.Scans(), 0)
		intact(t, c)
	}
}

// TestRefusedForALostWrite: an operation that was rejected because of a neighbour's lost write learns that the write
// doesn't exist.
func TestRefusedForALostWrite(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	insert(t, c, d{{Key: "_id", Value: 1}})
	db.bolt.MaxSize = 1 // the next commit that needs space fails
	large := d{{Key: "_id", Value: 2}, {Key: "text", Value: strings.Repeat("x", 1_000_000)}}
	try := func() {
		if _, err := c.InsertOne(ctx, large); !errors.Is(err, ErrDisk) || mongo.IsDuplicateKeyError(err) {
			t.Error(err)
		}
	}
	shared(db, try, try)
	same(t, "documents", ids(find(t, c, d{})), []int32{1})
}
