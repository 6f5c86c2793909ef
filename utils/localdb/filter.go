package localdb

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// filter is a validated filter: conditions that must all hold.
type filter []condition

// condition is what a filter requires of the values at one path, in exactly one of in, exists, elem and any.
type condition struct {
	path   string
	not    bool       // negates the condition
	in     []interval // a value, or an element of it, is in one of these
	exists bool       // there is a value
	elem   filter     // an element of an array matches all of these
	fields bool       // elem applies to the fields of documents
	any    []filter   // one of these holds
	equal  *value     // the exact value, with which an upsert starts
	whole  bool       // compares whole arrays, which an index doesn't store
}

// newFilter rejects what this package doesn't match exactly as MongoDB does, regardless of the stored documents.
func newFilter(v any) (filter, error) {
	doc, err := accept(v)
	if err != nil {
		return nil, err
	}
	return parse(doc)
}

func parse(doc value) (f filter, err error) {
	for e := range elements(doc) {
		var more filter
		switch name := e.Key(); name {
		case "$and", "$or", "$nor":
			more, err = parseBranches(name, e.Value())
		default:
			if err = checkPath(name); err == nil {
				more, err = parseField(name, e.Value())
			}
		}
		if err != nil {
			return nil, err
		}
		f = append(f, more...)
	}
	return f, nil
}

func parseBranches(op string, list value) (filter, error) {
	var branches []filter
	for _, branch := range items(list) {
		f, err := parse(branch)
		if err != nil {
			return nil, err
		}
		branches = append(branches, f)
		if !isDocument(branch) {
			return nil, fmt.Errorf("localdb: %s takes a list of filters", op)
		}
	}
	switch {
	case !isArray(list) || len(branches) == 0:
		return nil, fmt.Errorf("localdb: %s takes a list of filters that is not empty", op)
	case op == "$and" || op == "$or" && len(branches) == 1:
		return slices.Concat(branches...), nil
	}
	return filter{{any: branches, not: op == "$nor"}}, nil
}

// parseField parses what a path is compared with: a value, or a document of operators.
func parseField(path string, v value) (f filter, err error) {
	if !isOperators(v) {
		c, err := newCondition(path, "$eq", v)
		return filter{c}, err
	}
	for e := range elements(v) {
		c, err := newCondition(path, e.Key(), e.Value())
		if err != nil {
			return nil, err
		}
		f = append(f, c)
	}
	return f, nil
}

func newCondition(path, op string, v value) (c condition, err error) {
	c = condition{path: path, in: []interval{}, not: op == "$ne" || op == "$nin"}
	list := []value{v}
	switch op {
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte":
	case "$in", "$nin":
		if list = items(v); !isArray(v) {
			return c, fmt.Errorf("localdb: %s on %q takes an array", op, path)
		}
	case "$exists":
		yes, isBool := v.BooleanOK()
		if !isBool {
			return c, fmt.Errorf("localdb: $exists on %q takes true or false", path)
		}
		return condition{path: path, exists: true, not: !yes}, nil
	case "$not":
		if !isOperators(v) {
			return c, fmt.Errorf("localdb: $not on %q takes a document of operators", path)
		}
		f, err := parseField(path, v)
		return condition{path: path, any: []filter{f}, not: true}, err
	case "$elemMatch":
		return newElementCondition(path, v)
	default:
		return c, unsupported("filter operator", fmt.Sprintf("%q", op))
	}
	for _, v := range list {
		if err := checkOperand(path, v); err != nil {
			return c, err
		}
		c.in = append(c.in, compared(op, v))
		c.whole = c.whole || isArray(v)
	}
	c.in = ordered(c.in)
	if len(c.in) == 1 && (op == "$eq" || op == "$in") {
		c.equal = &list[0]
	}
	return c, nil
}

// newElementCondition parses what $elemMatch requires of the elements themselves, or of their fields.
func newElementCondition(path string, v value) (c condition, err error) {
	c = condition{path: path, fields: !isOperators(v)}
	if !isDocument(v) || isEmpty(v) {
		return c, fmt.Errorf("localdb: $elemMatch on %q takes a document that is not empty", path)
	}
	if c.fields {
		c.elem, err = parse(v)
		return c, err
	}
	if field(v, "$elemMatch").Type != missing.Type {
		return c, unsupported("filter operator", "$elemMatch inside $elemMatch")
	}
	c.elem, err = parseField("", v)
	return c, err
}

// checkOperand rejects two comparisons on dotted paths: whether a path through an array contains null or an array can't
// be decided from the values at the path alone.
func checkOperand(path string, v value) error {
	if strings.Contains(path, ".") && (isArray(v) || v.Type == bsoncore.TypeNull) {
		return fmt.Errorf("localdb: comparing the dotted path %q with null or an array is not supported: use $exists, or $elemMatch", path)
	}
	return check(v, true)
}

// isOperators reports whether v is a document of operators: {$gt: 1} is one, {city: "x"} is not.
func isOperators(v value) bool {
	for e := range elements(v) {
		return isDocument(v) && strings.HasPrefix(e.Key(), "$")
	}
	return false
}

// match reports whether a document, or an element of an array, meets all conditions.
func (f filter) match(v value) bool {
	return !slices.ContainsFunc(f, func(c condition) bool { return c.holds(v) == c.not })
}

func (c *condition) holds(v value) (found bool) {
	if c.any != nil {
		return slices.ContainsFunc(c.any, func(f filter) bool { return f.match(v) })
	}
	visit(v, c.path, func(v value) {
		switch {
		case found:
		case c.exists:
			found = v.Type != missing.Type
		case c.elem != nil:
			found = isArray(v) && slices.ContainsFunc(items(v), func(item value) bool {
				return (isDocument(item) || !c.fields) && c.elem.match(item)
			})
		default:
			found = inAny(c.in, keyOf(v)) || isArray(v) && slices.ContainsFunc(items(v), func(item value) bool {
				return inAny(c.in, keyOf(item))
			})
		}
	})
	return found
}

// demands lists the conditions that an index can serve: that a value at a path is in one of the intervals. exact
// reports whether these are the whole filter.
func (f filter) demands() (list filter, exact bool) {
	exact = true
	for _, c := range f {
		switch {
		case c.not || c.whole || c.exists || c.any != nil:
			exact = false
		case c.elem != nil:
			inner, _ := c.elem.demands()
			for i, d := range inner {
				switch {
				case c.fields:
					list = append(list, condition{path: c.path + "." + d.path, in: d.in})
				case i == 0:
					list = append(list, condition{path: c.path, in: d.in})
				default: // all of one element
					last := &list[len(list)-1]
					last.in = intersection(last.in, d.in)
				}
			}
			exact = false
		default:
			list = append(list, c)
		}
	}
	return list, exact
}

// paths lists the paths that the filter examines.
func (f filter) paths() (list []string) {
	for _, c := range f {
		if c.path != "" {
			list = append(list, c.path)
		}
		for _, branch := range c.any {
			list = append(list, branch.paths()...)
		}
	}
	return list
}
