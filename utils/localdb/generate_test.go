package localdb

import (
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

// scalars has few values, so that they coincide: of all types, including equal numbers of different types, and numbers
// where doubles have gaps.
var scalars = rapid.SampledFrom([]any{
	nil, int32(1), int64(1), 1.0, int32(2), 2.5, int32(-3), 0.0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(),
	int64(1 << 53), float64(1 << 53), int64(1<<53 + 1), int64(math.MaxInt64), 0x1p63,
	"", "a", "b", "a\x00b", "a\x00", "é", "z", "😀", true, false, bson.DateTime(0), bson.DateTime(-5), bson.DateTime(9),
	bson.ObjectID{1}, bson.ObjectID{1, 2}, bson.Binary{Data: []byte{1, 2}}, bson.Binary{Data: []byte{3}}, bson.Binary{Subtype: 5, Data: []byte{3}},
	d{}, d{{Key: "k", Value: int32(1)}}, d{{Key: "k", Value: int64(2)}}, d{{Key: "k", Value: "x"}}, d{{Key: "j", Value: "x"}},
	d{{Key: "k", Value: int32(1)}, {Key: "l", Value: a{}}},
})

// few are values that equal others or nothing, so that these coincide more often.
var few = rapid.SampledFrom([]any{nil, int32(1), 1.0, math.NaN(), "a", "a\x00", d{}, d{{Key: "k", Value: int32(1)}}, true})

var small = rapid.SampledFrom([]any{int32(1), int32(2), int64(2), int64(3), 4.0, "x", "y"})

var numbers = rapid.SampledFrom([]any{int32(0), int32(1), int64(1), int32(7), 2.5, int32(1<<31 - 1), int64(1 << 40)})

func arrays(values *rapid.Generator[any]) *rapid.Generator[any] {
	return rapid.Map(rapid.SliceOfN(values, 0, 3), func(list []any) any { return append(a{}, list...) })
}

// values are what may be at a path: b and n are never arrays.
var values = map[string]*rapid.Generator[any]{
	"_id": rapid.Map(rapid.Int32Range(0, 40), func(id int32) any { return id }),
	"a":   rapid.OneOf(scalars, few, arrays(scalars), arrays(few)),
	"b":   small,
	"n":   numbers,
	"o": rapid.OneOf(rapid.Map(rapid.OneOf(scalars, few), func(x any) any { return d{{Key: "x", Value: x}} }), small,
		rapid.Map(arrays(rapid.OneOf(small, rapid.Map(small, func(n any) any { return d{{Key: "n", Value: n}} }))), func(l any) any { return d{{Key: "l", Value: l}} })),
	"o.x":  rapid.OneOf(scalars, few),
	"o.l":  small,
	"tags": rapid.OneOf(arrays(small), arrays(small), small),
	"items": rapid.OneOf(arrays(rapid.Custom(func(t *rapid.T) any {
		item := d{}
		for _, key := range []string{"n", "m"} {
			if rapid.IntRange(0, 3).Draw(t, "has "+key) > 0 {
				item = append(item, bson.E{Key: key, Value: small.Draw(t, key)})
			}
		}
		return item
	})), arrays(small)),
	"items.n": small,
}

var documents = rapid.Custom(func(t *rapid.T) d {
	doc := d{{Key: "_id", Value: values["_id"].Draw(t, "_id")}}
	for _, key := range []string{"a", "b", "n", "o", "tags", "items"} {
		if rapid.IntRange(0, 4).Draw(t, "has "+key) > 0 {
			doc = append(doc, bson.E{Key: key, Value: values[key].Draw(t, key)})
		}
	}
	return doc
})

var paths = rapid.SampledFrom([]string{"_id", "a", "a", "b", "b", "n", "n", "o.x", "tags", "tags", "items.n", "o.l"})

// operands are compared with the value at a path.
func operands(path string) *rapid.Generator[any] {
	if path == "o.x" { // a dotted path is not compared with null
		return values[path].Filter(func(v any) bool { return v != nil })
	}
	return values[path]
}

func conditions(path string) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		one := func() any { return operands(path).Draw(t, "operand") }
		list := func() any { // an array within an array is rejected
			flat := operands(path).Filter(func(v any) bool { _, isArray := v.(a); return !isArray })
			most := rapid.SampledFrom([]int{1, 3, 12}).Draw(t, "most")
			return append(a{}, rapid.SliceOfN(flat, 0, most).Draw(t, "list")...)
		}
		op := func(value any, names ...string) bson.E {
			return bson.E{Key: rapid.SampledFrom(names).Draw(t, "operator"), Value: value}
		}
		switch rapid.IntRange(0, 13).Draw(t, "kind") {
		case 0, 1, 2:
			return one()
		case 3, 4:
			return d{op(list(), "$in")}
		case 5, 6:
			return d{op(one(), "$gt", "$gte", "$lt", "$lte")}
		case 7:
			return d{op(one(), "$gt", "$gte"), op(one(), "$lt", "$lte")}
		case 8:
			return d{op(one(), "$ne", "$eq")}
		case 9:
			return d{op(list(), "$nin")}
		case 10:
			return d{op(rapid.Bool().Draw(t, "exists"), "$exists")}
		case 11:
			return d{op(rapid.Bool().Draw(t, "exists"), "$exists"), op(one(), "$gte", "$lt", "$ne")}
		case 12:
			return d{{Key: "$not", Value: d{op(list(), "$in", "$nin"), op(one(), "$ne", "$gte")}}}
		default:
			return d{{Key: "$not", Value: d{op(one(), "$gt", "$lte")}}}
		}
	})
}

