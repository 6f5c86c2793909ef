package localdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// grown is a file most of which is free.
func grown(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "site.db")
	db, err := Open(path, WithReserve(64<<10))
	ok(t, err)
	c := db.Collection("things")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "name", Value: 1}})}))
	ok(t, db.Atomically(ctx, func(ctx context.Context) (err error) {
		for i := range 2000 {
			doc := d{{Key: "_id", Value: i}, {Key: "name", Value: fmt.Sprint(i)}, {Key: "text", Value: strings.Repeat("text", 300)}}
			if _, err = c.InsertOne(ctx, doc); err != nil {
				return err
			}
		}
		return nil
	}))
	_, err = c.DeleteMany(ctx, d{{Key: "_id", Value: d{{Key: "$gte", Value: 100}}}})
	ok(t, err)
	space, err := db.Space(ctx)
	ok(t, err)
	if space.Free < space.Bytes/2 || space.Free >= space.Bytes {
		t.Errorf("of a file that is mostly free: %+v", space)
	}
	ok(t, db.Close())
	return path
}

func TestCompactGivesSpaceBack(t *testing.T) {
	path := grown(t)
	before, after, err := Compact(ctx, path)
	ok(t, err)
	info, err := os.Stat(path)
	ok(t, err)
	if info.Size() != after.Bytes || after.Bytes > before.Bytes/4 || after.Free > after.Bytes/4 {
		t.Errorf("from %+v to %+v, and the file has %d bytes", before, after, info.Size())
	}
	db, err := Open(path)
	ok(t, err)
	n, err := db.Collection("things").CountDocuments(ctx, bson.D{})
	ok(t, err)
	if n != 100 {
		t.Errorf("%d documents are left of 100", n)
	}
	if _, err := db.Collection("things").InsertOne(ctx, d{{Key: "name", Value: "7"}}); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("the index is lost: %v", err)
	}
	if _, _, err := Compact(ctx, path); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is open: %v", err)
	}
	ok(t, db.Check(ctx))
	ok(t, db.Close())
	left, err := os.ReadDir(filepath.Dir(path))
	ok(t, err)
	if len(left) != 1 {
		t.Errorf("%v are left beside the file", left)
	}
}

// Wherever it is stopped, the file is either unchanged or compacted.
func TestCompactStopped(t *testing.T) {
	path := grown(t)
	content, err := os.ReadFile(path)
	ok(t, err)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := Compact(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("Ctrl-C: %v", err)
	}
	if _, _, err := Compact(ctx, path+".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	ok(t, os.WriteFile(path+compacting, content[:5000], 0o600)) // left by a killed process
	db, err := Open(path)
	ok(t, err)
	ok(t, db.Check(ctx))
	db.RemoveLeftovers()
	if _, err := os.Stat(path + compacting); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a half-written copy is left at the next start: %v", err)
	}
	ok(t, db.Close())
	ok(t, os.WriteFile(path+compacting, content[:5000], 0o600))
	_, after, err := Compact(ctx, path)
	ok(t, err)
	if after.Bytes > int64(len(content))/4 {
		t.Errorf("after a killed one: %+v", after)
	}
}

// A process that waited for the lock while the file was replaced must not write to the replaced file.
func TestReplacedFileIsNotOpened(t *testing.T) {
	path := grown(t)
	first, err := Open(path)
	ok(t, err)
	wrote := make(chan error)
	go func() {
		second, err := Open(path)
		if err == nil {
			_, err = second.Collection("things").InsertOne(ctx, d{{Key: "_id", Value: "late"}, {Key: "name", Value: "late"}})
			err = errors.Join(err, second.Close())
		}
		wrote <- err
	}()
	time.Sleep(lockWait / 5) // it waits for the lock
	draft := path + compacting
	ok(t, first.copyTo(ctx, draft))
	ok(t, first.replace(draft))
	ok(t, first.Close())
	err = <-wrote
	if err != nil && !errors.Is(err, ErrInUse) {
		t.Errorf("the second: %v", err)
	}
	db, openErr := Open(path)
	ok(t, openErr)
	n, countErr := db.Collection("things").CountDocuments(ctx, d{{Key: "_id", Value: "late"}})
	ok(t, countErr)
	if (n == 1) != (err == nil) {
		t.Errorf("the write of the second, which said %v, is there %d times", err, n)
	}
	ok(t, db.Close())
}
