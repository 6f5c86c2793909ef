package localdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// TestRefusedFiles: anything but a complete data file of a known format is rejected with advice on what to do, and left
// unchanged.
func TestRefusedFiles(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.db")
	db, err := Open(good)
	ok(t, err)
	for i := range 300 {
		insert(t, db.Collection("things"), d{{Key: "_id", Value: i}, {Key: "text", Value: strings.Repeat("x", 200)}})
	}
	ok(t, db.Close())
	bytes, err := os.ReadFile(good)
	ok(t, err)
	format := func(value string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			ok(t, os.WriteFile(path, bytes, 0o600))
			tamper(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte(value)) })
		}
	}
	content := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) { ok(t, os.WriteFile(path, b, 0o600)) }
	}
	for name, c := range map[string]struct {
		write func(t *testing.T, path string)
		want  []string
	}{
		"a newer format": {format("2"), []string{"format 2", "reads up to 1", "start the newer program"}},
		"no format":      {format("?"), []string{"does not say its format", "restore a backup"}},
		"format 0":       {format("0"), []string{"does not say its format", "restore a backup"}},
		"empty":          {content(nil), []string{"is empty", "restore a backup, or delete it"}},
		"short garbage":  {content([]byte("hello")), []string{"not a data file of this program", "move it away"}},
		"garbage":        {content([]byte(strings.Repeat("not a database ", 9999))), []string{"not a data file of this program"}},
		"cut in half":    {content(bytes[:len(bytes)/2]), []string{"cut off", "restore a backup"}},
		"cut to a page":  {content(bytes[:5000]), []string{"too small", "restore a backup"}},
		"zeroed pages":   {content(append(bytes[:8192:8192], make([]byte, len(bytes)-8192)...)), []string{"or is damaged"}},
		"other's bbolt file": {func(t *testing.T, path string) {
			tamper(t, path, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("members")); return err })
		}, []string{"another program's", "move it away"}},
		"a folder": {func(t *testing.T, path string) { ok(t, os.Mkdir(path, 0o700)) }, []string{"no ordinary file"}},
		"a device": {func(t *testing.T, path string) { ok(t, os.Symlink(os.DevNull, path)) }, []string{"no ordinary file"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "site.db")
			c.write(t, path)
			before, readErr := os.ReadFile(path)
			_, err := Open(path)
			refused(t, err, path)
			for _, want := range c.want {
				refused(t, err, want)
			}
			if after, err := os.ReadFile(path); readErr == nil && (err != nil || string(after) != string(before)) {
				t.Fatalf("the file was touched: %v", err)
			}
		})
	}
}

// TestOneProcess: a second process is told why it cannot open the file, and what to do.
func TestOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := Open(path)
	ok(t, err)
	out, err := child(t, "open", path).CombinedOutput()
	for _, want := range []string{path, "in use by another process", "set MONGODB_URI"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("the second process ended with %v and said %s, want %q", err, out, want)
		}
	}
	insert(t, db.Collection("things"), d{{Key: "_id", Value: 1}})
	ok(t, db.Close())
	if out, err := child(t, "open", path).CombinedOutput(); err != nil {
		t.Fatalf("after the first had closed it: %v, %s", err, out)
	}
}

// TestUnfinishedStart: a process that ended between creating the file and writing its format has left a valid file.
func TestUnfinishedStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	tamper(t, path, func(*bbolt.Tx) error { return nil })
	db, err := Open(path)
	ok(t, err)
	insert(t, db.Collection("things"), d{{Key: "_id", Value: 1}})
	ok(t, db.Check(ctx))
	ok(t, db.Close())
}

// TestCheck: each kind of damage to documents and indexes is detected and named.
func TestCheck(t *testing.T) {
	entries := []byte("index/things/tags_1_name_-1")
	for want, damage := range map[string]func(tx *bbolt.Tx) error{
		"has no entry": func(tx *bbolt.Tx) error {
			key, _ := tx.Bucket(entries).Cursor().First()
			return tx.Bucket(entries).Delete(key)
		},
		"has 7 entries, its documents have 6": func(tx *bbolt.Tx) error {
			key, value := tx.Bucket(entries).Cursor().First()
			return tx.Bucket(entries).Put(append([]byte{tagNull}, key...), []byte{value[0], value[1] + 1})
		},
		"has 6 entries, its documents have 4": func(tx *bbolt.Tx) error {
			id, _ := tx.Bucket([]byte("docs/things")).Cursor().First()
			return tx.Bucket([]byte("docs/things")).Delete(id)
		},
		"held twice": func(tx *bbolt.Tx) error {
			names, docs := tx.Bucket([]byte("index/things/name_1")), tx.Bucket([]byte("docs/things"))
			doc, err := accept(d{{Key: "_id", Value: 77}, {Key: "name", Value: "name1"}})
			name, id := key("name1"), key(77)
			return errors.Join(err, docs.Put(id, doc.Data), names.Put(append(name, id...), []byte{0, byte(len(name))}))
		},
		"not its _id": func(tx *bbolt.Tx) error {
			docs := tx.Bucket([]byte("docs/things"))
			_, raw := docs.Cursor().First()
			return docs.Put(key(77), raw)
		},
		"cannot be read": func(tx *bbolt.Tx) error {
			docs := tx.Bucket([]byte("docs/things"))
			id, _ := docs.Cursor().First()
			return docs.Put(id, []byte("nonsense"))
		},
		"array columns": func(tx *bbolt.Tx) error {
			return tx.Bucket(metaBucket).Delete(append([]byte("arrays/"), entries...))
		},
		"has no bucket": func(tx *bbolt.Tx) error { return tx.DeleteBucket(entries) },
	} {
		t.Run(want, func(t *testing.T) {
			db := open(t)
			c := db.Collection("things")
			ensure(t, c, d{{Key: "tags", Value: 1}, {Key: "name", Value: -1}})
			ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "name", Value: 1}})}))
			for i := range 3 {
				insert(t, c, d{{Key: "_id", Value: i}, {Key: "name", Value: fmt.Sprint("name", i)}, {Key: "tags", Value: a{i, i + 10}}})
			}
			ok(t, db.Check(ctx))
			ok(t, db.bolt.Update(damage))
			refused(t, db.Check(ctx), want)
		})
	}
}

// tamper modifies a file behind the engine's back.
func tamper(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	bolt, err := bbolt.Open(path, 0o600, nil)
	ok(t, err)
	ok(t, bolt.Update(change))
	ok(t, bolt.Close())
}
