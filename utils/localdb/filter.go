package localdb

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
)

// filter is a checked filter, and what it demands of each path as far as an index can use it.
type filter struct {
	doc    bson.D
	fields []string // the top-level fields that it looks at
	paths  map[string]*constraint
	exact  bool // nothing was left out: a document is in the answer exactly if it fulfils every constraint
}

// constraint is what a filter demands of one path.
type constraint struct {
	points []any  // the value is one of these; nil when there is no such demand
	lo, hi *bound // a range
	elem   bool   // both bounds hold for one and the same array element
}

// bound is one end of a range.
type bound struct {
	v    any
	open bool // the end itself is outside
}

// newFilter refuses what is not matched here as MongoDB does. The matching itself would only notice at the first
// document, and not at all on an empty collection.
func newFilter(v any) (*filter, error) {
	doc, err := accept(v)
	if err != nil {
		return nil, err
	}
	f := &filter{doc: doc, paths: map[string]*constraint{}, exact: true}
	return f, f.clauses(doc, true)
}

// clauses checks a filter. plan says that all of it must hold, so that its parts can be planned with.
func (f *filter) clauses(doc bson.D, plan bool) error {
	for _, e := range doc {
		var err error
		switch e.Key {
		case "$and", "$or", "$nor":
			err = f.branches(e, plan)
		default:
			if err = checkPath(e.Key); err == nil {
				f.fields = append(f.fields, topField(e.Key))
				err = f.condition(e.Key, e.Value, plan)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *filter) branches(e bson.E, plan bool) error {
	plan = plan && e.Key == "$and"
	f.exact = f.exact && plan
	branches, ok := e.Value.(bson.A)
	if !ok || len(branches) == 0 {
		return fmt.Errorf("localdb: %s takes a list of filters that is not empty", e.Key)
	}
	for _, branch := range branches {
		doc, ok := branch.(bson.D)
		if !ok {
			return fmt.Errorf("localdb: %s takes a list of filters", e.Key)
		}
		if err := f.clauses(doc, plan); err != nil {
			return err
		}
	}
	return nil
}

// condition takes what a path is compared with: a value, or a document of operators.
func (f *filter) condition(path string, v any, plan bool) error {
	ops, ok := operators(v)
	if !ok {
		ops = bson.D{{Key: "$eq", Value: v}}
	}
	for _, op := range ops {
		if err := f.operator(path, op, plan); err != nil {
			return err
		}
	}
	return nil
}

func (f *filter) operator(path string, op bson.E, plan bool) error {
	list, isList := op.Value.(bson.A)
	switch op.Key {
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte":
		list = bson.A{op.Value}
	case "$in", "$nin":
		if !isList {
			return fmt.Errorf("localdb: %s on %q takes an array", op.Key, path)
		}
	case "$exists":
		f.exact = false
		if _, ok := op.Value.(bool); !ok {
			return fmt.Errorf("localdb: $exists on %q takes true or false", path)
		}
		return nil
	case "$not":
		f.exact = false
		if _, ok := operators(op.Value); !ok {
			return fmt.Errorf("localdb: $not on %q takes a document of operators", path)
		}
		return f.condition(path, op.Value, false)
	case "$elemMatch":
		return f.elements(path, op.Value, plan)
	default:
		return unsupported("filter operator", fmt.Sprintf("%q", op.Key))
	}
	for _, v := range list {
		if err := checkOperand(path, v); err != nil {
			return err
		}
	}
	if !plan || !f.use(path, op.Key, list) {
		f.exact = false
	}
	return nil
}

// elements takes what $elemMatch says of the elements themselves, or of fields of theirs. On a dotted path, mongokit
// would also match what is in no array.
func (f *filter) elements(path string, v any, plan bool) error {
	f.exact = false
	if strings.Contains(path, ".") {
		return unsupported("$elemMatch on the dotted path", path)
	}
	query, ok := v.(bson.D)
	if !ok || len(query) == 0 {
		return fmt.Errorf("localdb: $elemMatch on %q takes a document that is not empty", path)
	}
	if _, onElement := operators(query); !onElement {
		for _, e := range query {
			if err := checkPath(e.Key); err != nil {
				return err
			}
			if err := f.condition(path+"."+e.Key, e.Value, plan); err != nil {
				return err
			}
		}
		return nil
	}
	if slices.ContainsFunc(query, func(e bson.E) bool { return e.Key == "$elemMatch" }) {
		return unsupported("filter operator", "$elemMatch inside $elemMatch")
	}
	plan = plan && f.paths[path] == nil // bounds from outside must not be taken for bounds on the same element
	if err := f.condition(path, query, plan); err != nil {
		return err
	}
	if plan {
		f.at(path).elem = true
	}
	return nil
}

func (f *filter) at(path string) *constraint {
	if f.paths[path] == nil {
		f.paths[path] = &constraint{}
	}
	return f.paths[path]
}

// use notes a demand on a path, and tells whether an index can answer all of it together with those before.
func (f *filter) use(path, op string, values []any) bool {
	if op == "$ne" || op == "$nin" || slices.ContainsFunc(values, unplannable) {
		return false
	}
	k := f.at(path)
	if k.elem {
		return false
	}
	bounded := k.lo != nil || k.hi != nil
	end, other := &k.lo, k.hi
	switch op {
	case "$eq", "$in":
		if k.points != nil {
			return false
		}
		k.points = append([]any{}, values...)
		return !bounded
	case "$lt", "$lte":
		end, other = &k.hi, k.lo
	}
	if *end != nil || other != nil && !sameType(other.v, values[0]) {
		return false
	}
	*end = &bound{v: values[0], open: op == "$gt" || op == "$lt"}
	return k.points == nil
}

// unplannable values are compared otherwise than the entries of an index are ordered: an array operand as a whole,
// where entries are its elements, and NaN, which is in no range.
func unplannable(v any) bool {
	_, isArray := v.(bson.A)
	return isArray || isNaN(v)
}

// operators returns the document of operators that v is, if it is one: {$gt: 1} is, {city: "x"} is not.
func operators(v any) (bson.D, bool) {
	doc, ok := v.(bson.D)
	return doc, ok && len(doc) > 0 && strings.HasPrefix(doc[0].Key, "$")
}

func topField(path string) string {
	name, _, _ := strings.Cut(path, ".")
	return name
}
