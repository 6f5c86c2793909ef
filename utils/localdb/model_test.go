package localdb

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/256dpi/lungo/bsonkit"
	"github.com/256dpi/lungo/mongokit"
	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"

	bson2 "go.mongodb.org/mongo-driver/v2/bson"
)

// scalars has few values, so that they meet, of all types, equal numbers of different types among them.
func scalars() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{
		nil, int32(1), int64(1), 1.0, int32(2), 2.5, int64(1<<53 + 1), float64(1 << 53), int32(-3),
		"", "a", "b", "a\x00b", true, false, primitive.DateTime(0), primitive.DateTime(-5), primitive.DateTime(9),
		primitive.ObjectID{1}, primitive.Binary{Data: []byte{1, 2}}, bson.D{{Key: "k", Value: int32(1)}},
	})
}

func small() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{int32(1), int32(2), int64(3), 4.0, "x", "y"})
}

func documents() *rapid.Generator[bson.D] {
	return rapid.Custom(func(t *rapid.T) bson.D {
		doc := bson.D{{Key: "_id", Value: rapid.Int32Range(0, 60).Draw(t, "_id")}}
		add := func(key string, value func() any) {
			if rapid.IntRange(0, 4).Draw(t, "has "+key) > 0 {
				doc = append(doc, bson.E{Key: key, Value: value()})
			}
		}
		add("a", func() any { return scalars().Draw(t, "a") })
		add("b", func() any { return small().Draw(t, "b") })
		add("o", func() any { return bson.D{{Key: "x", Value: scalars().Draw(t, "x")}} })
		add("tags", func() any {
			return append(bson.A{}, rapid.SliceOfN(small(), 0, 3).Draw(t, "tags")...)
		})
		add("items", func() any {
			items := bson.A{}
			for range rapid.IntRange(0, 3).Draw(t, "items") {
				items = append(items, bson.D{{Key: "n", Value: small().Draw(t, "n")}, {Key: "m", Value: small().Draw(t, "m")}})
			}
			return items
		})
		if rapid.IntRange(0, 9).Draw(t, "tags is no array") == 0 {
			_, _ = bsonkit.Put(&doc, "tags", small().Draw(t, "tag"), false)
		}
		return doc
	})
}

func conditionOn(t *rapid.T, path string, values *rapid.Generator[any]) any {
	v := func() any {
		x := values.Draw(t, "operand")
		if x == nil && path != "a" && path != "b" {
			return "a"
		}
		return x
	}
	list := func() bson.A {
		l := bson.A{}
		for range rapid.IntRange(0, 3).Draw(t, "in") {
			l = append(l, v())
		}
		return l
	}
	ops := func(key string, x any) bson.D { return bson.D{{Key: key, Value: x}} }
	bound := func(keys ...string) string { return rapid.SampledFrom(keys).Draw(t, "op") }
	switch rapid.IntRange(0, 9).Draw(t, "condition") {
	case 0, 1, 2:
		return v()
	case 3, 4:
		return ops("$in", list())
	case 5:
		return ops(bound("$gt", "$gte", "$lt", "$lte"), v())
	case 6:
		return append(ops(bound("$gt", "$gte"), v()), ops(bound("$lt", "$lte"), v())...)
	case 7:
		return ops(bound("$ne", "$eq"), v())
	case 8:
		return ops("$nin", list())
	default:
		return ops(bound("$exists", "$not"), nil)
	}
}

func fixed(cond any) any {
	if ops, ok := operators(cond); ok {
		switch ops[0].Key {
		case "$exists":
			return bson.D{{Key: "$exists", Value: true}}
		case "$not":
			return bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: int32(1)}}}}
		}
	}
	return cond
}

