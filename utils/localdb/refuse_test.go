package localdb

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// refused expects an error that names the culprit.
func refused(t *testing.T, err error, name string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("got %v, want an error that names %s", err, name)
	}
}

// The collection is empty throughout: rejections must not depend on documents.
func TestRefusedFilters(t *testing.T) {
	c := open(t).Collection("empty")
	field := func(op string, v any) d { return d{{Key: "x", Value: d{{Key: op, Value: v}}}} }
	for _, name := range []string{"$all", "$bitsAllClear", "$bitsAllSet", "$bitsAnyClear", "$bitsAnySet", "$box", "$center", "$geoIntersects",
		"$geoWithin", "$maxDistance", "$mod", "$near", "$nearSphere", "$options", "$regex", "$size", "$type", "$unknown"} {
		_, err := c.Find(ctx, field(name, 1))
		refused(t, err, name)
	}
	for name, filter := range map[string]any{
		"$rand": d{{Key: "$rand", Value: d{}}}, "$sampleRate": d{{Key: "$sampleRate", Value: 0.5}},
		"$expr": d{{Key: "$expr", Value: 1}}, "$where": d{{Key: "$where", Value: "1"}}, "$text": d{{Key: "$text", Value: d{}}},
		"$jsonSchema": d{{Key: "$jsonSchema", Value: d{}}}, "$comment": d{{Key: "$comment", Value: "x"}},
		"$or": d{{Key: "$or", Value: a{}}}, "$and": d{{Key: "$and", Value: 1}}, "$nor": d{{Key: "$nor", Value: a{1}}},
		"$in": field("$in", 1), "$exists": field("$exists", "yes"), "$not": field("$not", 1), "$elemMatch": field("$elemMatch", 1),
		"$gtx": d{{Key: "$or", Value: a{field("$gtx", 1)}}}, "$sizes": field("$not", d{{Key: "$sizes", Value: 1}}),
		"inside": field("$elemMatch", d{{Key: "$elemMatch", Value: d{{Key: "a", Value: 1}}}}),
		"\"y\"":  d{{Key: "x", Value: d{{Key: "$gt", Value: 1}, {Key: "y", Value: 2}}}},
		"\"$z\"": d{{Key: "x", Value: d{{Key: "y", Value: d{{Key: "$z", Value: 1}}}}}},
		"null":   d{{Key: "x.y", Value: nil}}, "array": d{{Key: "x.y", Value: a{1}}},
		"regex": d{{Key: "x", Value: bson.Regex{Pattern: "a"}}}, "decimal": d{{Key: "x", Value: bson.Decimal128{}}}, "x..y": d{{Key: "x..y", Value: 1}},
	} {
		_, err := c.Find(ctx, filter)
		refused(t, err, name)
		refused(t, c.FindOne(ctx, filter).Err(), name)
		_, err = c.CountDocuments(ctx, filter)
		refused(t, err, name)
		_, err = c.UpdateMany(ctx, filter, d{{Key: "$set", Value: d{{Key: "a", Value: 1}}}})
		refused(t, err, name)
		_, err = c.DeleteMany(ctx, filter)
		refused(t, err, name)
		refused(t, c.FindOneAndDelete(ctx, filter).Err(), name)
	}
}

