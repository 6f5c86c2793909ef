package localdb

import (
	"bytes"
	"maps"
	"math"

	"github.com/256dpi/lungo/bsonkit"
	"github.com/256dpi/lungo/mongokit"
	"go.mongodb.org/mongo-driver/bson"
)

// matching has mongokit's operators, but ours for those that it does not do as MongoDB.
var matching = func() mongokit.Context {
	ops := maps.Clone(mongokit.ExpressionQueryOperators)
	for _, name := range []string{"$gt", "$gte", "$lt", "$lte"} {
		ops[name] = matchRange
	}
	ops["$elemMatch"] = matchElements
	return mongokit.Context{TopLevel: mongokit.TopLevelQueryOperators, Expression: ops}
}()

func (f *filter) match(doc *bson.D) (bool, error) {
	err := mongokit.Process(matching, doc, f.doc, "", true)
	if err == mongokit.ErrNotMatched {
		return false, nil
	}
	return err == nil, err
}

// matchRange tries the value of a path, and its elements where it is an array.
func matchRange(_ mongokit.Context, doc bsonkit.Doc, op, path string, operand any) error {
	value, through := bsonkit.All(doc, path, true, true)
	if !through && inRange(value, op, operand) {
		return nil
	}
	list, _ := value.(bson.A)
	for _, v := range list {
		if inRange(v, op, operand) {
			return nil
		}
	}
	return mongokit.ErrNotMatched
}

// inRange compares values of one type. mongokit would take NaN for the smallest number also where MongoDB says that no
// number is above or below it.
func inRange(v any, op string, operand any) bool {
	if !sameType(v, operand) || isNaN(v) != isNaN(operand) {
		return false
	}
	n := compareValues(v, operand)
	return n == 0 && (op == "$gte" || op == "$lte") || n > 0 && op[:2] == "$g" || n < 0 && op[:2] == "$l"
}

// compareValues orders documents, and arrays that may hold some, by their keys: bsonkit orders documents otherwise.
func compareValues(v, w any) int {
	switch v.(type) {
	case bson.D, bson.A:
		return bytes.Compare(appendKey(nil, v), appendKey(nil, w))
	}
	return bsonkit.Compare(v, w)
}

// matchElements looks for one element that fulfils all. Conditions on fields hold for documents only; mongokit would
// find that any other element lacks the field.
func matchElements(ctx mongokit.Context, doc bsonkit.Doc, _, path string, v any) error {
	array, _ := bsonkit.Get(doc, path).(bson.A)
	query := v.(bson.D)
	_, onElement := operators(query)
	for _, item := range array {
		err := mongokit.ErrNotMatched
		if element, isDoc := item.(bson.D); onElement {
			err = mongokit.Process(ctx, &bson.D{{Key: "element", Value: item}}, query, "element", false)
		} else if isDoc {
			err = mongokit.Process(ctx, &element, query, "", true)
		}
		if err != mongokit.ErrNotMatched {
			return err
		}
	}
	return mongokit.ErrNotMatched
}

func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}

// sameType tells whether values are of one type class: MongoDB's ranges look at one only.
func sameType(a, b any) bool {
	x, _ := bsonkit.Inspect(a)
	y, _ := bsonkit.Inspect(b)
	return x == y
}
