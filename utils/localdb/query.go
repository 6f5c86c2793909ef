package localdb

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// settings are the supported options, by the driver's names.
type settings struct {
	Sort, Projection   any
	Limit              int64
	Upsert             bool
	ReturnDocument     options.ReturnDocument
	Unique             bool
	ExpireAfterSeconds *int32
	Name               string
}

// harmless options affect speed or logs, never a result.
var harmless = []string{"AllowDiskUse", "BatchSize", "Comment", "Hint", "Internal", "NoCursorTimeout"}

// resolve merges options, the last one winning, and rejects every unsupported one by name.
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

// query is a validated call of a method: its filter and its options.
type query struct {
	filter     filter
	demands    filter // the part of the filter that an index can serve
	exact      bool   // demands is the whole filter
	sort       []column
	limit      int // 0 for none
	projection []column
	upsert     bool
	remove     bool // deletes what it finds
	after      bool // return the document as it is after the call
}

func newQuery[T any](v any, opts []options.Lister[T]) (*query, error) {
	s, err := resolve(opts)
	if err != nil {
		return nil, err
	}
	if s.Limit < 0 || s.Limit > 1<<31 {
		return nil, fmt.Errorf("localdb: a limit of %d is not supported", s.Limit)
	}
	q := &query{limit: int(s.Limit), upsert: s.Upsert, after: s.ReturnDocument == options.After}
	if q.filter, err = newFilter(v); err != nil {
		return nil, err
	}
	q.demands, q.exact = q.filter.demands()
	if q.sort, err = columns("sort", s.Sort); err != nil {
		return nil, err
	}
	q.projection, err = newProjection(s.Projection)
	return q, err
}

// paths lists the paths that the filter and the sort examine.
func (q *query) paths() []string {
	list := q.filter.paths()
	for _, col := range q.sort {
		list = append(list, col.Path)
	}
	return list
}

// columns parses an index's keys or a sort: a document of paths with 1 or -1.
func columns(what string, v any) ([]column, error) {
	if v == nil {
		return nil, nil
	}
	if m := reflect.ValueOf(v); m.Kind() == reflect.Map && m.Len() > 1 {
		return nil, mongo.ErrMapForOrderedArgument{ParamName: what}
	}
	doc, err := accept(v)
	if err != nil {
		return nil, err
	}
	var list []column
	for e := range elements(doc) {
		path := e.Key()
		if err := checkPath(path); err != nil {
			return nil, fmt.Errorf("%w (%s)", err, what)
		}
		direction, ok := number(e.Value())
		if !ok || direction != 1 && direction != -1 {
			return nil, fmt.Errorf("localdb: %s on %q: only 1 and -1 are supported", what, path)
		}
		if slices.ContainsFunc(list, func(c column) bool { return c.Path == path }) {
			return nil, fmt.Errorf("localdb: %s names %q twice", what, path)
		}
		list = append(list, column{Path: path, Desc: direction < 0})
	}
	return list, nil
}

// newProjection parses which top-level fields to return besides the _id; an empty result means all of them.
func newProjection(v any) ([]column, error) {
	fields, err := columns("projection", v)
	for _, f := range fields {
		if f.Desc || strings.Contains(f.Path, ".") {
			return nil, unsupported("a projection but {field: 1} of top-level fields:", f.Path)
		}
	}
	return fields, err
}

// project appends the projected fields of a document.
func (q *query) project(out, raw []byte) []byte {
	if len(q.projection) == 0 {
		return append(out, raw...)
	}
	at, out := bsoncore.AppendDocumentStart(out)
	for e := range elements(document(raw)) {
		if e.Key() == "_id" || slices.ContainsFunc(q.projection, func(f column) bool { return f.Path == e.Key() }) {
			out = append(out, e...)
		}
	}
	return end(out, at).Data
}
