package localdb

import (
	"math"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// unlike are the calls for which the tests' server behaves differently from MongoDB. Next to each is what MongoDB does,
// according to its manual, its source, or the tests of lungo, which were run on MongoDB. With MongoDB as the server,
// the test passes with an empty list.
var unlike = []struct {
	mongoDB string
	is      func(c call, docs *Collection) bool
}{
	{"NaN is below all numbers, and in no range of them", func(c call, _ *Collection) bool {
		return within(c.all(), func(v any) bool { f, is := v.(float64); return is && math.IsNaN(f) })
	}},
	{"numbers beyond 2^53 are compared exactly", func(c call, _ *Collection) bool {
		return within(c.all(), func(v any) bool {
			n, is := v.(int64)
			f, isFloat := v.(float64)
			return is && n > 1<<53 || isFloat && math.Abs(f) > 1<<53
		})
	}},
	{"elements of an array may fulfil two bounds apart", func(c call, _ *Collection) bool {
		return holds(c.filter, func(key string, v any) bool {
			bounds, is := v.(d)
			return is && len(bounds) == 2 && slices.Contains([]string{"a", "tags", "items.n"}, key)
		})
	}},
	{"binary data has subtypes, and ranges", func(c call, _ *Collection) bool {
		return within(c.all(), func(v any) bool { x, is := v.(bson.Binary); return is && x.Subtype != 0 }) ||
			holds(c.filter, func(key string, v any) bool { _, is := v.(bson.Binary); return is && ordering(key) })
	}},
	{"an array is compared with an array as a whole, element by element", func(c call, _ *Collection) bool {
		return holds(c.filter, func(key string, v any) bool { _, is := v.(a); return is && ordering(key) })
	}},
	{"null and what is missing are at least, and at most, null", func(c call, _ *Collection) bool {
		return holds(c.filter, func(key string, v any) bool { return v == nil && ordering(key) })
	}},
	{"two arrays without elements sort alike", func(c call, docs *Collection) bool {
		return slices.ContainsFunc(c.sort, func(e bson.E) bool {
			n, err := docs.CountDocuments(ctx, d{{Key: e.Key, Value: a{}}})
			return err == nil && n > 0
		}) || within(c.doc, func(v any) bool { doc, is := v.(d); return is && has(doc, "l") }) // in a nested document too
	}},
	{"what lacks the field sorts as null, also under an array without elements", func(c call, _ *Collection) bool {
		return has(c.sort, "items.n")
	}},
	{"an array without elements has no fields", func(c call, _ *Collection) bool {
		return holds(c.filter, func(key string, v any) bool { return key == "items.n" && negative(v) })
	}},
	{"$elemMatch by fields finds documents only, not what has no fields", func(c call, _ *Collection) bool {
		return holds(c.filter, func(key string, v any) bool { return key == "items" && negative(v) })
	}},
	{"a document without fields equals only such a document", func(c call, _ *Collection) bool {
		return holds(c.filter, func(_ string, v any) bool { return text(v) == "{}" }) ||
			within(c.filter, func(v any) bool { list, is := v.(a); return is && strings.Contains(text(list), "{}") })
	}},
	{"an upsert takes {$in: [x]} and {$in: [x, x]} for {$eq: x}", func(c call, _ *Collection) bool {
		return c.upsert && holds(c.filter, func(key string, v any) bool {
			list, is := v.(a)
			return is && key == "$in" && len(list) > 0 && !slices.ContainsFunc(list, func(x any) bool { return order(x, list[0]) != 0 })
		})
	}},
	{"an upsert fails whose filter says twice what a field is", func(c call, _ *Collection) bool {
		if !c.upsert {
			return false
		}
		f, err := newFilter(c.filter)
		if err == nil {
			_, err = update{}.inserted(f)
		}
		return err != nil
	}},
	{"$addToSet, $push and $pull fail on null", func(c call, docs *Collection) bool {
		n, err := docs.CountDocuments(ctx, d{{Key: "a", Value: nil}, {Key: "a", Value: d{{Key: "$exists", Value: true}}}})
		return holds(c.update, func(op string, v any) bool { return op == "$addToSet" && has(v.(d), "a") }) && (err != nil || n > 0 || c.upsert)
	}},
	{"$set changes the type of a number, and then the document is modified", func(c call, _ *Collection) bool {
		return has(c.update, "$set") && within(c.update, twin)
	}},
	{"equal numbers of different types are one element", func(c call, _ *Collection) bool {
		return (has(c.update, "$addToSet") || has(c.update, "$pull")) && within(c.update, twin)
	}},
}

// twin reports whether the tests have the number in several types.
func twin(v any) bool {
	return slices.ContainsFunc([]float64{0, 1, 2, 1 << 53, 1 << 63}, func(n float64) bool { return order(v, n) == 0 })
}

func (c call) all() a { return a{c.doc, c.filter, c.update} }

func ordering(key string) bool { return strings.HasPrefix(key, "$lt") || strings.HasPrefix(key, "$gt") }

// negative reports whether a condition holds for a missing field.
func negative(v any) bool {
	return holds(v, func(key string, _ any) bool { return slices.Contains([]string{"$ne", "$nin", "$not", "$exists"}, key) })
}

func has(doc d, key string) bool {
	return slices.ContainsFunc(doc, func(e bson.E) bool { return e.Key == key })
}

// holds looks for a field, at any depth, for which is returns true.
func holds(v any, is func(key string, value any) bool) bool {
	return within(v, func(v any) bool {
		doc, _ := v.(d)
		return slices.ContainsFunc(doc, func(e bson.E) bool { return is(e.Key, e.Value) })
	})
}

// within looks for a value, at any depth, for which is returns true.
func within(v any, is func(any) bool) bool {
	if is(v) {
		return true
	}
	switch v := v.(type) {
	case d:
		return slices.ContainsFunc(v, func(e bson.E) bool { return within(e.Value, is) })
	case a:
		return slices.ContainsFunc(v, func(item any) bool { return within(item, is) })
	}
	return false
}
