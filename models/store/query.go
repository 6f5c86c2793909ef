package store

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Where makes a filter, or any other document, from alternating names and values: Where("owner", id, "kind", "video").
func Where(namesAndValues ...any) bson.D {
	d := make(bson.D, 0, len(namesAndValues)/2+1) // room for the condition that a document is live
	for pair := range slices.Chunk(namesAndValues, 2) {
		d = append(d, bson.E{Key: pair[0].(string), Value: pair[1]})
	}
	return d
}

// Set is the part of an update that sets fields.
func Set(namesAndValues ...any) bson.E { return bson.E{Key: "$set", Value: Where(namesAndValues...)} }

// Unset is the part of an update that removes a field.
func Unset(name string) bson.E { return bson.E{Key: "$unset", Value: Where(name, "")} }

// Inc is the part of an update that adds to a field.
func Inc(name string, by any) bson.E { return bson.E{Key: "$inc", Value: Where(name, by)} }

// In is the condition that a field has one of these values.
func In[T any](values []T) bson.D { return Where("$in", values) }

// Absent is the condition that a field is not set.
var Absent = Where("$exists", false)

// Index describes an index on these fields; "-name" is descending.
func Index(fields ...string) mongo.IndexModel { return mongo.IndexModel{Keys: keys(fields...)} }

// Unique is an index that no two documents may share a key of.
func Unique(fields ...string) mongo.IndexModel {
	return mongo.IndexModel{Keys: keys(fields...), Options: options.Index().SetUnique(true)}
}

// Expiry removes documents at the time in the field.
func Expiry(field string) mongo.IndexModel {
	return mongo.IndexModel{Keys: keys(field), Options: options.Index().SetExpireAfterSeconds(0)}
}

func keys(fields ...string) bson.D {
	d := bson.D{}
	for _, field := range fields {
		if field[0] == '-' {
			d = append(d, bson.E{Key: field[1:], Value: -1})
			continue
		}
		d = append(d, bson.E{Key: field, Value: 1})
	}
	return d
}