func TestRefusedUpdates(t *testing.T) {
	c := open(t).Collection("empty")
	on := func(op string, v any) d { return d{{Key: op, Value: d{{Key: "x", Value: v}}}} }
	path := func(p string) d { return d{{Key: "$set", Value: d{{Key: p, Value: 1}}}} }
	for name, update := range map[string]any{
		"$rename": on("$rename", "y"), "$mul": on("$mul", 2), "$bit": on("$bit", d{{Key: "or", Value: 1}}), "$pop": on("$pop", 1),
		"$pullAll": on("$pullAll", a{1}), "$currentDate": on("$currentDate", true), "$merge": d{{Key: "$merge", Value: d{}}},
		"$inc": on("$inc", "1"), "$sort": on("$push", d{{Key: "$each", Value: a{1}}, {Key: "$sort", Value: 1}}),
		"no $each": on("$push", d{{Key: "$slice", Value: 1}}), "$regex": on("$pull", d{{Key: "$regex", Value: "a"}}),
		"$slice": on("$addToSet", d{{Key: "$each", Value: a{1}}, {Key: "$slice", Value: 1}}), "array directly inside an array": on("$push", a{1}), "$pull of an array": on("$pull", a{1}),
		"$min": on("$min", 1), "$max": on("$max", 1), "$position": on("$push", d{{Key: "$each", Value: a{1}}, {Key: "$position", Value: 0}}),
		"\"$gt\"": on("$pull", d{{Key: "$gt", Value: 1}}),
		"a.$":     path("a.$"), "a.$[e].b": path("a.$[e].b"), "$[]": path("$[]"), "a..b": path("a..b"),
		"\"name\"": d{{Key: "name", Value: "x"}}, "empty": d{}, "conflict": d{{Key: "$set", Value: d{{Key: "a", Value: 1}}}, {Key: "$inc", Value: d{{Key: "a.b", Value: 1}}}},
		"array": mongo.Pipeline{{{Key: "$set", Value: d{{Key: "a", Value: 1}}}}},
		"$y":    on("$set", d{{Key: "$y", Value: 1}}), "javascript": on("$set", bson.JavaScript("x")),
	} {
		_, err := c.UpdateOne(ctx, d{}, update)
		if name == "array" {
			if err == nil {
				t.Error("a pipeline was taken")
			}
			continue
		}
		refused(t, err, name)
		_, err = c.UpdateMany(ctx, d{}, update)
		refused(t, err, name)
		refused(t, c.FindOneAndUpdate(ctx, d{}, update).Err(), name)
	}
	filters := []any{d{{Key: "e", Value: 1}}}
	_, err := c.UpdateOne(ctx, d{}, path("x"), options.UpdateOne().SetArrayFilters(filters))
	refused(t, err, "ArrayFilters")
	_, err = c.UpdateMany(ctx, d{}, path("x"), options.UpdateMany().SetArrayFilters(filters))
	refused(t, err, "ArrayFilters")
	refused(t, c.FindOneAndUpdate(ctx, d{}, path("x"), options.FindOneAndUpdate().SetArrayFilters(filters)).Err(), "ArrayFilters")
}

// given sets a single field of a method's options.
type given[T any] struct{ field int }

func (g given[T]) List() []func(*T) error {
	return []func(*T) error{func(options *T) error {
		field := reflect.ValueOf(options).Elem().Field(g.field)
		switch field.Kind() {
		case reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Interface:
			field.Set(reflect.ValueOf(d{{Key: "a", Value: 1}}))
		}
		return nil
	}}
}

// each calls a method once with each of the driver's options for it, and expects the unsupported ones to be rejected by
// name. That includes options added by future drivers.
func each[T any](t *testing.T, call func(options.Lister[T]) error) {
	t.Helper()
	known := reflect.TypeFor[settings]()
	for i := range reflect.TypeFor[T]().NumField() {
		name := reflect.TypeFor[T]().Field(i).Name
		if _, is := known.FieldByName(name); !is && !slices.Contains(harmless, name) {
			refused(t, call(given[T]{i}), "option "+name)
		}
	}
}

func TestEveryOptionIsKnownOrRefused(t *testing.T) {
	c := open(t).Collection("empty")
	set := d{{Key: "$set", Value: d{{Key: "a", Value: 1}}}}
	each(t, func(o options.Lister[options.InsertOneOptions]) error { _, err := c.InsertOne(ctx, d{}, o); return err })
	each(t, func(o options.Lister[options.FindOneOptions]) error { return c.FindOne(ctx, d{}, o).Err() })
	each(t, func(o options.Lister[options.FindOptions]) error { _, err := c.Find(ctx, d{}, o); return err })
	each(t, func(o options.Lister[options.CountOptions]) error {
		_, err := c.CountDocuments(ctx, d{}, o)
		return err
	})
	each(t, func(o options.Lister[options.UpdateOneOptions]) error {
		_, err := c.UpdateOne(ctx, d{}, set, o)
		return err
	})
	each(t, func(o options.Lister[options.UpdateManyOptions]) error {
		_, err := c.UpdateMany(ctx, d{}, set, o)
		return err
	})
	each(t, func(o options.Lister[options.FindOneAndUpdateOptions]) error {
		return c.FindOneAndUpdate(ctx, d{}, set, o).Err()
	})
	each(t, func(o options.Lister[options.FindOneAndDeleteOptions]) error {
		return c.FindOneAndDelete(ctx, d{}, o).Err()
	})
	each(t, func(o options.Lister[options.DeleteOneOptions]) error { _, err := c.DeleteOne(ctx, d{}, o); return err })
	each(t, func(o options.Lister[options.DeleteManyOptions]) error {
		_, err := c.DeleteMany(ctx, d{}, o)
		return err
	})
	each(t, func(o options.Lister[options.IndexOptions]) error {
		_, err := resolve([]options.Lister[options.IndexOptions]{o})
		return err
	})
}