var filters = rapid.Custom(func(t *rapid.T) d {
	one := func() bson.E {
		path := paths.Draw(t, "path")
		return bson.E{Key: path, Value: conditions(path).Draw(t, "condition")}
	}
	some := func(least, most int) d {
		filter := d{}
		for range rapid.IntRange(least, most).Draw(t, "conditions") {
			if e := one(); !has(filter, e.Key) {
				filter = append(filter, e)
			}
		}
		return filter
	}
	filter := some(0, 3)
	switch rapid.IntRange(0, 8).Draw(t, "more") {
	case 0, 1:
		op := func() string { return rapid.SampledFrom([]string{"$or", "$and", "$nor"}).Draw(t, "branches") }
		branches := a{some(1, 2)}
		if rapid.Bool().Draw(t, "more than one") {
			branches = append(branches, some(1, 2))
		}
		if rapid.IntRange(0, 2).Draw(t, "nested") == 0 {
			branches = append(branches, d{{Key: op(), Value: a{some(1, 1), some(1, 1)}}})
		}
		filter = append(filter, bson.E{Key: op(), Value: branches})
	case 2: // the page after a document
		n, id := numbers.Draw(t, "n"), values["_id"].Draw(t, "_id")
		past := rapid.SampledFrom([]string{"$lt", "$gt"}).Draw(t, "past")
		filter = append(filter, bson.E{Key: "$or", Value: a{d{{Key: "n", Value: d{{Key: past, Value: n}}}},
			d{{Key: "n", Value: n}, {Key: "_id", Value: d{{Key: past, Value: id}}}}}})
	case 3:
		filter = append(without(filter, "items"), bson.E{Key: "items", Value: d{{Key: "$elemMatch", Value: d{
			{Key: "n", Value: conditions("items.n").Draw(t, "n")}, {Key: "m", Value: conditions("items.n").Draw(t, "m")}}}}})
	case 4:
		path := rapid.SampledFrom([]string{"tags", "o.l"}).Draw(t, "elements of")
		filter = append(without(filter, path), bson.E{Key: path, Value: d{{Key: "$elemMatch", Value: d{
			{Key: "$gte", Value: small.Draw(t, "from")}, {Key: "$lt", Value: small.Draw(t, "to")}}}}})
	case 5:
		filter = append(without(filter, "o.l"), bson.E{Key: "o.l", Value: d{{Key: "$elemMatch", Value: d{
			{Key: "n", Value: conditions("items.n").Draw(t, "n")}}}}})
	}
	return filter
})