func filters() *rapid.Generator[bson.D] {
	return rapid.Custom(func(t *rapid.T) bson.D {
		one := func() bson.E {
			path := rapid.SampledFrom([]string{"_id", "a", "a", "b", "b", "o.x", "tags", "tags", "items.n"}).Draw(t, "path")
			switch path {
			case "_id":
				return bson.E{Key: path, Value: fixed(conditionOn(t, path, rapid.Custom(func(t *rapid.T) any {
					return rapid.Int32Range(0, 60).Draw(t, "id")
				})))}
			case "a", "o.x":
				return bson.E{Key: path, Value: fixed(conditionOn(t, path, scalars()))}
			}
			return bson.E{Key: path, Value: fixed(conditionOn(t, path, small()))}
		}
		filter := bson.D{}
		for range rapid.IntRange(0, 3).Draw(t, "conditions") {
			filter = append(filter, one())
		}
		switch rapid.IntRange(0, 7).Draw(t, "more") {
		case 0:
			op := rapid.SampledFrom([]string{"$or", "$and", "$nor"}).Draw(t, "branches")
			filter = append(filter, bson.E{Key: op, Value: bson.A{bson.D{one()}, bson.D{one(), one()}}})
		case 1:
			filter = append(filter, bson.E{Key: "items", Value: bson.D{{Key: "$elemMatch", Value: bson.D{
				{Key: "n", Value: fixed(conditionOn(t, "n", small()))}, {Key: "m", Value: fixed(conditionOn(t, "m", small()))}}}}})
		case 2:
			filter = append(filter, bson.E{Key: "tags", Value: bson.D{{Key: "$elemMatch", Value: bson.D{
				{Key: "$gte", Value: small().Draw(t, "from")}, {Key: "$lt", Value: small().Draw(t, "to")}}}}})
		}
		return filter
	})
}

func sorts() *rapid.Generator[bson.D] {
	return rapid.Custom(func(t *rapid.T) bson.D {
		paths := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "o.x", "tags"}), 0, 2, rapid.ID).Draw(t, "sort")
		sort := bson.D{}
		for _, path := range append(paths, "_id") {
			sort = append(sort, bson.E{Key: path, Value: rapid.SampledFrom([]int32{1, -1}).Draw(t, "direction")})
		}
		return sort
	})
}

func updates() *rapid.Generator[bson.D] {
	return rapid.Custom(func(t *rapid.T) bson.D {
		field := func(op, key string, v any) bson.E { return bson.E{Key: op, Value: bson.D{{Key: key, Value: v}}} }
		all := []bson.E{
			field("$set", "a", scalars().Draw(t, "a")),
			field("$unset", "b", ""),
			field("$inc", "n", int32(2)),
			field("$push", "tags", bson.D{{Key: "$each", Value: bson.A{small().Draw(t, "push")}}, {Key: "$slice", Value: int32(-3)}}),
			field("$pull", "items", bson.D{{Key: "n", Value: small().Draw(t, "pull")}}),
			field("$addToSet", "tags", small().Draw(t, "add")),
			field("$setOnInsert", "made", true),
			field("$max", "o.x", small().Draw(t, "max")),
			field("$min", "o.x", small().Draw(t, "min")),
			field("$set", "items.$[].m", small().Draw(t, "m")),
		}
		picked := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 3, func(e bson.E) string {
			return e.Value.(bson.D)[0].Key[:1]
		}).Draw(t, "update")
		u := bson.D{}
		for _, e := range picked {
			if i := slices.IndexFunc(u, func(o bson.E) bool { return o.Key == e.Key }); i >= 0 {
				u[i].Value = append(u[i].Value.(bson.D), e.Value.(bson.D)...)
				continue
			}
			u = append(u, e)
		}
		return u
	})
}

// give turns a test's document into what a caller would pass.
func give(doc bson.D) bson2.Raw {
	raw, err := bson.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return raw
}

// model is the naive database: a list that every query scans.
type model struct {
	c       *Collection
	docs    bsonkit.List
	uniques []string
}

func (m *model) clash(doc *bson.D, except *bson.D) bool {
	return slices.ContainsFunc(m.docs, func(o *bson.D) bool {
		if o == except {
			return false
		}
		same := func(path string) bool {
			return bsonkit.Compare(bsonkit.Get(o, path), bsonkit.Get(doc, path)) == 0
		}
		return same("_id") || len(m.uniques) > 0 && !slices.ContainsFunc(m.uniques, func(p string) bool { return !same(p) })
	})
}

// wanted is the answer by a full scan.
func (m *model) wanted(t *rapid.T, filter, sort bson.D, limit int) bsonkit.List {
	list, err := mongokit.Filter(m.docs, &filter, 0)
	if err == nil {
		list, err = mongokit.Sort(list, &sort)
	}
	if err != nil {
		t.Fatalf("model: %v", err)
	}
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}

