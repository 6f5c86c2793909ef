package localdb

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	bson2 "go.mongodb.org/mongo-driver/v2/bson"
)

// harmless options change speed or logs, never an answer.
var harmless = []string{"AllowDiskUse", "BatchSize", "Comment", "Hint", "Internal", "NoCursorTimeout"}

// resolve merges options, the last one winning, and refuses by name every option that is set and not in known.
func resolve[T any](opts []options.Lister[T], known ...string) (*T, error) {
	args := new(T)
	for _, opt := range opts {
		if opt == nil || reflect.ValueOf(opt).IsNil() {
			continue
		}
		for _, set := range opt.List() {
			if set == nil {
				continue
			}
			if err := set(args); err != nil {
				return nil, err
			}
		}
	}
	v := reflect.ValueOf(args).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if !v.Field(i).IsZero() && !slices.Contains(known, name) && !slices.Contains(harmless, name) {
			return nil, fmt.Errorf("localdb: option %s is not supported", name)
		}
	}
	return args, nil
}

// column is one key of an index or of a sort.
type column struct {
	Path string `json:"path"`
	Desc bool   `json:"desc,omitempty"`
}

// columns reads an index's keys or a sort: a document of paths and 1 or -1.
func columns(what string, v any) ([]column, error) {
	if v == nil {
		return nil, nil
	}
	if m, ok := v.(bson2.M); ok && len(m) > 1 {
		return nil, mongo.ErrMapForOrderedArgument{ParamName: what}
	}
	doc, err := accept(v)
	if err != nil {
		return nil, err
	}
	list := make([]column, 0, len(doc))
	for _, e := range doc {
		if err := checkPath(e.Key); err != nil {
			return nil, err
		}
		direction, ok := number(e.Value)
		if !ok || direction != 1 && direction != -1 {
			return nil, fmt.Errorf("localdb: %s on %q: only 1 and -1 are supported", what, e.Key)
		}
		if slices.ContainsFunc(list, func(c column) bool { return c.Path == e.Key }) {
			return nil, fmt.Errorf("localdb: %s names %q twice", what, e.Key)
		}
		list = append(list, column{Path: e.Key, Desc: direction < 0})
	}
	return list, nil
}

// projection includes or excludes top-level fields; _id is always decided apart.
type projection struct {
	fields  map[string]bool
	include bool
	id      bool
}

func newProjection(v any) (*projection, error) {
	if v == nil {
		return nil, nil
	}
	doc, err := accept(v)
	if err != nil || len(doc) == 0 {
		return nil, err
	}
	p := &projection{fields: map[string]bool{}, id: true}
	for _, e := range doc {
		on, ok := truth(e.Value)
		if !ok || e.Key == "" || strings.ContainsAny(e.Key, ".$") {
			return nil, fmt.Errorf("localdb: projection of %q: only whole top-level fields, by 0 or 1, are supported", e.Key)
		}
		if e.Key == "_id" {
			p.id = on
			continue
		}
		if len(p.fields) > 0 && on != p.include {
			return nil, fmt.Errorf("localdb: projection of %q: including and excluding cannot be mixed", e.Key)
		}
		p.include = on
		p.fields[e.Key] = true
	}
	if len(p.fields) == 0 {
		p.include = p.id // {_id: 1} is that field alone, {_id: 0} all the others
	}
	return p, nil
}

// number reads a numeric value of a specification.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func truth(v any) (on, ok bool) {
	if b, isBool := v.(bool); isBool {
		return b, true
	}
	n, ok := number(v)
	return n != 0, ok
}

// operators returns the document of operators that v is, if it is one: {$gt: 1} is, {city: "x"} is not.
func operators(v any) (bson.D, bool) {
	doc, ok := v.(bson.D)
	return doc, ok && len(doc) > 0 && strings.HasPrefix(doc[0].Key, "$")
}