func without(doc d, key string) d {
	return slices.DeleteFunc(slices.Clone(doc), func(e bson.E) bool { return e.Key == key })
}

var directions = rapid.SampledFrom([]int32{1, -1})

// keys are the keys of an index or a sort: at most one of them may be an array, as in MongoDB.
func keys(most int) *rapid.Generator[d] {
	return rapid.Custom(func(t *rapid.T) d {
		multi := rapid.SampledFrom([]string{"a", "tags", "items.n", "o.l", "o.l.n"}).Draw(t, "array")
		path := rapid.SampledFrom([]string{"b", "n", "o.x", multi})
		list := d{}
		for _, p := range rapid.SliceOfNDistinct(path, 1, most, rapid.ID).Draw(t, "keys") {
			list = append(list, bson.E{Key: p, Value: directions.Draw(t, "direction")})
		}
		return list
	})
}

// sorts end with the _id, so that the order is unambiguous.
var sorts = rapid.Custom(func(t *rapid.T) d {
	list := d{}
	if rapid.IntRange(0, 3).Draw(t, "sorted") > 0 {
		list = keys(3).Draw(t, "sort")
	}
	return append(list, bson.E{Key: "_id", Value: directions.Draw(t, "_id")})
})

var updates = rapid.Custom(func(t *rapid.T) d {
	each := func(values *rapid.Generator[any]) d { return d{{Key: "$each", Value: arrays(values).Draw(t, "each")}} }
	slice := bson.E{Key: "$slice", Value: rapid.SampledFrom([]int32{-3, -1, 0, 2}).Draw(t, "slice")}
	all := []struct {
		op, path string
		value    any
	}{
		{"$set", "a", values["a"].Draw(t, "a")}, {"$set", "b", small.Draw(t, "b")}, {"$set", "o.x", scalars.Draw(t, "x")},
		{"$set", "o.y.z", small.Draw(t, "z")}, {"$set", "n", numbers.Draw(t, "n")}, {"$set", "c", scalars.Draw(t, "c")},
		{"$unset", "a", ""}, {"$unset", "b", ""}, {"$unset", "o.x", ""}, {"$unset", "items", ""},
		{"$inc", "n", numbers.Draw(t, "by")}, {"$inc", "c", int32(2)}, {"$inc", "o.w", int64(1)},
		{"$push", "tags", small.Draw(t, "push")}, {"$push", "tags", each(small)}, {"$push", "tags", append(each(small), slice)},
		{"$push", "items", d{{Key: "n", Value: small.Draw(t, "pushed")}}},
		{"$addToSet", "tags", small.Draw(t, "add")}, {"$addToSet", "tags", each(small)}, {"$addToSet", "a", scalars.Draw(t, "add to a")},
		{"$pull", "tags", small.Draw(t, "pull")}, {"$pull", "tags", d{{Key: "$in", Value: a{small.Draw(t, "one"), small.Draw(t, "other")}}}},
		{"$pull", "items", d{{Key: "n", Value: small.Draw(t, "pull")}}}, {"$setOnInsert", "made", true},
	}
	update := d{}
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 1, 3, func(i int) string { return all[i].path[:1] }).Draw(t, "update") {
		field := bson.E{Key: all[i].path, Value: all[i].value}
		if at := slices.IndexFunc(update, func(e bson.E) bool { return e.Key == all[i].op }); at >= 0 {
			update[at].Value = append(update[at].Value.(d), field)
			continue
		}
		update = append(update, bson.E{Key: all[i].op, Value: d{field}})
	}
	return update
})