func (m *model) insert(t *rapid.T) {
	doc := documents().Draw(t, "document")
	_, err := m.c.InsertOne(ctx, give(doc))
	if m.clash(&doc, nil) {
		if !mongo.IsDuplicateKeyError(err) {
			t.Fatalf("inserting %v: got %v, want a duplicate key error", doc, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("inserting %v: %v", doc, err)
	}
	m.docs = append(m.docs, &doc)
}

func (m *model) find(t *rapid.T) {
	m.answer(t, filters().Draw(t, "filter"), sorts().Draw(t, "sort"))
}

// feed asks as pages do: bound columns, a range on the next one, and the order of an index or its reverse.
func (m *model) feed(t *rapid.T) {
	filter := bson.D{{Key: "b", Value: bson.D{{Key: "$in", Value: append(bson.A{}, rapid.SliceOfN(small(), 0, 3).Draw(t, "b")...)}}}}
	if rapid.Bool().Draw(t, "range") {
		op := rapid.SampledFrom([]string{"$lt", "$gt", "$lte", "$gte"}).Draw(t, "op")
		filter = append(filter, bson.E{Key: "a", Value: bson.D{{Key: op, Value: scalars().Draw(t, "a")}}})
	}
	direction := rapid.SampledFrom([]int32{1, -1})
	m.answer(t, filter, bson.D{{Key: "a", Value: direction.Draw(t, "a")}, {Key: "_id", Value: direction.Draw(t, "_id")}})
}

func (m *model) answer(t *rapid.T, filter, sort bson.D) {
	limit := rapid.IntRange(0, 5).Draw(t, "limit")
	cursor, err := m.c.Find(ctx, give(filter), options.Find().SetSort(give(sort)).SetLimit(int64(limit)))
	if err != nil {
		t.Fatalf("%v: %v", filter, err)
	}
	got := []bson2.Raw{}
	if err := cursor.All(ctx, &got); err != nil {
		t.Fatalf("%v", err)
	}
	want := m.wanted(t, filter, sort, limit)
	if len(got) != len(want) {
		t.Fatalf("%v sorted by %v: got %v, want %d documents", filter, sort, got, len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], give(*want[i])) {
			t.Fatalf("%v sorted by %v, at %d: got %v, want %v", filter, sort, i, got[i], *want[i])
		}
	}
	n, err := m.c.CountDocuments(ctx, give(filter))
	if err != nil || int(n) != len(m.wanted(t, filter, sort, 0)) {
		t.Fatalf("%v: counted %d (%v), want %d", filter, n, err, len(m.wanted(t, filter, sort, 0)))
	}
}

func (m *model) update(t *rapid.T) {
	filter, sort, update := filters().Draw(t, "filter"), sorts().Draw(t, "sort"), updates().Draw(t, "update")
	found := m.wanted(t, filter, sort, 1)
	result, err := m.c.UpdateOne(ctx, give(filter), give(update), options.UpdateOne().SetSort(give(sort)))
	if len(found) == 0 {
		if err != nil || result.MatchedCount != 0 {
			t.Fatalf("updating nothing: %v %v", result, err)
		}
		return
	}
	after := bsonkit.Clone(found[0])
	if _, applyErr := mongokit.Apply(after, &filter, bsonkit.Clone(&update), false, nil); applyErr != nil {
		if err == nil {
			t.Fatalf("%v on %v: want %v", update, *found[0], applyErr)
		}
		return
	}
	if m.clash(after, found[0]) {
		if !mongo.IsDuplicateKeyError(err) {
			t.Fatalf("%v on %v: got %v, want a duplicate key error", update, *found[0], err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v on %v: %v", update, *found[0], err)
	}
	changed := !bytes.Equal(give(*found[0]), give(*after))
	if result.MatchedCount != 1 || (result.ModifiedCount == 1) != changed {
		t.Fatalf("%v on %v: %+v", update, *found[0], result)
	}
	if changed && bsonkit.Get(after, "n") != bsonkit.Missing { // counters are widened to 64 bits
		n, _ := number(bsonkit.Get(after, "n"))
		_, _ = bsonkit.Put(after, "n", int64(n), false)
	}
	*found[0] = *after
}

func (m *model) remove(t *rapid.T) {
	filter := filters().Draw(t, "filter")
	filter = append(filter, bson.E{Key: "b", Value: small().Draw(t, "b")})
	found := m.wanted(t, filter, bson.D{}, 0)
	result, err := m.c.DeleteMany(ctx, give(filter))
	if err != nil || int(result.DeletedCount) != len(found) {
		t.Fatalf("deleting %v: %v, %v, want %d", filter, result, err, len(found))
	}
	m.docs = slices.DeleteFunc(m.docs, func(o *bson.D) bool { return slices.Contains(found, o) })
}

var modelIndexes = [][]bson2.D{
	{{{Key: "a", Value: 1}}}, {{{Key: "b", Value: 1}, {Key: "a", Value: -1}}},
	{{{Key: "tags", Value: 1}}}, {{{Key: "b", Value: 1}, {Key: "tags", Value: -1}}},
	{{{Key: "items.n", Value: 1}}}, {{{Key: "o.x", Value: -1}, {Key: "_id", Value: -1}}},
	{{{Key: "b", Value: -1}, {Key: "a", Value: 1}, {Key: "_id", Value: 1}}},
	{{{Key: "a", Value: -1}, {Key: "b", Value: -1}}},
}

// TestModel compares random operations with the naive model, under random indexes that come at random times.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		path := filepath.Join(dir, fmt.Sprint(run))
		db, err := Open(path)
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer os.Remove(path)
		defer db.Close()
		db.bolt.NoSync = true
		m := &model{c: db.Collection("things")}
		if rapid.Bool().Draw(t, "unique") {
			m.uniques = []string{"a", "b"}
			if err := m.c.EnsureIndexes(ctx, []mongo.IndexModel{unique(bson2.D{{Key: "a", Value: 1}, {Key: "b", Value: 1}})}); err != nil {
				t.Fatalf("%v", err)
			}
		}
		for range rapid.IntRange(0, 25).Draw(t, "documents") {
			m.insert(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": m.insert, "find": m.find, "find again": m.find, "feed": m.feed, "update": m.update, "delete": m.remove,
			"index": func(t *rapid.T) {
				for _, keys := range rapid.SampledFrom(modelIndexes).Draw(t, "index") {
					if err := m.c.EnsureIndexes(ctx, []mongo.IndexModel{{Keys: keys}}); err != nil {
						t.Fatalf("%v", err)
					}
				}
			},
			"": func(t *rapid.T) { intact(t, m.c) },
		})
	})
}

