package models

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// withoutIndexes is an engine on which an older version worked, which wanted
// nothing to be unique.
type withoutIndexes struct{ engine }

func (withoutIndexes) ensureIndexes(context.Context, string, []mongo.IndexModel) error { return nil }

func TestUniqueIndexThatCannotBeMadeNamesWhatClashes(t *testing.T) {
	where, ctx := newPlace(t), context.Background()
	old := where.open(t, func(e engine) engine { return withoutIndexes{e} })
	insert := func(username string, email any) string {
		user := bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "username", Value: username}}
		if email != nil {
			user = append(user, bson.E{Key: "email", Value: email})
		}
		_, err := old.users.users.InsertOne(ctx, user)
		fatal(t, err)
		return user[0].Value.(bson.ObjectID).Hex()
	}
	first := insert("alice", "same@example.com")
	for i := range 1100 { // more than a page
		insert(fmt.Sprint("user", i), fmt.Sprint(i, "@example.com"))
	}
	second := insert("bob", "same@example.com")
	none := []string{insert("carol", nil), insert("dave", bson.Null{})}
	for range 7 {
		none = append(none, insert("", nil)) // these clash in their names too
	}
	fatal(t, old.Close(ctx))

	err := prepareAgain(t, where)
	if err == nil {
		t.Fatal("the index was made over documents that clash")
	}
	t.Log(err)
	for _, text := range []string{"unique index on username of users", `username "": _id ` + strings.Join(none[2:7], ", ") + " and 2 more\n", "start again"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is missing", text)
		}
	}

	// The next fault is told when this one is mended.
	again := where.open(t, func(e engine) engine { return withoutIndexes{e} })
	for i, id := range none[2:] {
		renamed, err := bson.ObjectIDFromHex(id)
		fatal(t, err)
		fatal(t, again.users.change(ctx, bson.D{{Key: "_id", Value: renamed}}, bson.D{{Key: "$set", Value: bson.D{{Key: "username", Value: fmt.Sprint("none", i)}}}}))
	}
	fatal(t, again.Close(ctx))
	err = prepareAgain(t, where)
	if err == nil {
		t.Fatal("the index was made over documents that clash")
	}
	for _, text := range []string{
		"unique index on email of users", `email "same@example.com": _id ` + first + ", " + second + "\n",
		"email null: _id " + strings.Join(none[:5], ", ") + " and 4 more\n",
	} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is missing in %v", text, err)
		}
	}
}

// prepareAgain starts on a place that an older version left.
func prepareAgain(t *testing.T, where place) error {
	t.Helper()
	w := where.open(t, func(e engine) engine { return withoutIndexes{e} })
	w.engine = w.engine.(withoutIndexes).engine
	err := w.Prepare(context.Background())
	fatal(t, w.Close(context.Background()))
	return err
}

func TestClashOfSeveralFieldsTogether(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	e := &entity{Collection: w.engine.collection("things"), name: "things", indexes: indexes(uniqueIndex("a", "b.c"))}
	for i, doc := range []bson.D{{{Key: "a", Value: 1}}, {{Key: "a", Value: 1}, {Key: "b", Value: bson.D{{Key: "c", Value: 2}}}}, {{Key: "a", Value: 1}, {Key: "b", Value: bson.D{{Key: "c", Value: 2}}}}} {
		_, err := e.InsertOne(ctx, append(bson.D{{Key: "_id", Value: fmt.Sprint("id", i)}}, doc...))
		fatal(t, err)
	}
	err := w.makeIndexes(ctx, e)
	if err == nil || !strings.Contains(err.Error(), `"id1", "id2"`) || strings.Contains(err.Error(), "id0") {
		t.Errorf("%v", err)
	}
	_, err = e.DeleteOne(ctx, bson.D{{Key: "_id", Value: "id1"}}, options.DeleteOne())
	fatal(t, err)
	fatal(t, w.makeIndexes(ctx, e))
}
