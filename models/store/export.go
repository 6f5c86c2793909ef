package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Export defines what users get of a kind when they export their data. Once a kind is declared as people (Kind.People),
// every kind with a parent must declare its export, or why there is none: otherwise, registering it panics.
type Export struct {
	By     string   // the field with the owner's id
	Order  Order    // of an index that starts with By; empty: by "-_id"
	Fields []string // what they get, besides the id: nothing secret or belonging to somebody else
	Not    string   // instead of all that: why they get nothing
}

// Exported is a document in the form that its owner gets.
type Exported struct {
	Kind     string
	Document bson.D
}

// exportPage is how many documents are read at a time. No cursor is kept open while the data is sent.
const exportPage = 100

// Export visits everything that belongs to a user, kind by kind.
func (db *DB) Export(ctx context.Context, person bson.ObjectID, visit func(Exported) error) error {
	for _, k := range db.kinds {
		err := k.eachOf(ctx, person, func(raw bson.Raw) error {
			doc, err := k.exported(raw)
			if err != nil {
				return err
			}
			return visit(Exported{k.Name, doc})
		})
		if err != nil {
			return translate(err)
		}
	}
	return nil
}

// ExportFiles visits the names of all files that belong to a user.
func (db *DB) ExportFiles(ctx context.Context, person bson.ObjectID, visit func(name string) error) error {
	for _, k := range db.kinds {
		if len(k.Files) == 0 {
			continue
		}
		err := k.eachOf(ctx, person, func(raw bson.Raw) error {
			for _, name := range k.filesOf(raw) {
				if err := visit(name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return translate(err)
		}
	}
	return nil
}

// eachOf visits a user's exported documents, a page at a time.
func (k *kind) eachOf(ctx context.Context, person bson.ObjectID, visit func(bson.Raw) error) error {
	if k.Export.By == "" {
		return nil
	}
	order := k.Export.Order
	if order == nil {
		order = Order{"-_id"}
	}
	for p := (Paging{}); ; {
		ranges, err := p.ranges(k.live(Where(k.Export.By, person)), order)
		if err != nil {
			return err
		}
		page, err := k.readRanges(ctx, ranges, order, exportPage)
		if err != nil {
			return err
		}
		for _, raw := range page {
			if err := visit(raw); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
		p.After = cursorAt(page[len(page)-1], order).String()
	}
}

// readRanges reads the first documents of several ranges, one after the other.
func (k *kind) readRanges(ctx context.Context, ranges []bson.D, order Order, limit int) (docs []bson.Raw, err error) {
	for _, filter := range ranges {
		if len(docs) == limit {
			break
		}
		err = k.Each(ctx, filter, func(raw bson.Raw) error {
			docs = append(docs, slices.Clone(raw))
			return nil
		}, options.Find().SetSort(keys(order...)).SetLimit(int64(limit-len(docs))))
		if err != nil {
			return nil, err
		}
	}
	return docs, nil
}

// exported picks the fields that the user gets.
func (k *kind) exported(raw bson.Raw) (bson.D, error) {
	var all, out bson.D
	if err := bson.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for _, field := range all {
		if field.Key == "_id" || slices.Contains(k.Export.Fields, field.Key) {
			out = append(out, field)
		}
	}
	return out, nil
}

// checkExport ensures that no kind is forgotten when users export their data or delete their account: ids that don't
// refer to a declared parent would be left behind, perhaps by mistake.
func (k *kind) checkExport(document reflect.Type) {
	of := slices.ContainsFunc(k.db.kinds, func(other *kind) bool { return other.People })
	if !of {
		return
	}
	if said := k.Export.By != "" && k.Export.Not == "" || k.Export.By == "" && k.Export.Not != ""; !said && (k.People || len(k.Parents) > 0) {
		panic(fmt.Sprintf("store: %s hang on something, so they may be somebody's: Export says what that person gets of them, or why nothing", k.Name))
	}
	for _, field := range idFields(document) {
		hangs := slices.ContainsFunc(k.Parents, func(p Parent) bool { return p.Field == field }) ||
			slices.ContainsFunc(k.Lists, func(l List) bool { return l.Field == field })
		if _, loose := k.Loose[field]; field != "_id" && !hangs && !loose {
			panic(fmt.Sprintf("store: the ids in %s of %s stay when what they name is removed: make it a Parent or a List, or say in Loose why that is right", field, k.Name))
		}
	}
}

var idType = reflect.TypeFor[bson.ObjectID]()

// idFields are the fields of a document that hold ids, or lists of them.
func idFields(t reflect.Type) (names []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		inner := f.Type
		for inner != idType && (inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice) {
			inner = inner.Elem()
		}
		if inner == idType || inner.Kind() == reflect.Struct && len(idFields(inner)) > 0 {
			name, _, _ := strings.Cut(f.Tag.Get("bson"), ",")
			names = append(names, name)
		}
	}
	return names
}
