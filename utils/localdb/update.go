package localdb

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// update is a validated update: steps sorted by path, none of which lies within another.
type update []updateStep

// updateStep changes the value at one path. change is given missing for a field that doesn't exist, and may return it.
type updateStep struct {
	path     string
	onInsert bool // only where an upsert inserts
	change   func(old value) (value, error)
}

var updateOperators = []string{"$set", "$setOnInsert", "$unset", "$inc", "$push", "$addToSet", "$pull"}

func newUpdate(v any) (u update, err error) {
	doc, err := accept(v)
	if err != nil {
		return nil, err
	}
	if isEmpty(doc) {
		return nil, fmt.Errorf("localdb: the update is empty")
	}
	for op := range elements(doc) {
		if !strings.HasPrefix(op.Key(), "$") || !isDocument(op.Value()) {
			return nil, fmt.Errorf("localdb: an update takes operators with documents, not %q", op.Key())
		}
		if !slices.Contains(updateOperators, op.Key()) {
			return nil, unsupported("update operator", op.Key())
		}
		for e := range elements(op.Value()) {
			s := updateStep{path: e.Key(), onInsert: op.Key() == "$setOnInsert"}
			if err := checkPath(s.path); err != nil {
				return nil, err
			}
			if s.change, err = newChange(op.Key(), e.Value()); err != nil {
				return nil, fmt.Errorf("%w (%s of %q)", err, op.Key(), s.path)
			}
			u = append(u, s)
		}
	}
	return u.inOrder()
}

func (u update) inOrder() (update, error) {
	slices.SortStableFunc(u, func(a, b updateStep) int { return strings.Compare(a.path, b.path) })
	for i, a := range u {
		for _, b := range u[i+1:] {
			if a.path == b.path || strings.HasPrefix(b.path, a.path+".") {
				return nil, fmt.Errorf("localdb: updating the path %q would conflict with %q", b.path, a.path)
			}
		}
	}
	return u, nil
}

func newChange(op string, v value) (func(old value) (value, error), error) {
	switch op {
	case "$set", "$setOnInsert":
		return set(v), check(v, true)
	case "$unset":
		return set(missing), nil
	case "$inc":
		if _, ok := number(v); !ok {
			return nil, fmt.Errorf("localdb: a number is needed")
		}
		return func(old value) (value, error) { return sum(old, v) }, nil
	case "$push":
		more, last, err := added(v, "$slice")
		return onArray(func(list []value) []value {
			list = append(list, more...)
			if last < 0 {
				return list[max(0, len(list)+last):]
			}
			return list[:min(last, len(list))]
		}), err
	case "$addToSet":
		more, _, err := added(v)
		return onArray(func(list []value) []value {
			for _, v := range more {
				if !slices.ContainsFunc(list, func(old value) bool { return sameValue(old, v) }) {
					list = append(list, v)
				}
			}
			return list
		}), err
	default: // $pull
		out, err := pulled(v)
		drop := onArray(func(list []value) []value { return slices.DeleteFunc(list, out) })
		return func(old value) (value, error) {
			if old.Type == missing.Type {
				return missing, nil
			}
			return drop(old)
		}, err
	}
}

func set(v value) func(value) (value, error) {
	return func(value) (value, error) { return v, nil }
}

// onArray changes an array's elements; a missing field counts as an empty array.
func onArray(change func([]value) []value) func(value) (value, error) {
	return func(old value) (value, error) {
		if old.Type != missing.Type && !isArray(old) {
			return missing, fmt.Errorf("the field is no array")
		}
		return value{Type: bsoncore.TypeArray, Data: bsoncore.BuildArray(nil, change(items(old))...)}, nil
	}
}

// added are the elements passed to $push and $addToSet: a single one, or those of $each with other modifiers.
func added(v value, modifiers ...string) (list []value, slice int, err error) {
	slice = math.MaxInt32
	if !isOperators(v) {
		return []value{v}, slice, check(value{Type: bsoncore.TypeArray, Data: bsoncore.BuildArray(nil, v)}, true)
	}
	for e := range elements(v) {
		switch name := e.Key(); {
		case name == "$each" && isArray(e.Value()):
			list = items(e.Value())
			err = check(e.Value(), true)
		case name == "$slice" && slices.Contains(modifiers, name):
			n, ok := number(e.Value())
			if slice = int(n); !ok || n != float64(int32(n)) {
				return nil, 0, fmt.Errorf("localdb: $slice takes a whole number")
			}
		default:
			return nil, 0, unsupported("modifier", fmt.Sprintf("%q with %s", name, e.Value().Type))
		}
		if err != nil {
			return nil, 0, err
		}
	}
	if !isArray(field(v, "$each")) {
		return nil, 0, fmt.Errorf("localdb: there are modifiers but no $each")
	}
	return list, slice, nil
}

// pulled returns which elements $pull removes: those equal to v, those in {$in: [...]}, or documents with these fields.
func pulled(v value) (func(value) bool, error) {
	if isArray(v) {
		return nil, unsupported("$pull of an array", "as one element")
	}
	if !isOperators(v) {
		if err := check(v, true); err != nil || !isDocument(v) {
			return func(item value) bool { return sameValue(item, v) }, err
		}
		f, err := parse(v)
		return func(item value) bool { return isDocument(item) && f.match(item) }, err
	}
	f, err := parseField("", v)
	for e := range elements(v) {
		if e.Key() != "$in" {
			return nil, unsupported("$pull by", fmt.Sprintf("%q", e.Key()))
		}
	}
	return f.match, err
}

// sum adds to a number. It widens to 64 bits where 32 are not enough, and rejects an overflow of those.
func sum(old, by value) (value, error) {
	a, b := old.Type, by.Type
	if a == missing.Type {
		return by, nil
	}
	x, ok := number(old)
	if !ok {
		return missing, fmt.Errorf("the field is no number")
	}
	if a == bsoncore.TypeDouble || b == bsoncore.TypeDouble {
		y, _ := number(by) // newChange rejects anything else
		return value{Type: bsoncore.TypeDouble, Data: bsoncore.AppendDouble(nil, x+y)}, nil
	}
	n, m := old.AsInt64(), by.AsInt64()
	s := n + m
	switch {
	case m != 0 && (s > n) != (m > 0):
		return missing, fmt.Errorf("the sum would leave 64 bits")
	case a == bsoncore.TypeInt32 && b == bsoncore.TypeInt32 && s == int64(int32(s)):
		return value{Type: bsoncore.TypeInt32, Data: bsoncore.AppendInt32(nil, int32(s))}, nil
	}
	return value{Type: bsoncore.TypeInt64, Data: bsoncore.AppendInt64(nil, s)}, nil
}
