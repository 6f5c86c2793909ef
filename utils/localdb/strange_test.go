package localdb

import (
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestStrangeDocuments(t *testing.T) {
	c := open(t).Collection("strange")
	_, err := c.InsertOne(ctx, d{{Key: "_id", Value: 1}, {Key: "_id", Value: 2}})
	refused(t, err, "two fields _id")
	_, err = c.InsertOne(ctx, d{{Key: "x", Value: bson.Binary{Subtype: bson.TypeBinaryBinaryOld, Data: []byte{1}}}})
	refused(t, err, "subtype 2")
	raw, err := bson.Marshal(d{{Key: "x", Value: true}})
	ok(t, err)
	raw[len(raw)-2] = 7
	_, err = c.InsertOne(ctx, bson.Raw(raw))
	refused(t, err, "boolean of 7")
	// The value of x claims to be a string, a document or an array, but is not.
	for kind, bad := range map[byte][]string{2: {"\x00\x00\x00\x00", "\x02\x00\x00\x00ab"},
		3: {"\x08\x00\x00\x00\x02y\x00\x00", "\x06\x00\x00\x00\x00\x00"}, 4: {"\x0a\x00\x00\x00\x7fy\x00ab\x00"}} {
		for _, data := range bad {
			inside := "\x03d\x00" + string(rune(8+len(data))) + "\x00\x00\x00" + string(rune(kind)) + "x\x00" + data + "\x00"
			raw := string(rune(5+len(inside))) + "\x00\x00\x00" + inside + "\x00"
			if _, err := c.InsertOne(ctx, bson.Raw(raw)); err == nil {
				t.Errorf("taken: %q", raw)
			}
			if _, err := c.Find(ctx, bson.Raw(raw)); err == nil {
				t.Errorf("taken as a filter: %q", raw)
			}
		}
	}
	equal(t, "stored", len(find(t, c, d{})), 0)

	insert(t, c, d{{Key: "_id", Value: nil}, {Key: "twice", Value: 1}, {Key: "twice", Value: 2}})
	_, err = c.UpdateOne(ctx, d{}, d{{Key: "$unset", Value: d{{Key: "_id", Value: ""}}}})
	refused(t, err, "immutable field '_id'")
	_, err = c.UpdateOne(ctx, d{}, d{{Key: "$inc", Value: d{{Key: "twice", Value: 10}}}})
	ok(t, err)
	equal(t, "two fields, of which the first counts", text(find(t, c, d{{Key: "twice", Value: 11}})[0]), text(d{{Key: "_id"}, {Key: "twice", Value: int32(11)}, {Key: "twice", Value: int32(2)}}))
	_, err = c.UpdateOne(ctx, d{{Key: "_id.x", Value: 1}}, d{{Key: "$set", Value: d{{Key: "y", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
	refused(t, err, "_id.x")
	_, err = c.Find(ctx, d{}, options.Find().SetSort(map[string]int{"x": 1, "y": 1}))
	refused(t, err, "sort")
	insert(t, c, d{{Key: "_id", Value: 2}, {Key: "n", Value: math.NaN()}})
	equal(t, "below NaN", len(find(t, c, d{{Key: "n", Value: d{{Key: "$lt", Value: math.NaN()}}}})), 0)
}

// FuzzInput feeds the engine arbitrary bytes: it may reject them, but what it accepts it must handle.
// go test ./utils/localdb -fuzz FuzzInput -fuzztime 5m
func FuzzInput(f *testing.F) {
	for _, doc := range []d{
		{{Key: "_id", Value: bson.ObjectID{1}}, {Key: "a", Value: a{1, "x", nil, 2.5, d{{Key: "b", Value: true}}}}, {Key: "b", Value: bson.Binary{Subtype: 2, Data: []byte{1}}}},
		{{Key: "a", Value: d{{Key: "$gt", Value: 1}, {Key: "$not", Value: d{{Key: "$in", Value: a{1, nil}}}}}}, {Key: "$or", Value: a{d{{Key: "b", Value: bson.DateTime(1)}}, d{}}}},
		{{Key: "a", Value: d{{Key: "$elemMatch", Value: d{{Key: "b", Value: d{{Key: "$exists", Value: true}}}}}}}},
		{{Key: "$set", Value: d{{Key: "a.b", Value: int64(1)}}}, {Key: "$push", Value: d{{Key: "b", Value: d{{Key: "$each", Value: a{1}}, {Key: "$slice", Value: -1}}}}}},
		{{Key: "$pull", Value: d{{Key: "a", Value: d{{Key: "b", Value: 1}}}}}, {Key: "$inc", Value: d{{Key: "c", Value: 1}}}, {Key: "$addToSet", Value: d{{Key: "b", Value: 1}}}},
	} {
		raw, err := bson.Marshal(doc)
		ok(f, err)
		f.Add(raw, raw)
	}
	f.Fuzz(func(t *testing.T, stored, asked []byte) {
		doc, err := accept(bson.Raw(stored))
		if err != nil || check(doc, true) != nil {
			doc = emptyDocument
		}
		_ = doc.String()
		_, _, _ = tuples(doc, []column{{Path: "a"}, {Path: "b", Desc: true}})
		if found, err := newFilter(bson.Raw(asked)); err == nil {
			found.match(doc)
		}
		if u, err := newUpdate(bson.Raw(asked)); err == nil {
			if after, err := u.apply(doc, true); err == nil && bson.Raw(after.Data).Validate() != nil {
				t.Errorf("the update made %x", after.Data)
			}
		}
	})
}
