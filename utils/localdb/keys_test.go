package localdb

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/256dpi/lungo/bsonkit"
	v1 "go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"
)

// TestKeyOrder checks that encoded values compare as bsonkit.Compare does, either way round; but subdocuments, which it
// compares otherwise than MongoDB.
func TestKeyOrder(t *testing.T) {
	values := rapid.OneOf(flat(scalars), flat(rapid.Float64()), flat(rapid.Int64()), flat(rapid.String()),
		rapid.Map(rapid.Int64(), func(n int64) any { return float64(n) }),
		rapid.Map(rapid.SliceOfN(flat(scalars), 0, 2), func(list []any) any { return v1.A(list) }))
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

// flat are values that are no documents, as the engine has them.
func flat[T any](values *rapid.Generator[T]) *rapid.Generator[any] {
	taken := rapid.Map(values, func(v T) any { return convert(d{{Key: "v", Value: v}})[0].Value })
	return taken.Filter(func(v any) bool { _, isDoc := v.(v1.D); return !isDoc })
}

// TestOrderOfTypes is MongoDB's, as its manual has it: empty arrays, null, numbers, strings, documents, arrays, binary
// data, ObjectIDs, booleans, dates. Documents compare field by field, each by type, then by name, then by value.
func TestOrderOfTypes(t *testing.T) {
	doc := func(e ...bson.E) d { return append(d{}, e...) }
	field := func(key string, v any) bson.E { return bson.E{Key: key, Value: v} }
	want := []any{a{}, nil, math.NaN(), math.Inf(-1), -1, 0.5, int64(1), "", "a", "a\x00", "a\x00b", "b", doc(), doc(field("z", nil)), doc(field("z", 1)),
		doc(field("a", "x")), doc(field("b", "a")), doc(field("b", "b")), doc(field("b", "b"), field("a", 1)),
		bson.Binary{Data: []byte{9}}, bson.Binary{Subtype: 5, Data: []byte{1}}, bson.Binary{Data: []byte{0, 0}},
		bson.ObjectID{1}, false, true, bson.DateTime(-1), bson.DateTime(1)}
	for _, indexed := range []bool{false, true} {
		c := open(t).Collection("things")
		if indexed {
			ensure(t, c, d{{Key: "v", Value: 1}})
		}
		for i := range want {
			n := (i*7 + 3) % len(want)
			insert(t, c, d{{Key: "_id", Value: n}, {Key: "v", Value: want[n]}})
		}
		for i, n := range ids(find(t, c, d{}, options.Find().SetSort(d{{Key: "v", Value: 1}}))) {
			equal(t, fmt.Sprint("place of ", want[n]), int(n), i)
		}
		for i, n := range ids(find(t, c, d{}, options.Find().SetSort(d{{Key: "v", Value: -1}}))) {
			equal(t, fmt.Sprint("place from behind of ", want[n]), int(n), len(want)-1-i)
		}
	}
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
