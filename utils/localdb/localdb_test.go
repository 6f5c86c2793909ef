package localdb

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type (
	d = bson.D
	a = bson.A
)

var ctx = context.Background()

func open(t testing.TB, opts ...Option) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "test.db"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	if _, isTest := t.(*testing.T); isTest {
		db.bolt.NoSync = true // machines don't fail during a test; TestCrash opens its file itself
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func insert(t testing.TB, c *Collection, docs ...d) {
	t.Helper()
	for _, doc := range docs {
		if _, err := c.InsertOne(ctx, doc); err != nil {
			t.Fatalf("inserting %v: %v", doc, err)
		}
	}
}

func ensure(t testing.TB, c *Collection, keys ...d) {
	t.Helper()
	models := make([]mongo.IndexModel, len(keys))
	for i, k := range keys {
		models[i].Keys = k
	}
	ok(t, c.EnsureIndexes(ctx, models))
}

func unique(keys d) mongo.IndexModel {
	return mongo.IndexModel{Keys: keys, Options: options.Index().SetUnique(true)}
}

func find(t testing.TB, c *Collection, filter any, opts ...options.Lister[options.FindOptions]) []d {
	t.Helper()
	cursor, err := c.Find(ctx, filter, opts...)
	if err != nil {
		t.Fatalf("finding %v: %v", filter, err)
	}
	docs := []d{}
	ok(t, cursor.All(ctx, &docs))
	return docs
}

// ids lists the _ids of documents whose _id is an int32.
func ids(docs []d) []int32 {
	list := []int32{}
	for _, doc := range docs {
		list = append(list, doc[0].Value.(int32))
	}
	return list
}

func same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: got %v, want %v", what, got, want)
		}
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// fataler is the common part of *testing.T and *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// intact checks that each index has exactly the entries of its documents.
func intact(t fataler, c *Collection) {
	t.Helper()
	if err := c.db.Check(ctx); err != nil {
		t.Fatalf("%v", err)
	}
}

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
