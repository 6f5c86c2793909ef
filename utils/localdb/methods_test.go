package localdb

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The methods must match the driver's: models hold one or the other behind this interface.
type driverMethods interface {
	InsertOne(context.Context, any, ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error)
	FindOne(context.Context, any, ...options.Lister[options.FindOneOptions]) *mongo.SingleResult
	Find(context.Context, any, ...options.Lister[options.FindOptions]) (*mongo.Cursor, error)
	UpdateOne(context.Context, any, any, ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error)
	UpdateMany(context.Context, any, any, ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error)
	FindOneAndUpdate(context.Context, any, any, ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult
	FindOneAndDelete(context.Context, any, ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult
	DeleteOne(context.Context, any, ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error)
	DeleteMany(context.Context, any, ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error)
	CountDocuments(context.Context, any, ...options.Lister[options.CountOptions]) (int64, error)
}

var (
	_ driverMethods = (*mongo.Collection)(nil)
	_ driverMethods = (*Collection)(nil)
)

func TestInsert(t *testing.T) {
	c := open(t).Collection("users")
	result, err := c.InsertOne(ctx, struct {
		Name string `bson:"name"`
	}{"ada"})
	ok(t, err)
	id, isID := result.InsertedID.(bson.ObjectID)
	if !isID || id.IsZero() {
		t.Fatalf("no ObjectID was made: %v", result.InsertedID)
	}
	var got d
	ok(t, c.FindOne(ctx, d{{Key: "_id", Value: id}}).Decode(&got))
	equal(t, "first field", got[0].Key, "_id")
	_, err = c.InsertOne(ctx, d{{Key: "x", Value: 1}, {Key: "_id", Value: id}})
	if !mongo.IsDuplicateKeyError(err) || !strings.Contains(err.Error(), "index: _id_ dup key: { _id: {\"$oid\":\""+id.Hex()+"\"} }") {
		t.Fatalf("the same _id again: %v", err)
	}
	result, err = c.InsertOne(ctx, d{{Key: "x", Value: 1}, {Key: "_id", Value: "mine"}})
	ok(t, err)
	equal(t, "id", result.InsertedID.(string), "mine")
	for _, bad := range []any{nil, d{{Key: "_id", Value: a{1}}}, d{{Key: "$x", Value: 1}}, d{{Key: "x.y", Value: 1}},
		d{{Key: "x", Value: a{a{1}}}}, d{{Key: "x", Value: bson.Regex{Pattern: "a"}}}, d{{Key: "x", Value: strings.Repeat("x", 17<<20)}}} {
		if _, err := c.InsertOne(ctx, bad); err == nil {
			t.Fatalf("%.50v was taken", bad)
		}
	}
}

func TestFindOne(t *testing.T) {
	c := open(t).Collection("users")
	if err := c.FindOne(ctx, d{}).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatalf("an empty collection: %v", err)
	}
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "n", Value: 5}, {Key: "secret", Value: "s"}}, d{{Key: "_id", Value: 2}, {Key: "n", Value: 9}})
	if err := c.FindOne(ctx, d{{Key: "n", Value: 1}}).Decode(&d{}); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatalf("nothing matches: %v", err)
	}
	var got d
	ok(t, c.FindOne(ctx, d{}, options.FindOne().SetSort(d{{Key: "n", Value: -1}})).Decode(&got))
	equal(t, "largest n", got[0].Value.(int32), 2)
	if err := c.FindOne(ctx, nil).Err(); !errors.Is(err, mongo.ErrNilDocument) {
		t.Fatalf("nil filter: %v", err)
	}
}

func TestProjection(t *testing.T) {
	c := open(t).Collection("users")
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "n", Value: 5}, {Key: "secret", Value: "s"}})
	for want, p := range map[string]d{
		"_id n": {{Key: "n", Value: 1}}, "_id": {{Key: "_id", Value: 1}}, "_id n secret": {},
	} {
		var got d
		ok(t, c.FindOne(ctx, d{}, options.FindOne().SetProjection(p)).Decode(&got))
		keys := []string{}
		for _, e := range got {
			keys = append(keys, e.Key)
		}
		equal(t, "fields", strings.Join(keys, " "), want)
	}
	equal(t, "by Find", len(find(t, c, d{}, options.Find().SetProjection(d{{Key: "n", Value: 1}}))[0]), 2)
}

