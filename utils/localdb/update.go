package localdb

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/256dpi/lungo/bsonkit"
	"github.com/256dpi/lungo/mongokit"
	"go.mongodb.org/mongo-driver/bson"
)

// update is a checked update document, with the array filter that its $[identifier] paths may use.
type update struct {
	doc     bson.D
	filters bsonkit.List
}

func newUpdate(v any, arrayFilters []any) (*update, error) {
	doc, err := accept(v)
	if err != nil {
		return nil, err
	}
	if len(doc) == 0 {
		return nil, fmt.Errorf("localdb: the update is empty")
	}
	u := &update{doc: doc}
	identifier, err := u.accept(arrayFilters)
	if err != nil {
		return nil, err
	}
	return u, u.check(identifier)
}

// accept takes one array filter: with several, mongokit would take an element that any of them matches.
func (u *update) accept(arrayFilters []any) (identifier string, err error) {
	if len(arrayFilters) == 0 {
		return "", nil
	}
	if len(arrayFilters) > 1 {
		return "", unsupported("option", "ArrayFilters with more than one filter")
	}
	filter, err := accept(arrayFilters[0])
	if err != nil {
		return "", err
	}
	for i, e := range filter {
		name, rest, dotted := strings.Cut(e.Key, ".")
		if strings.HasPrefix(e.Key, "$") || name == "" || i > 0 && name != identifier {
			return "", unsupported("array filter key", e.Key)
		}
		identifier = name
		if !dotted {
			rest = name
		}
		if err := checkPath(rest); err != nil {
			return "", err
		}
		if err := checkCondition(rest, e.Value); err != nil {
			return "", err
		}
	}
	if identifier == "" {
		return "", fmt.Errorf("localdb: the array filter is empty")
	}
	u.filters = bsonkit.List{&filter}
	return identifier, nil
}

// check refuses unknown operators and paths, and paths that meet: mongokit finds the latter only where both change.
func (u *update) check(identifier string) error {
	var paths []string
	used := identifier == ""
	for i, op := range u.doc {
		fields, ok := op.Value.(bson.D)
		if !strings.HasPrefix(op.Key, "$") || !ok {
			return fmt.Errorf("localdb: an update takes operators with documents, not %q", op.Key)
		}
		for j, field := range fields {
			positional, err := checkUpdatePath(field.Key, identifier)
			if err != nil {
				return err
			}
			used = used || positional
			if err := checkUpdateOperator(op.Key, field); err != nil {
				return err
			}
			paths = append(paths, field.Key)
			// mongokit wraps at 2^31 where MongoDB goes on in 64 bits.
			if n, small := field.Value.(int32); small && op.Key == "$inc" {
				u.doc[i].Value.(bson.D)[j].Value = int64(n)
			}
		}
		if len(fields) == 0 {
			if err := checkUpdateOperator(op.Key, bson.E{Value: int64(0)}); err != nil {
				return err
			}
		}
	}
	if !used {
		return fmt.Errorf("localdb: the array filter for %q is not used in the update", identifier)
	}
	return checkConflicts(paths)
}

// checkUpdatePath takes $[] and $[identifier], not the positional $.
func checkUpdatePath(path, identifier string) (positional bool, err error) {
	for i, segment := range strings.Split(path, ".") {
		switch {
		case segment == "$[]" && i > 0:
		case identifier != "" && segment == "$["+identifier+"]" && i > 0:
			positional = true
		case segment == "" || strings.ContainsAny(segment, "$\x00"):
			return false, unsupported("update path", fmt.Sprintf("%q", path))
		}
	}
	return positional, nil
}

func checkConflicts(paths []string) error {
	for i, a := range paths {
		for _, b := range paths[:i] {
			if a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".") {
				return fmt.Errorf("localdb: updating the path %q would conflict with %q", a, b)
			}
		}
	}
	return nil
}

func checkUpdateOperator(name string, field bson.E) error {
	switch name {
	case "$set", "$setOnInsert", "$min", "$max":
		return checkNames(field.Value, 0)
	case "$unset":
		return nil
	case "$inc":
		if _, ok := number(field.Value); !ok {
			return fmt.Errorf("localdb: $inc of %q takes a number", field.Key)
		}
		return nil
	case "$push":
		return checkModifiers(name, field, "$each", "$slice", "$position")
	case "$addToSet":
		return checkModifiers(name, field, "$each")
	case "$pull":
		return checkPull(field.Value)
	}
	return unsupported("update operator", fmt.Sprintf("%q", name))
}

