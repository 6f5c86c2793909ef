package localdb

import (
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestEach(t *testing.T) {
	c := open(t).Collection("things")
	for i := range 10 {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "even", Value: i%2 == 0}, {Key: "text", Value: "x"}})
	}
	each := func(filter any, stop error, opts ...options.Lister[options.FindOptions]) (list []string, err error) {
		err = c.Each(ctx, filter, func(raw bson.Raw) error {
			list = append(list, raw.String())
			return stop
		}, opts...)
		return list, err
	}
	list, err := each(d{{Key: "even", Value: true}}, nil,
		options.Find().SetSort(d{{Key: "_id", Value: -1}}).SetLimit(2).SetProjection(d{{Key: "even", Value: 1}}))
	ok(t, err)
	same(t, "documents", list, []string{`{"_id": {"$numberInt":"8"},"even": true}`, `{"_id": {"$numberInt":"6"},"even": true}`})
	list, err = each(d{}, errOnPurpose)
	equal(t, "the visitor's error", err, errOnPurpose)
	equal(t, "visits", len(list), 1)
	list, err = each(d{{Key: "_id", Value: 77}}, errOnPurpose)
	ok(t, err)
	equal(t, "visits", len(list), 0)
	if _, err := each(nil, nil); !errors.Is(err, mongo.ErrNilDocument) {
		t.Fatalf("nil filter: %v", err)
	}
	// Neither the next visit nor a write outside changes what a visitor was given.
	next := int32(0)
	ok(t, c.Each(ctx, d{}, func(raw bson.Raw) error {
		before := raw.String()
		equal(t, "_id", raw.Lookup("_id").Int32(), next)
		next++
		_, err := c.UpdateMany(ctx, d{}, d{{Key: "$set", Value: d{{Key: "text", Value: fmt.Sprint("longer than before ", raw.Lookup("_id"))}}}})
		equal(t, "document", raw.String(), before)
		_ = append(raw, "of the next one nothing"...)
		return err
	}))
	intact(t, c)
}

// TestRaw: the raw methods return what the driver's methods decode, and the caller owns their bytes.
func TestRaw(t *testing.T) {
	c := open(t).Collection("things")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "n", Value: 1}})}))
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "n", Value: 1}}, d{{Key: "_id", Value: 2}, {Key: "n", Value: 2}})
	one, none := d{{Key: "_id", Value: 1}}, d{{Key: "_id", Value: 3}}
	set := func(n int) d { return d{{Key: "$set", Value: d{{Key: "n", Value: n}}}} }
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	read := func(raw bson.Raw, err error) string {
		t.Helper()
		ok(t, err)
		defer clear(raw)
		return raw.String()
	}
	equal(t, "found", read(c.FindOneRaw(ctx, d{}, options.FindOne().SetSort(d{{Key: "n", Value: -1}}))), `{"_id": {"$numberInt":"2"},"n": {"$numberInt":"2"}}`)
	equal(t, "projected", read(c.FindOneRaw(ctx, one, options.FindOne().SetProjection(d{{Key: "_id", Value: 1}}))), `{"_id": {"$numberInt":"1"}}`)
	equal(t, "before", read(c.FindOneAndUpdateRaw(ctx, one, set(5))), `{"_id": {"$numberInt":"1"},"n": {"$numberInt":"1"}}`)
	equal(t, "after", read(c.FindOneAndUpdateRaw(ctx, one, set(6), after)), `{"_id": {"$numberInt":"1"},"n": {"$numberInt":"6"}}`)
	equal(t, "unchanged", read(c.FindOneAndUpdateRaw(ctx, one, set(6), after)), `{"_id": {"$numberInt":"1"},"n": {"$numberInt":"6"}}`)
	equal(t, "deleted", read(c.FindOneAndDeleteRaw(ctx, one)), `{"_id": {"$numberInt":"1"},"n": {"$numberInt":"6"}}`)
	equal(t, "upserted", read(c.FindOneAndUpdateRaw(ctx, one, set(7), after.SetUpsert(true))), `{"_id": {"$numberInt":"1"},"n": {"$numberInt":"7"}}`)

	_, found := c.FindOneRaw(ctx, none)
	_, updated := c.FindOneAndUpdateRaw(ctx, none, set(1))
	_, upserted := c.FindOneAndUpdateRaw(ctx, none, set(9), options.FindOneAndUpdate().SetUpsert(true))
	_, removed := c.FindOneAndDeleteRaw(ctx, d{{Key: "_id", Value: 4}})
	for _, err := range []error{found, updated, upserted, removed} {
		equal(t, "nothing to return", err, mongo.ErrNoDocuments)
	}
	_, err := c.FindOneAndUpdateRaw(ctx, one, set(2))
	if !mongo.IsDuplicateKeyError(err) || !errors.As(err, new(mongo.CommandError)) {
		t.Fatalf("a taken n: %v", err)
	}
	for _, filter := range []any{nil, d{{Key: "$where", Value: 1}}} {
		_, found := c.FindOneRaw(ctx, filter)
		_, updated := c.FindOneAndUpdateRaw(ctx, filter, set(1))
		_, removed := c.FindOneAndDeleteRaw(ctx, filter)
		if found == nil || updated == nil || removed == nil {
			t.Fatalf("%v is taken", filter)
		}
	}
	same(t, "documents", ids(find(t, c, d{})), []int32{1, 2, 3})
	intact(t, c)
}
