package store

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// clashesShown is how many values, and how many documents of each, are named.
const clashesShown = 5

// makeIndexes makes the indexes of a kind. If an index must be unique and the documents aren't, the error names those
// that clash.
func (db *DB) makeIndexes(ctx context.Context, k *kind) error {
	err := db.engine.ensureIndexes(ctx, k.Name, k.Indexes)
	if err == nil {
		return nil
	}
	failed := fmt.Errorf("the indexes of %s cannot be made: %w", k.Name, err)
	if !mongo.IsDuplicateKeyError(err) {
		return failed
	}
	for _, model := range k.Indexes {
		fields, ok := uniqueFields(model)
		if !ok {
			continue
		}
		list, err := clashes(ctx, k, fields)
		if err != nil {
			return fmt.Errorf("%w (and the documents that clash cannot be listed: %w)", failed, err)
		}
		if list != "" {
			return fmt.Errorf("the unique index on %s of %s cannot be made, because some documents have the same:\n%s"+
				"Nothing was changed. The command repair removes duplicate likes and similar relations; of anything else, change or delete all "+
				"but one, with the version that ran before or in a MongoDB shell, and start again",
				strings.Join(fields, " and "), k.Name, list)
		}
	}
	return failed
}

// uniqueFields are the fields of an index that must be unique.
func uniqueFields(model mongo.IndexModel) (fields []string, unique bool) {
	set := options.IndexOptions{}
	if model.Options != nil {
		for _, apply := range model.Options.Opts {
			_ = apply(&set) // the builder's setters return no errors
		}
	}
	for _, key := range model.Keys.(bson.D) {
		fields = append(fields, key.Key)
	}
	return fields, set.Unique != nil && *set.Unique
}

// clash is a value, or a combination of values, that more than one document has.
type clash struct {
	values string
	ids    []string // the first of them
}

// clashes lists the values that several documents share in these fields. Since there is no index yet, it reads all
// documents once.
func clashes(ctx context.Context, k *kind, fields []string) (string, error) {
	var tops []string
	for _, field := range fields {
		top, _, _ := strings.Cut(field, ".")
		tops = append(tops, top)
	}
	first, found := map[string]string{}, map[string]*clash{} // by value
	var inOrder []*clash
	err := k.walk(ctx, bson.D{}, tops, func(page []bson.Raw) error {
		for _, doc := range page {
			values, id := show(doc, fields), showValue(doc.Lookup("_id"))
			if _, again := first[values]; !again {
				first[values] = id
				continue
			}
			if found[values] == nil {
				found[values] = &clash{values, []string{first[values]}}
				inOrder = append(inOrder, found[values])
			}
			found[values].ids = append(found[values].ids, id)
		}
		return nil
	})
	return describe(inOrder), err
}

// show formats the fields of a document so that two lines are equal exactly if the documents clash: a missing field is
// null, as in the index.
func show(doc bson.Raw, fields []string) string {
	parts := make([]string, len(fields))
	for i, field := range fields {
		value, err := doc.LookupErr(strings.Split(field, ".")...)
		if err != nil {
			value = bson.RawValue{Type: bson.TypeNull}
		}
		parts[i] = field + " " + showValue(value)
	}
	return strings.Join(parts, ", ")
}

func showValue(v bson.RawValue) string {
	if id, ok := v.ObjectIDOK(); ok {
		return id.Hex()
	}
	if v.IsZero() {
		return "missing"
	}
	return v.String()
}

func describe(all []*clash) string {
	var text strings.Builder
	for i, c := range all {
		if i == clashesShown {
			fmt.Fprintf(&text, "  and %d more\n", len(all)-i)
			break
		}
		ids := c.ids[:min(len(c.ids), clashesShown)]
		fmt.Fprintf(&text, "  %s: _id %s", c.values, strings.Join(ids, ", "))
		if more := len(c.ids) - len(ids); more > 0 {
			fmt.Fprintf(&text, " and %d more", more)
		}
		text.WriteString("\n")
	}
	return text.String()
}
