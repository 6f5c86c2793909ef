package localdb

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// thing is a document of one writer: things have slots and names. There are fewer names than slots, and no two of a
// writer's things may share one.
type thing struct {
	Owner, Slot int
	Name        string
	Tags        []int
	N           int
}

// choice is what step n of a writer does. It is determined by the writer and n alone.
type choice struct {
	kind, slot, tag int
	name            string
}

func choose(writer, n int) choice {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, writer, "/", n) // writing to a hash never fails
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	return choice{kind: r.IntN(8), slot: r.IntN(20), tag: r.IntN(6), name: fmt.Sprint(writer, "-", r.IntN(16))}
}

func prepareThings(db *DB) error {
	unnamed := func(keys d) mongo.IndexModel { return mongo.IndexModel{Keys: keys} }
	return errors.Join(
		db.Collection("things").EnsureIndexes(ctx, []mongo.IndexModel{
			unique(d{{Key: "name", Value: 1}}), unique(d{{Key: "owner", Value: 1}, {Key: "slot", Value: -1}}),
			unnamed(d{{Key: "tags", Value: 1}, {Key: "owner", Value: 1}}), unnamed(d{{Key: "owner", Value: 1}, {Key: "n", Value: -1}})}),
		db.Collection("claims").EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "name", Value: 1}})}))
}

// step writes. A duplicate is a result like any other: the step changed nothing.
func step(db *DB, writer, n int) error {
	c, things := choose(writer, n), db.Collection("things")
	at := d{{Key: "owner", Value: writer}, {Key: "slot", Value: c.slot}}
	set := func(op, key string, value any) d { return d{{Key: op, Value: d{{Key: key, Value: value}}}} }
	var err error
	switch c.kind {
	case 0:
		_, err = things.InsertOne(ctx, thing{Owner: writer, Slot: c.slot, Name: c.name, Tags: []int{c.tag, c.tag + 1}})
	case 1:
		_, err = things.UpdateOne(ctx, at, d{{Key: "$setOnInsert", Value: d{{Key: "name", Value: c.name}}}, {Key: "$addToSet", Value: d{{Key: "tags", Value: c.tag}}},
			{Key: "$inc", Value: d{{Key: "n", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
	case 2:
		_, err = things.UpdateOne(ctx, at, set("$inc", "n", 1))
	case 3:
		err = things.FindOneAndUpdate(ctx, at, set("$set", "name", c.name)).Err()
	case 4:
		_, err = things.UpdateMany(ctx, d{{Key: "owner", Value: writer}}, set("$inc", "n", 1))
	case 5:
		_, err = things.UpdateOne(ctx, at, set("$pull", "tags", c.tag))
	case 6:
		_, err = things.DeleteOne(ctx, at)
	case 7:
		err = things.FindOneAndDelete(ctx, append(at, d{{Key: "tags", Value: c.tag}}...)).Err()
	}
	if mongo.IsDuplicateKeyError(err) || errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	return err
}

// apply does to a writer's things, by slot, what the step does to the database.
func apply(things map[int]thing, writer, n int) {
	c := choose(writer, n)
	x, there := things[c.slot]
	taken := false
	for slot, other := range things {
		taken = taken || other.Name == c.name && slot != c.slot
	}
	x.Tags = slices.Clone(x.Tags)
	switch c.kind {
	case 0:
		if !there && !taken {
			things[c.slot] = thing{writer, c.slot, c.name, []int{c.tag, c.tag + 1}, 0}
		}
	case 1:
		if !there && taken {
			return
		}
		if !there {
			x = thing{Owner: writer, Slot: c.slot, Name: c.name}
		}
		if !slices.Contains(x.Tags, c.tag) {
			x.Tags = append(x.Tags, c.tag)
		}
		x.N++
		things[c.slot] = x
	case 2:
		if there {
			x.N++
			things[c.slot] = x
		}
	case 3:
		if there && !taken {
			x.Name = c.name
			things[c.slot] = x
		}
	case 4:
		for slot, other := range things {
			other.N++
			things[slot] = other
		}
	case 5:
		if there {
			x.Tags = slices.DeleteFunc(x.Tags, func(tag int) bool { return tag == c.tag })
			things[c.slot] = x
		}
	case 6:
		delete(things, c.slot)
	case 7:
		if slices.Contains(x.Tags, c.tag) {
			delete(things, c.slot)
		}
	}
}

func thingsOf(t *testing.T, db *DB, writer int) map[int]thing {
	t.Helper()
	cursor, err := db.Collection("things").Find(ctx, d{{Key: "owner", Value: writer}})
	ok(t, err)
	var list []thing
	ok(t, cursor.All(ctx, &list))
	found := map[int]thing{}
	for _, x := range list {
		found[x.Slot] = x
	}
	return found
}

// TestSteps: without a crash, the steps do what the model predicts.
func TestSteps(t *testing.T) {
	db := open(t)
	ok(t, prepareThings(db))
	things := map[int]thing{}
	for n := range 600 {
		ok(t, step(db, 3, n))
		apply(things, 3, n)
	}
	equal(t, "things", fmt.Sprint(thingsOf(t, db, 3)), fmt.Sprint(things))
	ok(t, db.Check(ctx))
}
