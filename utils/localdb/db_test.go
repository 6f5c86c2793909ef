package localdb

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

const crashFile = "LOCALDB_CRASH_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		writeUntilKilled(path)
		return
	}
	os.Exit(m.Run())
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path)
	ok(t, err)
	c := db.Collection("users")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "name", Value: 1}})}))
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

func TestFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path)
	ok(t, err)
	ok(t, db.bolt.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte("2")) }))
	ok(t, db.Close())
	_, err = Open(path)
	refused(t, err, "format 2")
	ok(t, os.WriteFile(path, []byte(strings.Repeat("not a database ", 9999)), 0o600))
	_, err = Open(path)
	refused(t, err, path)
}

// TestNeighbours fills one transaction by hand: what fails in it must not touch the others.
func TestNeighbours(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	store := func(id int32) *operation {
		doc, err := accept(d{{Key: "_id", Value: id}})
		ok(t, err)
		return &operation{done: make(chan struct{}), do: func(w *writeTx) error {
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
		{done: make(chan struct{}), do: func(*writeTx) error { panic("before it wrote") }},
	} {
		n := int32(10 * i)
		batch := []*operation{store(n + 1), bad, store(n + 2), {done: make(chan struct{}), alone: true, do: store(n + 3).do}, store(n + 4)}
		db.runBatch(batch) // the writer is idle
		for j, o := range batch {
			if (o.err != nil) != (o == bad) {
				t.Fatalf("round %d, operation %d: %v", i, j, o.err)
			}
		}
	}
	equal(t, "documents", len(find(t, c, d{})), 16)
}

// TestCompareAndSwap is the rotation of a session under concurrency: one winner a round.
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

// TestCloseWaits: what was queued before Close is written.
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

// TestCrash kills a process that writes, and looks for every write that it was told was done.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	counters := map[string]int{}
	for round := range 4 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashFile+"="+path, fmt.Sprintf("LOCALDB_CRASH_ROUND=%d", round))
		out, err := child.StdoutPipe()
		ok(t, err)
		ok(t, child.Start())
		kill := time.AfterFunc(400*time.Millisecond+time.Duration(round)*37*time.Millisecond, func() { _ = child.Process.Kill() })
		acknowledged := map[string]bool{}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			kind, key, _ := strings.Cut(lines.Text(), " ")
			switch kind {
			case "inserted":
				acknowledged[key] = true
			case "counted":
				counters[key]++
			default:
				t.Fatalf("the child said %s", lines.Text())
			}
		}
		kill.Stop()
		_ = child.Wait()
		if len(acknowledged) == 0 {
			t.Fatal("the child wrote nothing")
		}
		db, err := Open(path)
		ok(t, err)
		c := db.Collection("things")
		for key := range acknowledged {
			ok(t, c.FindOne(ctx, d{{Key: "key", Value: key}}).Err())
		}
		for key, least := range counters {
			var got struct{ N int }
			ok(t, db.Collection("counters").FindOne(ctx, d{{Key: "_id", Value: key}}).Decode(&got))
			if got.N < least {
				t.Fatalf("counter %s is %d, %d increments were acknowledged", key, got.N, least)
			}
			counters[key] = got.N // an unacknowledged one may have arrived
		}
		intact(t, c)
		ok(t, db.Close())
	}
}

// writeUntilKilled is the child of TestCrash. A line goes out only when its write is acknowledged.
func writeUntilKilled(path string) {
	db, err := Open(path)
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	c := db.Collection("things")
	if err := c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "key", Value: 1}}), {Keys: d{{Key: "tags", Value: 1}, {Key: "key", Value: -1}}}}); err != nil {
		fmt.Println("failed", err)
		return
	}
	var printing sync.Mutex
	say := func(kind, key string, err error) {
		printing.Lock()
		defer printing.Unlock()
		if err != nil {
			kind, key = "failed", err.Error()
		}
		fmt.Println(kind, key)
	}
	round := os.Getenv("LOCALDB_CRASH_ROUND")
	together(8, func(i int) {
		for n := 0; ; n++ {
			key := fmt.Sprintf("%s-%d-%d", round, i, n)
			_, err := c.InsertOne(ctx, d{{Key: "key", Value: key}, {Key: "tags", Value: a{n % 7, n % 11}}})
			say("inserted", key, err)
			counter := fmt.Sprint("counter", i)
			_, err = db.Collection("counters").UpdateOne(ctx, d{{Key: "_id", Value: counter}},
				d{{Key: "$inc", Value: d{{Key: "n", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
			say("counted", counter, err)
			if n > 5 {
				_, err = c.DeleteOne(ctx, d{{Key: "key", Value: fmt.Sprintf("gone-%d", n)}})
			}
			if err != nil {
				say("failed", "", err)
			}
		}
	})
}