func TestRefusedOptions(t *testing.T) {
	c := open(t).Collection("empty")
	all, set := d{}, d{{Key: "$set", Value: d{{Key: "a", Value: 1}}}}
	german := &options.Collation{Locale: "de"}
	_, err := c.Find(ctx, all, options.Find().SetSkip(3))
	refused(t, err, "Skip")
	_, err = c.Find(ctx, all, options.Find().SetLimit(-3))
	refused(t, err, "limit")
	_, err = c.Find(ctx, all, options.Find().SetCollation(german))
	refused(t, err, "Collation")
	_, err = c.Find(ctx, all, options.Find().SetSort(d{{Key: "a", Value: d{{Key: "$meta", Value: "x"}}}}))
	refused(t, err, "sort")
	_, err = c.Find(ctx, all, options.Find().SetSort(bson.M{"a": 1, "b": 1}))
	refused(t, err, "sort")
	_, err = c.Find(ctx, all, options.Find().SetSort(d{{Key: "$natural", Value: 1}}))
	refused(t, err, "$natural")
	for _, p := range []d{{{Key: "a.b", Value: 1}}, {{Key: "a", Value: d{{Key: "$slice", Value: 1}}}}, {{Key: "a", Value: 1}, {Key: "b", Value: 0}}, {{Key: "a", Value: 0}}, {{Key: "a.$", Value: 1}}} {
		_, err = c.Find(ctx, all, options.Find().SetProjection(p))
		refused(t, err, "projection")
	}
	refused(t, c.FindOne(ctx, all, options.FindOne().SetSkip(1)).Err(), "Skip")
	_, err = c.CountDocuments(ctx, all, options.Count().SetSkip(1))
	refused(t, err, "Skip")
	_, err = c.UpdateOne(ctx, all, set, options.UpdateOne().SetLet(d{{Key: "a", Value: 1}}))
	refused(t, err, "Let")
	_, err = c.UpdateMany(ctx, all, set, options.UpdateMany().SetCollation(german))
	refused(t, err, "Collation")
	_, err = c.DeleteOne(ctx, all, options.DeleteOne().SetCollation(german))
	refused(t, err, "Collation")
	_, err = c.DeleteMany(ctx, all, options.DeleteMany().SetLet(d{{Key: "a", Value: 1}}))
	refused(t, err, "Let")
	refused(t, c.FindOneAndUpdate(ctx, all, set, options.FindOneAndUpdate().SetCollation(german)).Err(), "Collation")
	refused(t, c.FindOneAndDelete(ctx, all, options.FindOneAndDelete().SetCollation(german)).Err(), "Collation")
	_, err = c.InsertOne(ctx, all, options.InsertOne().SetBypassDocumentValidation(true))
	refused(t, err, "BypassDocumentValidation")
	index := func(keys any, o *options.IndexOptionsBuilder) error {
		return c.EnsureIndexes(ctx, []mongo.IndexModel{{Keys: keys, Options: o}})
	}
	a1 := d{{Key: "a", Value: 1}}
	refused(t, index(a1, options.Index().SetSparse(true)), "Sparse")
	refused(t, index(a1, options.Index().SetPartialFilterExpression(d{{Key: "a", Value: 1}})), "PartialFilterExpression")
	refused(t, index(a1, options.Index().SetCollation(german)), "Collation")
	refused(t, index(d{{Key: "a", Value: "text"}}, nil), "index keys")
	refused(t, index(d{{Key: "a.0", Value: 1}}, nil), "a.0")
	refused(t, index(d{{Key: "a\xff", Value: 1}}, nil), "a\xff") // the file describes indexes in JSON, which would change it
	refused(t, index(d{{Key: "a", Value: 1}, {Key: "b", Value: 1}}, options.Index().SetExpireAfterSeconds(1)), "ExpireAfterSeconds")
	_, err = c.Find(ctx, all, options.Find().SetBatchSize(5).SetHint("x").SetComment("y"), nil)
	ok(t, err)
}