func checkModifiers(name string, field bson.E, known ...string) error {
	ops, ok := operators(field.Value)
	if !ok {
		return checkPushed(name, field.Value)
	}
	each := false
	for _, op := range ops {
		if !slices.Contains(known, op.Key) {
			return unsupported(name+" modifier", fmt.Sprintf("%q", op.Key))
		}
		if op.Key != "$each" {
			n, isNumber := number(op.Value)
			if !isNumber || n != float64(int32(n)) {
				return fmt.Errorf("localdb: %s of %q takes a whole number", op.Key, field.Key)
			}
			continue
		}
		list, isList := op.Value.(bson.A)
		if !isList {
			return fmt.Errorf("localdb: $each of %q takes an array", field.Key)
		}
		each = true
		for _, v := range list {
			if err := checkPushed(name, v); err != nil {
				return err
			}
		}
	}
	if !each {
		return fmt.Errorf("localdb: %s of %q has modifiers but no $each", name, field.Key)
	}
	return nil
}

func checkPushed(name string, v any) error {
	if _, ok := v.(bson.A); ok {
		return unsupported(name, "of an array as one element (use $each)")
	}
	return checkNames(v, 0)
}

// checkPull takes a value, a document of operators on the element, or a filter on the element's fields.
func checkPull(v any) error {
	if _, ok := operators(v); ok {
		return checkCondition("element", v)
	}
	if filter, ok := v.(bson.D); ok {
		return checkFilter(filter)
	}
	return checkNames(v, 0)
}

// apply changes doc in place. doc must not share memory with anything else.
func (u *update) apply(doc, filter *bson.D, upsert bool) error {
	if err := u.checkOverflow(doc); err != nil {
		return err
	}
	// mongokit puts the update's own values into the document, so it gets a copy.
	_, err := mongokit.Apply(doc, filter, bsonkit.Clone(&u.doc), upsert, u.filters)
	if err != nil {
		return fmt.Errorf("localdb: update: %w", err)
	}
	return nil
}

// checkOverflow refuses an $inc past 64 bits, where mongokit would wrap around.
func (u *update) checkOverflow(doc *bson.D) error {
	for _, op := range u.doc {
		if op.Key != "$inc" {
			continue
		}
		for _, field := range op.Value.(bson.D) {
			by, _ := field.Value.(int64)
			err := mongokit.Resolve(field.Key, nil, doc, u.filters, func(path string) error {
				if n, ok := bsonkit.Get(doc, path).(int64); ok && (n+by > n) != (by > 0) && by != 0 {
					return fmt.Errorf("localdb: $inc of %q would leave 64 bits", path)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// upserted is the document that an upsert inserts: what the filter says by equality, then the update.
func (u *update) upserted(filter *bson.D) (bson.D, error) {
	said := bsonkit.Clone(filter)
	equalitiesFirst(*said)
	extracted, err := mongokit.Extract(said)
	if err != nil {
		return nil, fmt.Errorf("localdb: upsert: %w", err)
	}
	doc := bsonkit.Clone(extracted) // its values may be shared
	id := bsonkit.Get(doc, "_id")
	if err := u.apply(doc, filter, true); err != nil {
		return nil, err
	}
	if id != bsonkit.Missing && bsonkit.Compare(id, bsonkit.Get(doc, "_id")) != 0 {
		return nil, immutableID()
	}
	return *doc, nil
}

// equalitiesFirst reorders operators: mongokit's extraction stops at the first one of a path that is no equality.
func equalitiesFirst(filter bson.D) {
	for _, e := range filter {
		if ops, ok := operators(e.Value); ok {
			slices.SortStableFunc(ops, func(a, b bson.E) int { return flag(b.Key == "$eq") - flag(a.Key == "$eq") })
		}
		if branches, ok := e.Value.(bson.A); ok && e.Key == "$and" {
			for _, branch := range branches {
				equalitiesFirst(branch.(bson.D))
			}
		}
	}
}

// applied returns a stored document after the update, and its bytes. changed is false where the bytes are the same.
func (u *update) applied(raw []byte, filter *bson.D) (doc bson.D, after []byte, changed bool, err error) {
	if doc, err = decode(raw); err != nil {
		return nil, nil, false, err
	}
	id := bsonkit.Get(&doc, "_id")
	if err = u.apply(&doc, filter, false); err != nil {
		return nil, nil, false, err
	}
	if now := bsonkit.Get(&doc, "_id"); now == bsonkit.Missing || bsonkit.Compare(now, id) != 0 {
		return nil, nil, false, immutableID()
	}
	after, err = encode(doc)
	return doc, after, err == nil && !bytes.Equal(raw, after), err
}
