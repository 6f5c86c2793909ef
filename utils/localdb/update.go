package localdb

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/256dpi/lungo/bsonkit"
	"github.com/256dpi/lungo/mongokit"
	"go.mongodb.org/mongo-driver/bson"
)

// update is a checked update: one operator on one path each, in the order of the paths, as MongoDB applies them.
type update []updateStep

type updateStep struct {
	op, path string
	value    any
}

var updateOperators = []string{"$set", "$setOnInsert", "$unset", "$inc", "$push", "$addToSet", "$pull"}

func newUpdate(v any) (update, error) {
	doc, err := accept(v)
	if err != nil {
		return nil, err
	}
	if len(doc) == 0 {
		return nil, fmt.Errorf("localdb: the update is empty")
	}
	u := update{}
	for _, op := range doc {
		fields, ok := op.Value.(bson.D)
		if !strings.HasPrefix(op.Key, "$") || !ok {
			return nil, fmt.Errorf("localdb: an update takes operators with documents, not %q", op.Key)
		}
		if !slices.Contains(updateOperators, op.Key) {
			return nil, unsupported("update operator", fmt.Sprintf("%q", op.Key))
		}
		for _, field := range fields {
			e := updateStep{op.Key, field.Key, field.Value}
			if err := e.check(); err != nil {
				return nil, err
			}
			u = append(u, e)
		}
	}
	slices.SortStableFunc(u, func(a, b updateStep) int { return comparePaths(a.path, b.path) })
	return u, u.checkConflicts()
}

// comparePaths orders as MongoDB does since 5.0: array positions by number, names by letter.
func comparePaths(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		if strings.Trim(a+b, "0123456789") == "" {
			return cmp.Or(len(a)-len(b), strings.Compare(a, b))
		}
		return strings.Compare(a, b)
	})
}

// checkConflicts refuses paths of which one lies in the other: mongokit finds that only where both change something.
func (u update) checkConflicts() error {
	for i, a := range u {
		for _, b := range u[:i] {
			if a.path == b.path || strings.HasPrefix(a.path, b.path+".") || strings.HasPrefix(b.path, a.path+".") {
				return fmt.Errorf("localdb: updating the path %q would conflict with %q", a.path, b.path)
			}
		}
	}
	return nil
}

func (e updateStep) check() error {
	for segment := range strings.SplitSeq(e.path, ".") {
		if segment == "" || strings.ContainsAny(segment, "$\x00") {
			return unsupported("update path", fmt.Sprintf("%q", e.path))
		}
	}
	switch e.op {
	case "$set", "$setOnInsert":
		return checkValue(e.value, 0)
	case "$inc":
		if _, ok := number(e.value); !ok {
			return fmt.Errorf("localdb: $inc of %q takes a number", e.path)
		}
		return nil
	case "$push":
		return e.checkPush("$each", "$slice")
	case "$addToSet":
		return e.checkPush("$each")
	case "$pull":
		return e.checkPull()
	}
	return nil // $unset takes anything
}

// checkPush takes a value, or $each with other modifiers.
func (e updateStep) checkPush(known ...string) error {
	ops, ok := operators(e.value)
	if !ok {
		ops = bson.D{{Key: "$each", Value: bson.A{e.value}}}
	}
	each := false
	for _, op := range ops {
		if !slices.Contains(known, op.Key) {
			return unsupported(e.op+" modifier", fmt.Sprintf("%q", op.Key))
		}
		if op.Key == "$slice" {
			if n, isNumber := number(op.Value); !isNumber || n != float64(int32(n)) {
				return fmt.Errorf("localdb: $slice of %q takes a whole number", e.path)
			}
			continue
		}
		if _, each = op.Value.(bson.A); !each {
			return fmt.Errorf("localdb: $each of %q takes an array", e.path)
		}
		if err := checkValue(op.Value, 0); err != nil {
			return fmt.Errorf("%w (%s takes one element, or $each)", err, e.op)
		}
	}
	if !each {
		return fmt.Errorf("localdb: %s of %q has modifiers but no $each", e.op, e.path)
	}
	return nil
}

// checkPull takes an element, {$in: [elements]}, or a document of fields that elements have.
func (e updateStep) checkPull() error {
	ops, ok := operators(e.value)
	if ok && (len(ops) > 1 || ops[0].Key != "$in") {
		return unsupported("$pull by", fmt.Sprintf("%q", ops[0].Key))
	}
	if list, isList := e.value.(bson.A); isList {
		return unsupported("$pull of an array as one element,", fmt.Sprint(list))
	}
	if ok {
		return new(filter).operator("element", ops[0], false)
	}
	return checkValue(e.value, 0)
}

// apply changes doc in place. doc must not share memory with anything else.
func (u update) apply(doc *bson.D, upsert bool) error {
	for _, e := range u {
		if err := e.apply(doc, upsert); err != nil {
			return fmt.Errorf("localdb: %s of %q: %w", e.op, e.path, err)
		}
	}
	return nil
}

func (e updateStep) apply(doc *bson.D, upsert bool) error {
	if e.op == "$inc" {
		return e.increment(doc)
	}
	if e.op == "$addToSet" && bsonkit.Get(doc, e.path) == bsonkit.Missing { // mongokit makes no array for nothing
		if _, err := bsonkit.Put(doc, e.path, bson.A{}, false); err != nil {
			return err
		}
	}
	// mongokit puts the update's own values into the document, so it gets a copy.
	do := bsonkit.Clone(&bson.D{{Key: e.op, Value: bson.D{{Key: e.path, Value: e.value}}}})
	_, err := mongokit.Apply(doc, nil, do, upsert, nil)
	return err
}

// increment goes on in 64 bits where 32 are too few, and refuses to leave those; mongokit's wraps around at both.
func (e updateStep) increment(doc *bson.D) error {
	old := bsonkit.Get(doc, e.path)
	if old == bsonkit.Missing {
		old = int32(0)
	}
	sum := bsonkit.Add(old, e.value)
	if sum == bsonkit.Missing {
		return fmt.Errorf("the field is no number")
	}
	a, aWide, aWhole := whole(old)
	b, bWide, bWhole := whole(e.value)
	if aWhole && bWhole {
		n := a + b
		if b != 0 && (n > a) != (b > 0) {
			return fmt.Errorf("the sum would leave 64 bits")
		}
		if sum = n; !aWide && !bWide && n == int64(int32(n)) {
			sum = int32(n)
		}
	}
	_, err := bsonkit.Put(doc, e.path, sum, false)
	return err
}

func whole(v any) (n int64, wide, ok bool) {
	if n, ok := v.(int32); ok {
		return int64(n), false, true
	}
	n, ok = v.(int64)
	return n, true, ok
}

// applied returns a stored document after the update, and its bytes. changed is false where the bytes are the same.
func (u update) applied(raw []byte) (doc bson.D, after []byte, changed bool, err error) {
	if doc, err = decode(raw); err != nil {
		return nil, nil, false, err
	}
	id := bsonkit.Get(&doc, "_id")
	if err = u.apply(&doc, false); err != nil {
		return nil, nil, false, err
	}
	if now := bsonkit.Get(&doc, "_id"); now == bsonkit.Missing || bsonkit.Compare(now, id) != 0 {
		return nil, nil, false, immutableID()
	}
	after, err = encode(doc)
	return doc, after, err == nil && !bytes.Equal(raw, after), err
}
