package localdb

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// busy occupies the writer with an operation until release is called.
func busy(db *DB) (release func()) {
	begun, hold, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		_ = db.write(ctx, func(*writeTx) error {
			close(begun)
			<-hold
			return nil
		})
	}()
	<-begun
	return func() {
		close(hold)
		<-over
	}
}

// TestWithdrawn: a caller waits for the writer no longer than its context, and then its operation never happens.
func TestWithdrawn(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	insert(t, c, d{{Key: "_id", Value: 1}})
	for name, call := range map[string]func(ctx context.Context) error{
		"insert": func(ctx context.Context) error { return add(ctx, c, 2) },
		"delete": func(ctx context.Context) error { _, err := c.DeleteMany(ctx, d{}); return err },
		"ping":   db.Ping,
		"check":  db.Check,
		"transaction": func(ctx context.Context) error {
			return db.Atomically(ctx, func(inner context.Context) error {
				t.Error("it runs")
				return add(inner, c, 3)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := busy(db)
			soon, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			if err := call(soon); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it says %v", err)
			}
			release()
			ok(t, db.Ping(ctx)) // the writer has skipped it
			same(t, "documents", ids(find(t, c, d{})), []int32{1})
		})
	}
}

// TestWithdrawnFromABatch: other operations in the same batch continue, even if they all run again.
func TestWithdrawnFromABatch(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	withdrawing, withdraw := context.WithCancel(ctx)
	given := make(chan struct{})
	write := func(id int) func() { return func() { insert(t, c, d{{Key: "_id", Value: id}}) } }
	gives := func() {
		if err := add(withdrawing, c, 2); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(given)
	}
	makesGive := func() { // while it runs, the writer has already picked up the next one
		ok(t, db.write(ctx, func(*writeTx) error {
			withdraw()
			<-given
			return nil
		}))
	}
	shared(db, write(1), makesGive, gives, spoils(t, c), write(3))
	same(t, "documents", ids(find(t, c, d{})), []int32{1, 3})
}

// TestBegun: once a write has begun, only the outcome counts.
func TestBegun(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	for _, want := range []error{nil, errOnPurpose} {
		ending, cancel := context.WithCancel(ctx)
		err := db.write(ending, func(w *writeTx) error {
			cancel()
			time.Sleep(time.Millisecond) // for a caller that doesn't wait
			doc, err := accept(d{})
			if err == nil {
				_, err = c.insert(w, doc)
			}
			return errors.Join(err, want)
		})
		equal(t, "outcome", errors.Is(err, errOnPurpose), want != nil)
		equal(t, "without an error", err == nil, want == nil)
		equal(t, "documents", counted(t, ctx, c), 1)
	}
}

// TestCloseTwiceAtOnce: both calls return once the file is closed, and not before.
func TestCloseTwiceAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path)
	ok(t, err)
	release := busy(db)
	closed := make(chan error, 2)
	for range cap(closed) {
		go func() { closed <- db.Close() }()
	}
	time.Sleep(20 * time.Millisecond)
	equal(t, "closed while a write goes on", len(closed), 0)
	release()
	ok(t, <-closed)
	again, err := Open(path) // the lock has been released
	ok(t, err)
	ok(t, <-closed)
	ok(t, again.Close())
	if err := db.Atomically(ctx, func(context.Context) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}
