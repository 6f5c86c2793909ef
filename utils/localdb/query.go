package localdb

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	bson2 "go.mongodb.org/mongo-driver/v2/bson"
)

// settings are the options that mean something here, by the driver's names.
type settings struct {
	Sort, Projection   any
	Limit              int64
	Upsert             bool
	ReturnDocument     options.ReturnDocument
	Unique             bool
	ExpireAfterSeconds *int32
	Name               string
}

// harmless options change speed or logs, never an answer.
var harmless = []string{"AllowDiskUse", "BatchSize", "Comment", "Hint", "Internal", "NoCursorTimeout"}

// resolve merges options, the last one winning, and refuses by name every one that is set and means nothing here.
func resolve[T any](opts []options.Lister[T]) (s settings, err error) {
	args := new(T)
	for _, opt := range opts {
		if v := reflect.ValueOf(opt); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			continue
		}
		for _, set := range opt.List() {
			if set == nil {
				continue
			}
			if err := set(args); err != nil {
				return s, err
			}
		}
	}
	given := reflect.ValueOf(args).Elem()
	for i := range given.NumField() {
		name, v := given.Type().Field(i).Name, given.Field(i)
		if v.IsZero() || slices.Contains(harmless, name) {
			continue
		}
		known := reflect.ValueOf(&s).Elem().FieldByName(name)
		if !known.IsValid() {
			return s, fmt.Errorf("localdb: option %s is not supported", name)
		}
		if v.Kind() == reflect.Pointer && known.Kind() != reflect.Pointer {
			v = v.Elem()
		}
		known.Set(v)
	}
	return s, nil
}

// query is a call of a method, checked: its filter and its options.
type query struct {
	*filter
	sort       []column
	limit      int // 0 for none
	projection *projection
	upsert     bool
	after      bool // the answer is the document as the call left it
}

func newQuery[T any](v any, opts []options.Lister[T]) (*query, error) {
	s, err := resolve(opts)
	if err != nil {
		return nil, err
	}
	if s.Limit < 0 || s.Limit > 1<<31 {
		return nil, fmt.Errorf("localdb: a limit of %d is not supported", s.Limit)
	}
	f, err := newFilter(v)
	if err != nil {
		return nil, err
	}
	q := &query{filter: f, limit: int(s.Limit), upsert: s.Upsert, after: s.ReturnDocument == options.After}
	if q.sort, err = columns("sort", s.Sort); err != nil {
		return nil, err
	}
	for _, col := range q.sort {
		q.fields = append(q.fields, topField(col.Path))
	}
	q.projection, err = newProjection(s.Projection)
	return q, err
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
		for segment := range strings.SplitSeq(e.Key, ".") {
			if strings.Trim(segment, "0123456789") == "" {
				return nil, unsupported(what+" by an array position,", e.Key)
			}
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
		n, ok := number(e.Value)
		on, isBool := e.Value.(bool)
		on = on || n != 0
		if !ok && !isBool || e.Key == "" || strings.ContainsAny(e.Key, ".$") {
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
