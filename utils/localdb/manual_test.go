package localdb

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"
)

type (
	absent struct{} // the value of a field that doesn't exist
	below  struct{} // how an array without elements sorts
)

// at lists the values at a path; an array on the path stands for its elements.
func at(v any, path string) (list []any) {
	if path == "" {
		return []any{v}
	}
	name, rest, _ := strings.Cut(path, ".")
	switch v := v.(type) {
	case d:
		if i := slices.IndexFunc(v, func(e bson.E) bool { return e.Key == name }); i >= 0 {
			return at(v[i].Value, rest)
		}
	case a:
		for _, item := range v {
			list = append(list, at(item, path)...)
		}
	}
	if len(list) == 0 {
		return []any{absent{}}
	}
	return list
}

func isAbsent(v any) bool { _, is := v.(absent); return is }

// present is a value as comparisons see it: a missing one is null.
func present(v any) any {
	if isAbsent(v) {
		return nil
	}
	return v
}

// arraysIn counts the keys of a sort that are arrays, or are inside one.
func arraysIn(doc d, sort d) (n int) {
	for _, e := range sort {
		for path := e.Key; path != ""; path = path[:max(0, strings.LastIndex(path, "."))] {
			if slices.ContainsFunc(at(doc, path), func(v any) bool { _, is := v.(a); return is }) {
				n++
				break
			}
		}
	}
	return n
}

// matches implements what MongoDB's manual says about filters, on Go values and without keys.
func matches(doc any, filter d) bool {
	return !slices.ContainsFunc(filter, func(e bson.E) bool {
		holds := func(f any) bool { return matches(doc, f.(d)) }
		switch e.Key {
		case "$and":
			return slices.ContainsFunc(e.Value.(a), func(f any) bool { return !holds(f) })
		case "$or":
			return !slices.ContainsFunc(e.Value.(a), holds)
		case "$nor":
			return slices.ContainsFunc(e.Value.(a), holds)
		}
		ops, _ := e.Value.(d)
		if len(ops) == 0 || ops[0].Key[0] != '$' {
			ops = d{{Key: "$eq", Value: e.Value}}
		}
		return slices.ContainsFunc(ops, func(op bson.E) bool { return !fulfils(at(doc, e.Key), op.Key, op.Value) })
	})
}

// fulfils reports whether one of the values, or an element of one, satisfies an operator.
func fulfils(values []any, op string, operand any) bool {
	isNaN := func(v any) bool { f, is := v.(float64); return is && math.IsNaN(f) }
	alike := func(v any) bool { // values of the same type are related, NaN only to itself
		return key(v)[0] == key(operand)[0] && isNaN(v) == isNaN(operand)
	}
	switch op {
	case "$ne":
		return !fulfils(values, "$eq", operand)
	case "$nin":
		return !fulfils(values, "$in", operand)
	case "$not":
		return slices.ContainsFunc(operand.(d), func(e bson.E) bool { return !fulfils(values, e.Key, e.Value) })
	case "$in":
		return slices.ContainsFunc(operand.(a), func(v any) bool { return fulfils(values, "$eq", v) })
	case "$exists":
		return slices.ContainsFunc(values, func(v any) bool { return !isAbsent(v) }) == operand.(bool)
	case "$elemMatch":
		return slices.ContainsFunc(values, func(v any) bool {
			items, _ := v.(a)
			return slices.ContainsFunc(items, func(item any) bool {
				if operand := operand.(d); operand[0].Key[0] == '$' {
					return matches(d{{Key: "v", Value: item}}, d{{Key: "v", Value: operand}})
				}
				_, isDocument := item.(d)
				return isDocument && matches(item, operand.(d))
			})
		})
	}
	for _, v := range values {
		if items, is := v.(a); is {
			values = append(slices.Clip(values), items...)
		}
	}
	return slices.ContainsFunc(values, func(v any) bool {
		v = present(v)
		n := order(v, operand)
		switch op {
		case "$gt":
			return alike(v) && n > 0
		case "$gte":
			return alike(v) && n >= 0
		case "$lt":
			return alike(v) && n < 0
		case "$lte":
			return alike(v) && n <= 0
		}
		return n == 0
	})
}

// sortsAt is what a document sorts by at a path: for an array the least element, or the greatest in a descending sort;
// without elements it sorts below everything.
func sortsAt(doc d, path string, compare func(x, y any) int) any {
	var list []any
	for _, v := range at(doc, path) {
		items, is := v.(a)
		switch {
		case !is:
			list = append(list, v)
		case len(items) == 0:
			list = append(list, below{})
		default:
			list = append(list, items...)
		}
	}
	return slices.MinFunc(list, compare)
}

// compareBy compares two documents by a sort.
func compareBy(x, y d, by d) int {
	for _, e := range by {
		compare := func(v, w any) int { return int(e.Value.(int32)) * compareSorted(v, w) }
		if n := compare(sortsAt(x, e.Key, compare), sortsAt(y, e.Key, compare)); n != 0 {
			return n
		}
	}
	return 0
}

func compareSorted(x, y any) int {
	_, low := x.(below)
	_, alsoLow := y.(below)
	switch {
	case low && alsoLow:
		return 0
	case low:
		return -1
	case alsoLow:
		return 1
	}
	return order(present(x), present(y))
}

// TestAnswersByTheManual compares the engine, with random indexes, to the manual.
func TestAnswersByTheManual(t *testing.T) {
	db := open(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		c := db.Collection(fmt.Sprint("things", run))
		plain, _ := indexes(t)
		if err := ensureDistinct(c, plain); err != nil {
			t.Fatalf("%v", err)
		}
		var docs []d
		for _, doc := range rapid.SliceOfN(documents, 0, 25).Draw(t, "documents") {
			if _, err := c.InsertOne(ctx, doc); err == nil { // an _id may occur twice, or two arrays
				docs = append(docs, doc)
			}
		}
		for range 20 {
			filter, sort, limit := filters.Draw(t, "filter"), sorts.Draw(t, "sort"), rapid.IntRange(0, 5).Draw(t, "limit")
			var want []d
			for _, doc := range docs {
				if matches(doc, filter) {
					want = append(want, doc)
				}
			}
			n, err := c.CountDocuments(ctx, filter)
			if err != nil || int(n) != len(want) {
				t.Fatalf("%v over %v: counted %d, %v, want %v", filter, docs, n, err, want)
			}
			if slices.ContainsFunc(want, func(doc d) bool { return arraysIn(doc, sort) > 1 }) {
				continue // rejected
			}
			slices.SortFunc(want, func(x, y d) int { return compareBy(x, y, sort) })
			if limit > 0 {
				want = want[:min(limit, len(want))]
			}
			wanted := make([]string, len(want))
			for i, doc := range want {
				wanted[i] = text(doc)
			}
			got := list(c, filter, options.Find().SetSort(sort).SetLimit(int64(limit)))
			if got != strings.Join(wanted, "\n") {
				t.Fatalf("%v by %v, %d, over %v\n\ngot\n%s\n\nwant\n%s", filter, sort, limit, docs, got, strings.Join(wanted, "\n"))
			}
		}
	})
}