// TestKeyOrder checks that encoded values compare as bsonkit.Compare does, either way round.
func TestKeyOrder(t *testing.T) {
	values := rapid.OneOf(scalars(), rapid.Custom(func(t *rapid.T) any { return rapid.Float64().Draw(t, "float") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Int64().Draw(t, "int64") }),
		rapid.Custom(func(t *rapid.T) any { return float64(rapid.Int64().Draw(t, "whole float")) }),
		rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "string") }),
		rapid.Custom(func(t *rapid.T) any {
			return bson.A{scalars().Draw(t, "element"), scalars().Draw(t, "element")}[:rapid.IntRange(0, 2).Draw(t, "length")]
		}))
	rapid.Check(t, func(t *rapid.T) {
		x, y := values.Draw(t, "x"), values.Draw(t, "y")
		want := bsonkit.Compare(x, y)
		if got := bytes.Compare(appendColumn(nil, x, false), appendColumn(nil, y, false)); got != want {
			t.Fatalf("%v and %v: keys compare %d, values %d", x, y, got, want)
		}
		if got := bytes.Compare(appendColumn(nil, x, true), appendColumn(nil, y, true)); got != -want {
			t.Fatalf("%v and %v: descending keys compare %d, values %d", x, y, got, want)
		}
	})
}

// TestBigNumbers compares whole numbers and doubles where doubles have gaps.
func TestBigNumbers(t *testing.T) {
	var values []any
	for _, base := range []int64{1 << 53, -1 << 53, 1 << 60, -1 << 60, math.MaxInt64 - 1100, math.MinInt64 + 1100} {
		for _, near := range []int64{-1025, -513, -2, -1, 0, 1, 2, 511, 1025} {
			values = append(values, base+near, float64(base+near))
		}
	}
	values = append(values, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0.0, int64(math.MaxInt64), int64(math.MinInt64), 0x1p63)
	for _, x := range values {
		for _, y := range values {
			if got, want := bytes.Compare(appendKey(nil, x), appendKey(nil, y)), bsonkit.Compare(x, y); got != want {
				t.Fatalf("%v (%T) and %v (%T): keys compare %d, values %d", x, x, y, y, got, want)
			}
		}
	}
}
