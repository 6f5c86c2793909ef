package models

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/localdb"
)

// emigrant is a closed embedded site with people, open to be read.
func emigrant(t *testing.T) (*localdb.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.db")
	w := place{file: path}.open(t, nil)
	damage(t, w)
	for i := range 40 {
		w.user(t, fmt.Sprint("user", i))
	}
	fatal(t, w.Close(context.Background()))
	source, err := localdb.OpenStill(path)
	fatal(t, err)
	t.Cleanup(func() { fatal(t, source.Close()) })
	return source, path
}

// immigration is an empty MongoDB database with the models, not prepared.
func immigration(t *testing.T) (*world, *copying) {
	t.Helper()
	where := newPlace(t)
	if where.uri == "" {
		t.Skip("MONGODB_URI names no server")
	}
	l := &lax{} // an open that makes no indexes
	w := where.open(t, func(e engine) engine { l.engine = e; return l })
	t.Cleanup(func() { fatal(t, w.Close(context.Background())) })
	l.strict = true
	return w, &copying{db: w.DB, target: l.engine.(server).db, batch: 7, say: func(string, ...any) {}, onBatch: func() {}}
}

func checkCopied(t *testing.T, source *localdb.DB, c *copying) {
	t.Helper()
	ctx := context.Background()
	names, err := source.Names(ctx)
	fatal(t, err)
	if len(names) < 5 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		fatal(t, source.Collection(name).Batches(ctx, 100, func(batch []bson.Raw) error {
			for _, doc := range batch {
				got, err := c.target.Collection(name).FindOne(ctx, bson.D{{Key: "_id", Value: doc.Lookup("_id")}}).Raw()
				if err != nil || !bytes.Equal(got, doc) {
					t.Errorf("%s: %v became %v, %v", name, doc, got, err)
				}
			}
			return nil
		}))
	}
}

func TestMigrationCutOffAfterAnyBatchGoesOn(t *testing.T) {
	source, path := emigrant(t)
	before, err := os.ReadFile(path)
	fatal(t, err)
	w, c := immigration(t)
	c.source = source
	for round := 1; ; round++ {
		ctx, cancel := context.WithCancel(t.Context())
		batches := 0
		c.onBatch = func() {
			if batches++; batches == round {
				cancel()
			}
		}
		_, err := c.run(ctx)
		cancel()
		if err == nil && batches < round {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cut off after %d batches: %v", round, err)
		}
		if round > 100 {
			t.Fatal("it never ends")
		}
	}
	checkCopied(t, source, c)
	// The indexes came with it, and the site works.
	u := User{Username: "alice", Email: "other@example.com", FullName: "Alice", PasswordHash: "hash"}
	if err := w.users.Create(t.Context(), &u); err == nil {
		t.Error("there are two alices")
	}
	bob, err := w.users.ByLogin(t.Context(), "bob@example.com")
	fatal(t, err)
	if posts, _, err := w.posts.List(t.Context(), PostQuery{Owner: bob.ID, Limit: 10}); err != nil || len(posts) != 3 {
		t.Errorf("bob has %d posts, %v", len(posts), err)
	}
	after, err := os.ReadFile(path)
	fatal(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the source was changed")
	}
	// It is not done again over a site that has lived on.
	w.write(t, "users", bob.ID, set("bio", "new"))
	said := ""
	c.say = func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
	copied, err := c.run(t.Context())
	fatal(t, err)
	if copied {
		t.Error("it was copied again")
	}
	if again, err := w.users.ByID(t.Context(), bob.ID); err != nil || again.Bio != "new" || !strings.Contains(said, "already") {
		t.Errorf("again: %v, %v, %q", again.Bio, err, said)
	}
}

func TestMigrationOverwritesNothing(t *testing.T) {
	source, _ := emigrant(t)
	refuse := func(c *copying, texts ...string) {
		t.Helper()
		c.source = source
		_, err := c.run(t.Context())
		for _, text := range texts {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("it says %v, without %q", err, text)
			}
		}
	}
	w, c := immigration(t)
	w.user(t, "somebody")
	refuse(c, "is not empty", "there are users in it", "MONGODB_DATABASE")

	_, c = immigration(t)
	_, err := c.target.Collection(migrations).InsertOne(t.Context(), migration{ID: "site", FirstUser: bson.NewObjectID()})
	fatal(t, err)
	refuse(c, "another site")

	// Cut off, and then one of the two is used.
	for what, use := range map[string]func(w *world){
		"differs": func(w *world) {
			_, err := w.entity("users").UpdateOne(context.Background(), bson.D{{Key: "username", Value: "alice"}}, set("bio", "new"))
			fatal(t, err)
		},
		"documents and the embedded site": func(w *world) { w.user(t, "somebody") },
	} {
		w, c = immigration(t)
		c.source = source
		ctx, cancel := context.WithCancel(t.Context())
		c.say = func(format string, args ...any) {
			if fmt.Sprint(args[0]) == "users" {
				cancel()
			}
		}
		if _, err := c.run(ctx); !errors.Is(err, context.Canceled) {
			// users is the last collection that is copied: cut off before the indexes
			t.Logf("it was done already: %v", err)
		}
		cancel()
		_, err := c.target.Collection(migrations).UpdateOne(t.Context(), bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: "finishedAt", Value: ""}}}})
		fatal(t, err)
		use(w)
		refuse(c, what, "Drop that database")
	}
}

func TestMigrationOfNothing(t *testing.T) {
	_, c := immigration(t)
	path := filepath.Join(t.TempDir(), "empty.db")
	fatal(t, place{file: path}.open(t, nil).Close(context.Background()))
	source, err := localdb.OpenStill(path)
	fatal(t, err)
	defer func() { fatal(t, source.Close()) }()
	c.source = source
	if _, err := c.run(t.Context()); err == nil || !strings.Contains(err.Error(), "no accounts") {
		t.Errorf("it says %v", err)
	}
}
