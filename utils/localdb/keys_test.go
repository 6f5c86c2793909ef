package localdb

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"
)

// order compares two values as MongoDB's manual specifies, without any keys: by type, then numbers exactly with NaN
// first, texts and ObjectIDs by bytes, documents field by field, arrays element by element, binary data by length.
func order(x, y any) int {
	rank := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case int32, int64, float64, int:
			return 1
		case string:
			return 2
		case d:
			return 3
		case a:
			return 4
		case bson.Binary:
			return 5
		case bson.ObjectID:
			return 6
		case bool:
			return 7
		}
		return 8
	}
	if n := rank(x) - rank(y); n != 0 {
		return cmp.Compare(n, 0)
	}
	switch x := x.(type) {
	case int, int32, int64, float64:
		return orderNumbers(x, y)
	case string:
		return strings.Compare(x, y.(string))
	case d:
		y := y.(d)
		for i := range min(len(x), len(y)) {
			n := cmp.Or(rank(x[i].Value)-rank(y[i].Value), strings.Compare(x[i].Key, y[i].Key), order(x[i].Value, y[i].Value))
			if n != 0 {
				return cmp.Compare(n, 0)
			}
		}
		return cmp.Compare(len(x), len(y))
	case a:
		y := y.(a)
		for i := range min(len(x), len(y)) {
			if n := order(x[i], y[i]); n != 0 {
				return n
			}
		}
		return cmp.Compare(len(x), len(y))
	case bson.Binary:
		y := y.(bson.Binary)
		return cmp.Or(cmp.Compare(len(x.Data), len(y.Data)), cmp.Compare(x.Subtype, y.Subtype), bytes.Compare(x.Data, y.Data))
	case bson.ObjectID:
		y := y.(bson.ObjectID)
		return bytes.Compare(x[:], y[:])
	case bool:
		if x == y.(bool) {
			return 0
		} else if x {
			return 1
		}
		return -1
	case bson.DateTime:
		return cmp.Compare(x, y.(bson.DateTime))
	}
	return 0
}

func orderNumbers(x, y any) int {
	exact := func(v any) (*big.Float, bool) {
		switch v := v.(type) {
		case int:
			return new(big.Float).SetInt64(int64(v)), false
		case int32:
			return new(big.Float).SetInt64(int64(v)), false
		case int64:
			return new(big.Float).SetInt64(v), false
		case float64:
			if !math.IsNaN(v) {
				return big.NewFloat(v), false
			}
		}
		return nil, true
	}
	m, mNaN := exact(x)
	n, nNaN := exact(y)
	switch {
	case mNaN && nNaN:
		return 0
	case mNaN:
		return -1
	case nNaN:
		return 1
	}
	return m.Cmp(n)
}

// key is the key of a Go value.
func key(v any) []byte {
	doc, err := accept(d{{Key: "v", Value: v}})
	if err != nil {
		panic(err)
	}
	return keyOf(field(doc, "v"))
}

// TestKeyOrder checks that keys compare like values, in both directions.
func TestKeyOrder(t *testing.T) {
	list := func(values *rapid.Generator[any]) *rapid.Generator[any] {
		return rapid.Map(rapid.SliceOfN(values, 0, 2), func(list []any) any { return append(a{}, list...) })
	}
	values := rapid.OneOf(scalars, rapid.Float64().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny(),
		rapid.Map(rapid.Int64(), func(n int64) any { return float64(n) }), list(scalars),
		rapid.Map(rapid.SliceOfN(scalars, 0, 3), func(list []any) any {
			doc := d{}
			for i, v := range list {
				doc = append(doc, bson.E{Key: string(rune('a' + (i*7+len(list))%5)), Value: v})
			}
			return doc
		}))
	rapid.Check(t, func(t *rapid.T) {
		x, y := values.Draw(t, "x"), values.Draw(t, "y")
		want := order(x, y)
		if got := bytes.Compare(key(x), key(y)); got != want {
			t.Fatalf("%v and %v: keys compare %d, values %d", x, y, got, want)
		}
		if got := bytes.Compare(inverted(key(x)), inverted(key(y))); got != -want {
			t.Fatalf("%v and %v: descending keys compare %d, values %d", x, y, got, want)
		}
	})
}

// TestIntervals checks for two values and each comparison that the interval of one contains the key of the other
// exactly if the comparison holds, even in a descending column, and that intersecting intervals is the same as checking
// both.
func TestIntervals(t *testing.T) {
	values := rapid.OneOf(scalars, rapid.Float64().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny())
	holds := map[string]func(n int) bool{"$eq": func(n int) bool { return n == 0 }, "$gt": func(n int) bool { return n > 0 },
		"$gte": func(n int) bool { return n >= 0 }, "$lt": func(n int) bool { return n < 0 }, "$lte": func(n int) bool { return n <= 0 }}
	isNaN := func(v any) bool { f, is := v.(float64); return is && math.IsNaN(f) }
	has := func(iv interval, key []byte) bool { return inAny([]interval{iv}, key) }
	rapid.Check(t, func(t *rapid.T) {
		x, y, z := values.Draw(t, "x"), values.Draw(t, "y"), values.Draw(t, "z")
		ops := rapid.SampledFrom([]string{"$eq", "$gt", "$gte", "$lt", "$lte"})
		op, other := ops.Draw(t, "operator"), ops.Draw(t, "other operator")
		operand := func(v any) value { doc, _ := accept(d{{Key: "v", Value: v}}); return field(doc, "v") }
		iv := compared(op, operand(y))
		want := holds[op](order(x, y)) && key(x)[0] == key(y)[0] && isNaN(x) == isNaN(y)
		if got := has(iv, key(x)); got != want {
			t.Fatalf("%v %s %v: %v", x, op, y, got)
		}
		if got := has(iv.inverted(), append(inverted(key(x)), 7)); got != want {
			t.Fatalf("%v %s %v in a descending column: %v", x, op, y, got)
		}
		more := compared(other, operand(z))
		if got := inAny(intersection([]interval{iv}, []interval{more}), key(x)); got != (want && has(more, key(x))) {
			t.Fatalf("%v %s %v and %s %v: %v", x, op, y, other, z, got)
		}
		list := rapid.Map(rapid.SliceOfN(values, 0, 6), func(list []any) (in []interval) {
			for _, v := range list {
				in = append(in, compared("$eq", operand(v)))
			}
			return ordered(in)
		})
		these, those := list.Draw(t, "these"), list.Draw(t, "those")
		for _, in := range [][]interval{these, those, {more}} {
			if got := inAny(intersection(these, in), key(x)); got != (inAny(these, key(x)) && inAny(in, key(x))) {
				t.Fatalf("%v in %v and in %v: %v", x, these, in, got)
			}
		}
	})
}

// TestOrderOfTypes checks MongoDB's order according to its manual: empty arrays, null, numbers, strings, documents,
// arrays, binary data, ObjectIDs, booleans, dates. Documents compare field by field, each by type, then name, then
// value.
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

// TestBigNumbers compares integers and doubles where doubles have gaps.
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
			if got, want := bytes.Compare(key(x), key(y)), order(x, y); got != want {
				t.Fatalf("%v (%T) and %v (%T): keys compare %d, values %d", x, x, y, y, got, want)
			}
		}
	}
}
