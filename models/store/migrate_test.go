package store

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

	"tokentube/utils/apperr"
	"tokentube/utils/localdb"
)

// embeddedPlace is a file, even if the tests run on a MongoDB.
func embeddedPlace(t *testing.T) place {
	t.Helper()
	p := newPlace(t)
	p.uri, p.file = "", filepath.Join(t.TempDir(), "source.db")
	return p
}

// emigrant is a closed embedded site with content, opened for reading.
func emigrant(t *testing.T) (*localdb.DB, string) {
	t.Helper()
	where := embeddedPlace(t)
	w := where.open(t, nil)
	w.damage(t)
	for i := range 40 {
		fatal(t, w.authors.Insert(t.Context(), &author{ID: bson.NewObjectID(), Name: fmt.Sprint("author", i)}))
	}
	fatal(t, w.Close(context.Background()))
	source, err := localdb.OpenStill(where.file)
	fatal(t, err)
	t.Cleanup(func() { fatal(t, source.Close()) })
	return source, where.file
}

// immigration is an empty MongoDB database with the kinds, not prepared.
func immigration(t *testing.T) (*library, *copying) {
	t.Helper()
	if newPlace(t).uri == "" {
		t.Skip("MONGODB_URI names no server")
	}
	w, l := laxLibrary(t)
	l.strict = true
	return w, &copying{db: w.DB, target: l.engine.(*server).db, batch: 7, say: func(string, ...any) {}, onBatch: func() {}}
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
				got, err := c.target.Collection(name).FindOne(ctx, Where("_id", doc.Lookup("_id"))).Raw()
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
	// The indexes were made too, and the site works.
	wantCode(t, w.authors.Insert(t.Context(), &author{ID: bson.NewObjectID(), Name: "alice"}), apperr.Conflict, "name")
	if page, err := w.books.Page(t.Context(), Where("author", bob, "visibility", "public"), Order{"-at", "-_id"}, Paging{}); err != nil || len(page.Items) != 2 {
		t.Errorf("bob has %d books, %v", len(page.Items), err)
	}
	after, err := os.ReadFile(path)
	fatal(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the source was changed")
	}
	// It doesn't run again over a site that has been used since.
	w.write(t, w.authors.kind, bob, Set("portrait", "new"))
	said := ""
	c.say = func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
	copied, err := c.run(t.Context())
	fatal(t, err)
	if copied {
		t.Error("it was copied again")
	}
	if again := get(t, w.authors, bob); again.Portrait != "new" || !strings.Contains(said, "already") {
		t.Errorf("again: %v, %q", again.Portrait, said)
	}
}

func TestMigrationOverwritesNothing(t *testing.T) {
	source, _ := emigrant(t)
	refuse := func(c *copying, texts ...string) {
		t.Helper()
		c.source = source
		_, err := c.run(t.Context())
		wantTexts(t, err, texts...)
	}
	somebody := author{ID: bson.NewObjectID(), Name: "somebody"}
	w, c := immigration(t)
	fatal(t, w.authors.Insert(t.Context(), &somebody))
	refuse(c, "is not empty", "there are authors in it", "MONGODB_DATABASE")

	_, c = immigration(t)
	_, err := c.target.Collection(migrations).InsertOne(t.Context(), migration{ID: "site", First: bson.NewObjectID()})
	fatal(t, err)
	refuse(c, "another site")

	// Interrupted, and then one of the two is used.
	for what, use := range map[string]func(w *library){
		"differs":                         func(w *library) { w.write(t, w.authors.kind, alice, Set("portrait", "new")) },
		"documents and the embedded site": func(w *library) { fatal(t, w.authors.Insert(t.Context(), &somebody)) },
	} {
		w, c = immigration(t)
		c.source = source
		_, err := c.run(t.Context())
		fatal(t, err)
		_, err = c.target.Collection(migrations).UpdateOne(t.Context(), bson.D{}, bson.D{Unset("finishedAt")})
		fatal(t, err)
		use(w)
		refuse(c, what, "Drop that database")
	}
}

func TestMigrationOfNothing(t *testing.T) {
	_, c := immigration(t)
	where := embeddedPlace(t)
	fatal(t, where.open(t, nil).Close(context.Background()))
	source, err := localdb.OpenStill(where.file)
	fatal(t, err)
	defer func() { fatal(t, source.Close()) }()
	c.source = source
	_, err = c.run(t.Context())
	wantTexts(t, err, "no authors")
}

// On the other engine, the two engine-specific commands say so.
func TestCopiesAreOfTheirEngine(t *testing.T) {
	w := newLibrary(t)
	if _, remote := w.engine.(*server); remote {
		_, err := w.Snapshot(t.Context(), t.TempDir())
		wantCode(t, err, apperr.Conflict, "")
		return
	}
	if copied, err := w.CopyFrom(t.Context(), nil, func(string, ...any) {}); copied || err == nil {
		t.Errorf("it was copied into a file: %v", err)
	}
	w.stock(t)
	path, err := w.Snapshot(t.Context(), t.TempDir())
	fatal(t, err)
	again := place{file: path, files: w.files}.open(t, nil)
	if again.dump(t) != w.dump(t) {
		t.Error("the snapshot is not what there was")
	}
	fatal(t, again.Close(t.Context()))
}