func TestUpdate(t *testing.T) {
	c := open(t).Collection("posts")
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "n", Value: int64(1)}}, d{{Key: "_id", Value: 2}, {Key: "n", Value: int64(1)}})
	check := func(what string, r *mongo.UpdateResult, err error, matched, modified int64) {
		t.Helper()
		ok(t, err)
		same(t, what, []int64{r.MatchedCount, r.ModifiedCount, r.UpsertedCount}, []int64{matched, modified, 0})
	}
	r, err := c.UpdateOne(ctx, d{{Key: "n", Value: 1}}, d{{Key: "$set", Value: d{{Key: "n", Value: int64(1)}}}})
	check("the same value", r, err, 1, 0)
	r, err = c.UpdateMany(ctx, d{{Key: "n", Value: 1}}, d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}}})
	check("two", r, err, 2, 2)
	r, err = c.UpdateMany(ctx, d{{Key: "n", Value: 1}}, d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}}})
	check("none", r, err, 0, 0)
	_, err = c.UpdateOne(ctx, d{{Key: "_id", Value: 1}}, d{{Key: "$set", Value: d{{Key: "_id", Value: 7}}}})
	if err == nil || !strings.Contains(err.Error(), "immutable field '_id'") {
		t.Fatalf("a new _id: %v", err)
	}
	r, err = c.UpdateOne(ctx, d{{Key: "_id", Value: 1}}, d{{Key: "$set", Value: d{{Key: "_id", Value: 1}}}})
	check("the same _id", r, err, 1, 0)
	r, err = c.UpdateOne(ctx, d{}, d{{Key: "$set", Value: d{{Key: "last", Value: true}}}}, options.UpdateOne().SetSort(d{{Key: "_id", Value: -1}}))
	check("sorted", r, err, 1, 1)
	same(t, "the last", ids(find(t, c, d{{Key: "last", Value: true}})), []int32{2})
}

func TestUpdateOperators(t *testing.T) {
	c := open(t).Collection("things")
	insert(t, c, d{{Key: "_id", Value: 1}})
	for _, step := range []struct {
		update any
		want   string
	}{
		{d{{Key: "$set", Value: d{{Key: "o.x", Value: 1}}}, {Key: "$inc", Value: d{{Key: "n", Value: 1<<31 - 1}}}}, `{"n":2147483647,"o":{"x":1}}`},
		{d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}}}, `{"n":2147483648,"o":{"x":1}}`},
		{d{{Key: "$unset", Value: d{{Key: "n", Value: ""}, {Key: "o", Value: ""}}}}, `{}`},
		{d{{Key: "$push", Value: d{{Key: "l", Value: 1}}}}, `{"l":[1]}`},
		{d{{Key: "$push", Value: d{{Key: "l", Value: d{{Key: "$each", Value: a{2, 3, 4}}, {Key: "$slice", Value: -3}}}}}}, `{"l":[2,3,4]}`},
		{d{{Key: "$addToSet", Value: d{{Key: "l", Value: d{{Key: "$each", Value: a{2, 5}}}}}}}, `{"l":[2,3,4,5]}`},
		{d{{Key: "$addToSet", Value: d{{Key: "l", Value: 5}}}}, `{"l":[2,3,4,5]}`},
		{d{{Key: "$pull", Value: d{{Key: "l", Value: d{{Key: "$in", Value: a{4, 5, 6}}}}}}}, `{"l":[2,3]}`},
		{d{{Key: "$pull", Value: d{{Key: "l", Value: 2}}}}, `{"l":[3]}`},
		{d{{Key: "$setOnInsert", Value: d{{Key: "z", Value: 3}}}}, `{"l":[3]}`},
		{d{{Key: "$set", Value: d{}}}, `{"l":[3]}`},
	} {
		_, err := c.UpdateOne(ctx, d{}, step.update)
		ok(t, err)
		got, err := bson.MarshalExtJSON(find(t, c, d{})[0][1:], false, false)
		ok(t, err)
		equal(t, "document", string(got), step.want)
	}
	_, err := c.UpdateOne(ctx, d{}, d{{Key: "$set", Value: d{{Key: "n", Value: int64(1<<63 - 1)}}}})
	ok(t, err)
	if _, err := c.UpdateOne(ctx, d{}, d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}}}); err == nil {
		t.Fatal("$inc past 64 bits was taken")
	}
}

