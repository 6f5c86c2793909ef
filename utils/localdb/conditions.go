package localdb

import (
	"slices"
	"strings"

	"github.com/256dpi/lungo/bsonkit"
	"go.mongodb.org/mongo-driver/bson"
)

// constraint is what a filter demands of one path, as far as an index can use it.
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

// conditions is the plannable part of a filter.
type conditions struct {
	paths map[string]*constraint
	exact bool // nothing was left out: a document is in the answer exactly if it fulfils every constraint
}

func newConditions(filter bson.D) *conditions {
	c := &conditions{paths: map[string]*constraint{}, exact: true}
	c.collect(filter)
	return c
}

func (c *conditions) collect(filter bson.D) {
	for _, e := range filter {
		if e.Key == "$and" {
			for _, branch := range e.Value.(bson.A) {
				c.collect(branch.(bson.D))
			}
			continue
		}
		if strings.HasPrefix(e.Key, "$") {
			c.exact = false
			continue
		}
		c.condition(e.Key, e.Value)
	}
}

func (c *conditions) condition(path string, v any) {
	ops, ok := operators(v)
	if !ok {
		c.points(path, bson.A{v})
		return
	}
	for _, op := range ops {
		switch op.Key {
		case "$eq":
			c.points(path, bson.A{op.Value})
		case "$in":
			c.points(path, op.Value.(bson.A))
		case "$gt", "$gte", "$lt", "$lte":
			c.bound(path, op.Key, op.Value)
		case "$elemMatch":
			c.elements(path, op.Value.(bson.D))
		default:
			c.exact = false
		}
	}
}

// plannable tells whether entries of an index answer a comparison with v. An array operand is compared as a whole,
// but entries are its elements; null on a dotted path also matches array elements that have no entry.
func plannable(path string, v any) bool {
	class, _ := bsonkit.Inspect(v)
	return class != bsonkit.Array && (class != bsonkit.Null || !strings.Contains(path, "."))
}

func (c *conditions) at(path string) *constraint {
	if c.paths[path] == nil {
		c.paths[path] = &constraint{}
	}
	return c.paths[path]
}

func (c *conditions) points(path string, values bson.A) {
	k := c.at(path)
	unplannable := slices.ContainsFunc(values, func(v any) bool { return !plannable(path, v) })
	if k.points != nil || unplannable {
		c.exact = false
		return
	}
	c.exact = c.exact && k.lo == nil && k.hi == nil
	k.points = append([]any{}, values...)
}

func (c *conditions) bound(path, op string, v any) {
	k := c.at(path)
	end := &k.lo
	other := k.hi
	if op == "$lt" || op == "$lte" {
		end, other = &k.hi, k.lo
	}
	if *end != nil || k.elem || !plannable(path, v) || other != nil && !sameClass(other.v, v) {
		c.exact = false
		return
	}
	c.exact = c.exact && k.points == nil
	*end = &bound{v: v, open: op == "$gt" || op == "$lt"}
}

// elements uses what $elemMatch says: of the elements themselves, or of a field of theirs.
func (c *conditions) elements(path string, query bson.D) {
	c.exact = false
	_, onElement := operators(query)
	if !onElement {
		for _, e := range query {
			c.condition(path+"."+e.Key, e.Value)
		}
		return
	}
	if c.paths[path] != nil {
		return // bounds from outside must not be taken for bounds on the same element
	}
	c.condition(path, query)
	c.at(path).elem = true
}

func sameClass(a, b any) bool {
	x, _ := bsonkit.Inspect(a)
	y, _ := bsonkit.Inspect(b)
	return x == y
}
