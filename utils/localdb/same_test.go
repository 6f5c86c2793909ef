package localdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"
)

// system is one of the databases that must behave alike.
type system struct {
	c driverMethods
	// scans hides all indexes from the planner: every filter and sort then reads the whole collection.
	scans bool
}

func (s system) filter(f d) d {
	if s.scans {
		return d{{Key: "$nor", Value: a{d{{Key: "$nor", Value: a{f}}}}}}
	}
	return f
}

func (s system) sort(by d) d {
	if s.scans {
		return append(d{{Key: "nowhere", Value: 1}}, by...)
	}
	return by
}

// call is a call with everything it needs; its result is a text.
type call struct {
	name   string
	run    func(s system) string
	upsert bool
	many   bool // MongoDB leaves it half done if it fails

	doc, filter, sort, update d
}

// failure is the kind of an error, which is what callers can rely on.
func failure(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, mongo.ErrNoDocuments):
		return "no document"
	case mongo.IsDuplicateKeyError(err):
		return "duplicate key"
	}
	return "refused"
}

// text writes a document with its fields sorted by name: the order of new fields is up to the engine.
func text(v any) string {
	switch v := v.(type) {
	case d:
		fields := make([]string, len(v))
		for i, e := range v {
			fields[i] = fmt.Sprintf("%s: %s", e.Key, text(e.Value))
		}
		slices.Sort(fields)
		return "{" + strings.Join(fields, ", ") + "}"
	case a:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = text(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprintf("%T %#v", v, v)
}

func one(r *mongo.SingleResult) string {
	var doc d
	if err := r.Decode(&doc); err != nil {
		return failure(err)
	}
	return text(doc)
}

func list(c driverMethods, filter d, opts *options.FindOptionsBuilder) string {
	cursor, err := c.Find(ctx, filter, opts)
	var docs []d
	if err == nil {
		err = cursor.All(ctx, &docs)
	}
	if err != nil {
		return failure(err)
	}
	lines := make([]string, len(docs))
	for i, doc := range docs {
		lines[i] = text(doc)
	}
	return strings.Join(lines, "\n")
}

func updated(r *mongo.UpdateResult, err error) string {
	if err != nil {
		return failure(err)
	}
	return fmt.Sprintf("matched %d, modified %d, upserted %d %v", r.MatchedCount, r.ModifiedCount, r.UpsertedCount, r.UpsertedID)
}

func deleted(r *mongo.DeleteResult, err error) string {
	if err != nil {
		return failure(err)
	}
	return fmt.Sprintf("deleted %d", r.DeletedCount)
}

func insertion(t *rapid.T) call {
	doc := documents.Draw(t, "document")
	return call{name: fmt.Sprintf("insert %v", doc), doc: doc, run: func(s system) string {
		r, err := s.c.InsertOne(ctx, doc)
		if err != nil {
			return failure(err)
		}
		return fmt.Sprint(r.InsertedID)
	}}
}

func reading(t *rapid.T) call {
	filter, sort, limit := filters.Draw(t, "filter"), sorts.Draw(t, "sort"), rapid.Int64Range(0, 5).Draw(t, "limit")
	return call{name: fmt.Sprintf("find %v by %v, %d", filter, sort, limit), filter: filter, sort: sort, run: func(s system) string {
		n, err := s.c.CountDocuments(ctx, s.filter(filter))
		if err != nil {
			return "count: " + failure(err)
		}
		found := list(s.c, s.filter(filter), options.Find().SetSort(s.sort(sort)).SetLimit(limit))
		first := one(s.c.FindOne(ctx, s.filter(filter), options.FindOne().SetSort(s.sort(sort))))
		return fmt.Sprintf("%d documents, the first %s, of these\n%s", n, first, found)
	}}
}

// identified adds an _id to a filter, so that such a call picks the same document everywhere, and an upsert creates the
// same _id.
func identified(t *rapid.T, filter d) d {
	return append(d{{Key: "_id", Value: values["_id"].Draw(t, "_id")}}, without(filter, "_id")...)
}

func updating(t *rapid.T) call {
	filter, update := filters.Draw(t, "filter"), updates.Draw(t, "update")
	kind := rapid.SampledFrom([]string{"one", "upsert", "many", "find and update", "find and upsert"}).Draw(t, "kind")
	if kind == "many" && holds(update, func(key string, _ any) bool { return slices.Contains([]string{"b", "n", "o.x"}, key) }) {
		kind = "one" // whether several in a row violate a unique index in between depends on their order
	}
	if kind == "one" || strings.HasSuffix(kind, "upsert") {
		filter = identified(t, filter)
	}
	sort, after := sorts.Draw(t, "sort"), rapid.Bool().Draw(t, "after")
	name := fmt.Sprintf("update %s %v by %v: %v", kind, filter, sort, update)
	return call{name: name, many: kind == "many", upsert: strings.HasSuffix(kind, "upsert"), filter: filter, sort: sort, update: update, run: func(s system) string {
		switch kind {
		case "one":
			return updated(s.c.UpdateOne(ctx, s.filter(filter), update))
		case "upsert":
			return updated(s.c.UpdateOne(ctx, filter, update, options.UpdateOne().SetUpsert(true)))
		case "many":
			return updated(s.c.UpdateMany(ctx, s.filter(filter), update))
		}
		opts := options.FindOneAndUpdate().SetSort(s.sort(sort)).SetUpsert(kind == "find and upsert")
		if after {
			opts.SetReturnDocument(options.After)
		}
		if kind == "find and upsert" {
			return one(s.c.FindOneAndUpdate(ctx, filter, update, opts))
		}
		return one(s.c.FindOneAndUpdate(ctx, s.filter(filter), update, opts))
	}}
}

func deleting(t *rapid.T) call {
	filter, sort := filters.Draw(t, "filter"), sorts.Draw(t, "sort")
	kind := rapid.SampledFrom([]string{"one", "many", "find and delete"}).Draw(t, "kind")
	switch kind {
	case "one":
		filter = identified(t, filter)
	case "many": // not too many
		filter = append(without(filter, "b"), bson.E{Key: "b", Value: small.Draw(t, "b")})
	}
	return call{name: fmt.Sprintf("delete %s %v by %v", kind, filter, sort), filter: filter, sort: sort, run: func(s system) string {
		switch kind {
		case "one":
			return deleted(s.c.DeleteOne(ctx, s.filter(filter)))
		case "many":
			return deleted(s.c.DeleteMany(ctx, s.filter(filter)))
		}
		return one(s.c.FindOneAndDelete(ctx, s.filter(filter), options.FindOneAndDelete().SetSort(s.sort(sort))))
	}}
}

// indexes are random; a unique one contains no arrays.
func indexes(t *rapid.T) (plain, uniques []mongo.IndexModel) {
	for range rapid.IntRange(0, 3).Draw(t, "indexes") {
		plain = append(plain, mongo.IndexModel{Keys: keys(3).Draw(t, "index")})
	}
	if rapid.Bool().Draw(t, "unique") {
		uniques = append(uniques, unique(rapid.SampledFrom([]d{
			{{Key: "b", Value: 1}, {Key: "n", Value: -1}}, {{Key: "n", Value: 1}, {Key: "o.x", Value: 1}}, {{Key: "n", Value: -1}}}).Draw(t, "unique index")))
	}
	return plain, uniques
}

func ensureDistinct(c *Collection, models []mongo.IndexModel) error {
	var list []mongo.IndexModel
	for _, m := range models {
		if !slices.ContainsFunc(list, func(o mongo.IndexModel) bool { return fmt.Sprint(o.Keys) == fmt.Sprint(m.Keys) }) {
			list = append(list, m)
		}
	}
	return c.EnsureIndexes(ctx, list)
}

// compare runs random calls on two systems and compares each result and, after it, all documents.
func compare(t *rapid.T, tested, reference system, skip func(call) bool, mend func()) {
	all := func(s system) string {
		return list(s.c, d{}, options.Find().SetSort(d{{Key: "_id", Value: 1}}))
	}
	try := func(c call) {
		if skip(c) {
			return
		}
		before := all(tested)
		got, want := c.run(tested), c.run(reference)
		if got != want {
			t.Fatalf("%s\nover\n%s\n\ngot\n%s\n\nwant\n%s", c.name, before, got, want)
		}
		if c.many && (got == "duplicate key" || got == "refused") {
			mend()
		}
		if got, want := all(tested), all(reference); got != want {
			t.Fatalf("after %s\ngot\n%s\n\nwant\n%s", c.name, got, want)
		}
	}
	for range rapid.IntRange(0, 25).Draw(t, "documents") {
		try(insertion(t))
	}
	then := func(draw func(*rapid.T) call) func(*rapid.T) { return func(t *rapid.T) { try(draw(t)) } }
	t.Repeat(map[string]func(*rapid.T){"insert": then(insertion), "read": then(reading), "read again": then(reading),
		"read more": then(reading), "update": then(updating), "delete": then(deleting)})
}

// TestIndexesChangeNoAnswer compares the engine with indexes to the engine reading everything.
func TestIndexesChangeNoAnswer(t *testing.T) {
	db := open(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		indexed, scanned := db.Collection(fmt.Sprint("indexed", run)), db.Collection(fmt.Sprint("scanned", run))
		plain, uniques := indexes(t)
		if err := errors.Join(ensureDistinct(indexed, append(uniques, plain...)), ensureDistinct(scanned, uniques)); err != nil {
			t.Fatalf("%v", err)
		}
		compare(t, system{c: indexed}, system{c: scanned, scans: true}, func(call) bool { return false }, func() {})
		intact(t, indexed)
		_, err := indexed.DeleteMany(ctx, d{}) // the check reads the whole file
		_, more := scanned.DeleteMany(ctx, d{})
		if err := errors.Join(err, more); err != nil {
			t.Fatalf("%v", err)
		}
	})
	if db.Scans() == 0 {
		t.Error("the reference did not scan")
	}
}

// TestSameAsMongoDB compares the engine to a server that speaks MongoDB's protocol.
func TestSameAsMongoDB(t *testing.T) {
	uri := os.Getenv("MONGODB_URI")
	if uri == "" {
		t.Skip("MONGODB_URI names no server to compare with")
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	ok(t, err)
	server := client.Database("same_" + bson.NewObjectID().Hex())
	t.Cleanup(func() {
		ok(t, server.Drop(context.Background()))
		ok(t, client.Disconnect(context.Background()))
	})
	db := open(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		name := fmt.Sprint("things", run)
		embedded, served := db.Collection(name), server.Collection(name)
		plain, uniques := indexes(t)
		if err := ensureDistinct(embedded, append(uniques, plain...)); err != nil {
			t.Fatalf("%v", err)
		}
		if len(uniques) > 0 {
			if _, err := served.Indexes().CreateMany(ctx, uniques); err != nil {
				t.Fatalf("%v", err)
			}
		}
		compare(t, system{c: embedded}, system{c: served}, func(c call) bool {
			for _, u := range unlike {
				if u.is(c, embedded) {
					return true
				}
			}
			return false
		}, func() { copyAll(t, embedded, served) })
		if err := served.Drop(ctx); err != nil {
			t.Fatalf("%v", err)
		}
	})
}

// copyAll copies the documents of the embedded engine to the server.
func copyAll(t *rapid.T, from *Collection, to *mongo.Collection) {
	_, err := to.DeleteMany(ctx, d{})
	cursor, findErr := from.Find(ctx, d{})
	var docs []d
	err = errors.Join(err, findErr, cursor.All(ctx, &docs))
	for _, doc := range docs {
		_, insertErr := to.InsertOne(ctx, doc)
		err = errors.Join(err, insertErr)
	}
	if err != nil {
		t.Fatalf("copying: %v", err)
	}
}