func TestUpsert(t *testing.T) {
	c := open(t).Collection("history")
	filter := d{{Key: "user", Value: "u"}, {Key: "at.post", Value: d{{Key: "$eq", Value: "p"}}}, {Key: "n", Value: d{{Key: "$gt", Value: 1}}}}
	update := d{{Key: "$set", Value: d{{Key: "n", Value: 3}}}, {Key: "$setOnInsert", Value: d{{Key: "made", Value: true}}}}
	r, err := c.UpdateOne(ctx, filter, update, options.UpdateOne().SetUpsert(true))
	ok(t, err)
	same(t, "counts", []int64{r.MatchedCount, r.ModifiedCount, r.UpsertedCount}, []int64{0, 0, 1})
	if _, isID := r.UpsertedID.(bson.ObjectID); !isID {
		t.Fatalf("upserted id: %v", r.UpsertedID)
	}
	equal(t, "made", len(find(t, c, append(d{{Key: "made", Value: true}}, filter...))), 1)
	r, err = c.UpdateOne(ctx, filter, update, options.UpdateOne().SetUpsert(true))
	ok(t, err)
	same(t, "again", []int64{r.MatchedCount, r.ModifiedCount, r.UpsertedCount}, []int64{1, 0, 0})
	r, err = c.UpdateMany(ctx, d{{Key: "_id", Value: 7}}, update, options.UpdateMany().SetUpsert(true))
	ok(t, err)
	equal(t, "id from the filter", r.UpsertedID.(int32), 7)
	mixed := d{{Key: "$and", Value: a{d{{Key: "k", Value: d{{Key: "$gt", Value: 1}, {Key: "$eq", Value: 5}}}}}}}
	_, err = c.UpdateOne(ctx, mixed, update, options.UpdateOne().SetUpsert(true))
	ok(t, err)
	equal(t, "equality after a range", len(find(t, c, d{{Key: "k", Value: 5}})), 1)
	_, err = c.UpdateOne(ctx, d{{Key: "l", Value: d{{Key: "$in", Value: a{5, int64(5)}}}}}, update, options.UpdateOne().SetUpsert(true))
	ok(t, err)
	equal(t, "one value, said twice", len(find(t, c, d{{Key: "l", Value: 5}})), 1)
}

func TestFindOneAndModify(t *testing.T) {
	c := open(t).Collection("posts")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "name", Value: 1}})}))
	up := d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}}}
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	if err := c.FindOneAndUpdate(ctx, d{}, up).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatalf("nothing there: %v", err)
	}
	one := d{{Key: "_id", Value: 1}}
	if err := c.FindOneAndUpdate(ctx, one, up, options.FindOneAndUpdate().SetUpsert(true)).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatalf("before an upsert: %v", err)
	}
	var got struct {
		ID int `bson:"_id"`
		N  int
	}
	ok(t, c.FindOneAndUpdate(ctx, one, up).Decode(&got))
	equal(t, "before", got.N, 1)
	ok(t, c.FindOneAndUpdate(ctx, one, up, after, options.FindOneAndUpdate().SetProjection(d{{Key: "n", Value: 1}})).Decode(&got))
	equal(t, "after", got.N, 3)
	ok(t, c.FindOneAndUpdate(ctx, d{{Key: "_id", Value: 2}}, d{{Key: "$set", Value: d{{Key: "name", Value: "x"}}}}, after, options.FindOneAndUpdate().SetUpsert(true)).Decode(&got))
	equal(t, "upserted", got.ID, 2)
	err := c.FindOneAndUpdate(ctx, one, d{{Key: "$set", Value: d{{Key: "name", Value: "x"}}}}).Err()
	var command mongo.CommandError
	if !mongo.IsDuplicateKeyError(err) || !errors.As(err, &command) {
		t.Fatalf("a taken name: %v", err)
	}
	ok(t, c.FindOneAndDelete(ctx, d{}, options.FindOneAndDelete().SetSort(d{{Key: "_id", Value: -1}})).Decode(&got))
	equal(t, "deleted", got.ID, 2)
	same(t, "left", ids(find(t, c, d{})), []int32{1})
	intact(t, c)
}

func TestDeleteAndCount(t *testing.T) {
	c := open(t).Collection("things")
	ensure(t, c, d{{Key: "even", Value: 1}})
	for i := range 3 * deleteChunk {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "even", Value: i%2 == 0}, {Key: "tags", Value: a{i % 3, i % 5}}})
	}
	count := func(filter any, opts ...options.Lister[options.CountOptions]) int64 {
		n, err := c.CountDocuments(ctx, filter, opts...)
		ok(t, err)
		return n
	}
	equal(t, "all", count(d{}), 3*deleteChunk)
	equal(t, "even", count(d{{Key: "even", Value: true}}), 3*deleteChunk/2)
	equal(t, "limited", count(d{{Key: "even", Value: true}}, options.Count().SetLimit(7)), 7)
	r, err := c.DeleteOne(ctx, d{{Key: "even", Value: true}})
	ok(t, err)
	equal(t, "one", r.DeletedCount, 1)
	r, err = c.DeleteMany(ctx, d{{Key: "even", Value: true}})
	ok(t, err)
	equal(t, "many", r.DeletedCount, 3*deleteChunk/2-1)
	equal(t, "left", count(d{}), 3*deleteChunk/2)
	intact(t, c)
}

func TestContext(t *testing.T) {
	c := open(t).Collection("things")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := c.InsertOne(cancelled, d{{Key: "_id", Value: 1}})
	if !errors.Is(err, context.Canceled) || !errors.Is(c.FindOne(cancelled, d{}).Err(), context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	equal(t, "documents", len(find(t, c, d{})), 0)
}
