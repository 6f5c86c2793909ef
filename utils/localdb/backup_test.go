package localdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	bson2 "go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Each writer numbers its documents: a consistent snapshot has all of them up to some number.
func TestSnapshotIsOfOneMomentWhileOthersWrite(t *testing.T) {
	db, dir := open(t), t.TempDir()
	ok(t, prepareThings(db))
	stop, writers := make(chan struct{}), sync.WaitGroup{}
	for writer := range 4 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := db.Collection("log").InsertOne(ctx, d{{Key: "_id", Value: fmt.Sprintf("%d-%06d", writer, n)}, {Key: "n", Value: n}}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 5 {
		path, err := db.Snapshot(ctx, dir)
		ok(t, err)
		info, err := os.Stat(path)
		ok(t, err)
		equal(t, "mode", info.Mode().Perm(), fs.FileMode(0o600))
		copied, err := OpenStill(path)
		ok(t, err)
		for writer := range 4 {
			filter := d{{Key: "_id", Value: d{{Key: "$gte", Value: fmt.Sprint(writer, "-")}, {Key: "$lt", Value: fmt.Sprint(writer, ".")}}}}
			cursor, err := copied.Collection("log").Find(ctx, filter, options.Find().SetSort(d{{Key: "_id", Value: 1}}))
			ok(t, err)
			var list []struct{ N int }
			ok(t, cursor.All(ctx, &list))
			for i, entry := range list {
				equal(t, "write in the order of a writer", entry.N, i)
			}
		}
		ok(t, copied.Close())
		ok(t, os.Remove(path))
	}
	close(stop)
	writers.Wait()
}

func TestSnapshotLeavesNothingBehind(t *testing.T) {
	db, dir := open(t), t.TempDir()
	old := filepath.Join(dir, "snapshot-1.db.tmp") // from a process that was killed long ago
	ok(t, os.WriteFile(old, nil, 0o600))
	ok(t, os.Chtimes(old, time.Time{}, time.Now().Add(-25*time.Hour)))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := db.Snapshot(ended, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	found, err := os.ReadDir(dir)
	ok(t, err)
	equal(t, "files", len(found), 0)
	if _, err := db.Snapshot(ctx, filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestOpenStillMakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	if _, err := OpenStill(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it says %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

func TestBatchesHandOutEveryDocument(t *testing.T) {
	db := open(t)
	for i := range 25 {
		_, err := db.Collection("things").InsertOne(ctx, d{{Key: "_id", Value: i}})
		ok(t, err)
	}
	_, err := db.Collection("others").InsertOne(ctx, d{{Key: "_id", Value: "x"}})
	ok(t, err)
	names, err := db.Names(ctx)
	ok(t, err)
	equal(t, "names", fmt.Sprint(names), "[others things]")
	for n, want := range map[int]string{10: "[10 10 5]", 5: "[5 5 5 5 5]", 25: "[25]", 100: "[25]"} {
		var sizes []int
		next := int32(0)
		ok(t, db.Collection("things").Batches(ctx, n, func(batch []bson2.Raw) error {
			sizes = append(sizes, len(batch))
			for _, doc := range batch {
				equal(t, "_id", int32(doc.Lookup("_id").AsInt64()), next)
				next++
			}
			return nil
		}))
		equal(t, "sizes", fmt.Sprint(sizes), want)
	}
	stop := errors.New("enough")
	if err := db.Collection("things").Batches(ctx, 10, func([]bson2.Raw) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the visitor's error: %v", err)
	}
	ok(t, db.Collection("nothing").Batches(ctx, 10, func([]bson2.Raw) error { return stop }))
}
