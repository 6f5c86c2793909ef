package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// However many documents are removed together, only removalsAtOnce removals work at the same time.
func TestRemovalsAreBounded(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	var ids []bson.ObjectID
	for i := range 5 * removalsAtOnce {
		a := author{ID: bson.NewObjectID(), Name: fmt.Sprint(i), Portrait: file(i)}
		fatal(t, w.authors.Insert(ctx, &a))
		w.files.add(0, a.Portrait)
		ids = append(ids, a.ID)
	}
	var working atomic.Int64
	over := make(chan struct{})
	w.files.during = func() {
		working.Add(1)
		defer working.Add(-1)
		<-over
	}
	for _, id := range ids {
		fatal(t, w.authors.Remove(ctx, id, nil))
	}
	eventually(t, "work on all places", func() bool { return working.Load() >= removalsAtOnce })
	time.Sleep(100 * time.Millisecond) // one too many would come now
	if n := working.Load(); n != removalsAtOnce {
		t.Errorf("%d removals work at the same time", n)
	}
	close(over)
	w.WaitRemovals()
	for _, a := range ids {
		if _, err := w.authors.ByID(ctx, a); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("%v is left: %v", a, err)
		}
	}
	for i := range ids {
		if w.files.has(file(i)) {
			t.Errorf("file %d is left", i)
		}
	}
	if jobs, err := w.notedRemovals(ctx); len(jobs) != 0 || err != nil {
		t.Errorf("%d jobs are left (%v)", len(jobs), err)
	}
}

// A removed document disappears from every list and count immediately. Its children, of every kind in the registry, and
// their files are deleted in the background.
func TestRemoveTakesAllThatHangsOnADocument(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	w.files.set(func() { w.files.failing = 1 << 30 }) // nothing is deleted in the background yet
	before := get(t, w.series, saga).BooksCount
	fatal(t, w.authors.Remove(ctx, alice, nil))
	_, err := w.authors.ByID(ctx, alice)
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.authors.Remove(ctx, alice, nil), apperr.NotFound, "")
	fatal(t, w.books.Remove(ctx, single, nil))
	if b := get(t, w.authors, bob); b.BooksCount != 1 {
		t.Errorf("a removed book counts: %d", b.BooksCount)
	}
	w.files.set(func() { w.files.failing = 0 })
	w.WaitRemovals()
	gone := map[string][]bson.ObjectID{"authors": {alice}, "books": {published, draft, single}, "reviews": {praise, answer, anonymous}}
	for _, k := range w.kinds {
		for _, doc := range k.all(t, bson.D{}) {
			if own, _ := doc["_id"].(bson.ObjectID); slices.Contains(gone[k.Name], own) {
				t.Errorf("%s %v is left", k.Name, doc["_id"])
			}
			for _, p := range k.Parents {
				if id, is := doc[p.Field].(bson.ObjectID); is && slices.Contains(gone[p.Kind], id) {
					t.Errorf("%s %v is left, by its %s", k.Name, doc["_id"], p.Field)
				}
			}
			for _, field := range k.Files {
				if name, _ := doc[field].(string); name != "" && !w.files.has(name) {
					t.Errorf("%s of %v is gone", field, doc["_id"])
				}
			}
		}
	}
	if after := get(t, w.series, saga).BooksCount; after != before-1 {
		t.Errorf("the series has %d books, and had %d", after, before)
	}
	want := []string{file(2), file(3), file(13), file(23)}
	w.files.set(func() {
		if len(w.files.there) != len(want) || slices.ContainsFunc(want, func(name string) bool { _, is := w.files.there[name]; return !is }) {
			t.Errorf("the files are %v", w.files.there)
		}
	})
	if w.noted(t) != 0 {
		t.Error("the removal is still noted")
	}
	w.checkWhole(t, "after it")
}

func TestRemoveIsForWhomItsConditionsName(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	before := w.dump(t)
	wantCode(t, w.books.Remove(ctx, published, Where("author", bob)), apperr.NotFound, "")
	wantCode(t, w.books.Remove(ctx, bson.NewObjectID(), nil), apperr.NotFound, "")
	w.WaitRemovals()
	if now := w.dump(t); now != before || w.noted(t) != 0 {
		t.Errorf("%d removals are noted, and this changed: %s", w.noted(t), differences(before, now))
	}
	fatal(t, w.books.Remove(ctx, published, Where("author", alice)))
	wantCode(t, w.books.Remove(ctx, published, Where("author", alice)), apperr.NotFound, "")
	w.WaitRemovals()
	w.checkWhole(t, "after it")
}

// A document that is changed between the read and the mark no longer meets the conditions.
func TestRemoveMeetsItsConditionsWhenItMarks(t *testing.T) {
	var w *library
	armed := false
	w = newPlace(t).open(t, func(e engine) engine {
		return beforeMark{e, func(ctx context.Context) {
			if armed {
				armed = false
				if _, err := w.books.kind.UpdateOne(ctx, Where("_id", his), bson.D{Set("title", "changed")}); err != nil {
					t.Error(err)
				}
			}
		}}
	})
	defer func() { fatal(t, w.Close(context.Background())) }()
	w.stock(t)
	armed = true
	wantCode(t, w.books.Remove(t.Context(), his, Where("title", "")), apperr.NotFound, "")
	w.WaitRemovals()
	get(t, w.books, his)
	w.checkWhole(t, "after it")
}

type beforeMark struct {
	engine
	do func(context.Context)
}

func (b beforeMark) collection(name string) collection {
	return marked{b.engine.collection(name), b.do}
}

type marked struct {
	collection
	do func(context.Context)
}

func (c marked) FindOneAndUpdateRaw(ctx context.Context, f, u any, o ...options.Lister[options.FindOneAndUpdateOptions]) (bson.Raw, error) {
	if _, marks := setsField(u.(bson.D), deletedAt); marks {
		c.do(ctx)
	}
	return c.collection.FindOneAndUpdateRaw(ctx, f, u, o...)
}

// Of two concurrent removals, one succeeds. A star that is removed in the meantime is subtracted once.
func TestRemovalsAndChangesAtOnce(t *testing.T) {
	w := newLibrary(t)
	w.stock(t)
	ctx := context.Background()
	var all sync.WaitGroup
	var mu sync.Mutex
	removed := 0
	for range 4 {
		all.Go(func() {
			err := w.authors.Remove(ctx, alice, nil)
			if err != nil && !apperr.Is(err, apperr.NotFound) {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				removed++
				mu.Unlock()
			}
		})
	}
	for _, b := range []bson.ObjectID{his, single, published} {
		all.Go(func() {
			if err := w.stars.Remove(ctx, alice, b); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := w.stars.Add(ctx, alice, b); err != nil && !apperr.Is(err, apperr.NotFound) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.WaitRemovals()
	if removed != 1 {
		t.Errorf("%d removed it", removed)
	}
	if !w.exact {
		w.repaired(t)
	}
	w.checkWhole(t, "after all")
	if n := len(w.stars.docs.kind.all(t, Where("user", alice))); n != 0 {
		t.Errorf("%d stars are left", n)
	}
}

// More than one batch.
func TestRemovalOfMany(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	for range 2*removeBatch + 5 {
		b := book{ID: bson.NewObjectID(), Author: alice, Series: saga, Visibility: "public"}
		fatal(t, w.books.Insert(ctx, &b))
	}
	for range removeBatch + 5 {
		fatal(t, w.reviews.Insert(ctx, &review{ID: bson.NewObjectID(), Book: his, To: praise}))
	}
	fatal(t, w.reviews.Remove(ctx, praise, nil))
	fatal(t, w.authors.Remove(ctx, alice, nil))
	w.WaitRemovals()
	w.checkWhole(t, "after it")
	if s, b := get(t, w.series, saga), get(t, w.books, his); s.BooksCount != 1 || b.ReviewsCount != 0 {
		t.Errorf("%d books, %d reviews", s.BooksCount, b.ReviewsCount)
	}
}

// Files are deleted before the children: on a full disk they make the room that the rest needs.
func TestFilesGoFirst(t *testing.T) {
	w := newLibrary(t)
	w.stock(t)
	w.files.set(func() { w.files.failing, w.files.deletes = 1<<30, 0 })
	fatal(t, w.books.Remove(t.Context(), his, nil))
	eventually(t, "the third try", func() bool {
		tries := 0
		w.files.set(func() { tries = w.files.deletes })
		return tries >= 3
	})
	if n := len(w.stars.docs.kind.all(t, Where("target", his))); n != 3 {
		t.Errorf("%d stars are left before the files went", n)
	}
	w.files.set(func() { w.files.failing = 0 })
	w.WaitRemovals()
	if w.files.has(file(13)) || w.files.has(file(23)) || len(w.books.kind.all(t, Where("_id", his))) != 0 || w.noted(t) != 0 {
		t.Error("it was not tried again to the end")
	}
	w.checkWhole(t, "after it")
}

// Files that a backup needs don't block a removal: they are deleted later, or after the next start.
func TestHeldFilesGoLater(t *testing.T) {
	ctx, where := context.Background(), newPlace(t)
	w := where.open(t, nil)
	w.stock(t)
	w.files.set(func() { w.files.held = true })
	fatal(t, w.books.Remove(ctx, his, nil))
	fatal(t, w.DeleteFiles(ctx, file(1), "", file(2)))
	eventually(t, "the removal", func() bool { return len(w.books.kind.all(t, Where("_id", his))) == 0 })
	if n := w.noted(t); n != 4 || !w.files.has(file(13)) {
		t.Errorf("%d jobs are noted", n)
	}
	fatal(t, w.Close(ctx)) // ends while the backup needs the files
	w = where.open(t, nil)
	defer func() { fatal(t, w.Close(ctx)) }()
	if n := w.noted(t); n != 4 {
		t.Errorf("after the start, %d jobs are noted", n)
	}
	w.files.set(func() { w.files.held = false })
	w.WaitRemovals()
	for _, name := range []string{file(1), file(2), file(13), file(23)} {
		if w.files.has(name) {
			t.Errorf("%s is left", name)
		}
	}
	if n := w.noted(t); n != 0 || !w.files.has(file(3)) {
		t.Errorf("%d jobs are left", n)
	}
	w.files.set(func() { w.files.held = true })
	fatal(t, w.DeleteFiles(ctx, file(21)))
	w.files.set(func() { w.files.held = false })
	w.WaitRemovals() // without a restart
	if w.files.has(file(21)) || w.noted(t) != 0 {
		t.Error("a file that was held a moment ago is left")
	}
	fatal(t, w.DeleteFiles(ctx, file(3)))
	if w.files.has(file(3)) || w.noted(t) != 0 {
		t.Error("a file that nobody holds does not go at once")
	}
	w.files.set(func() { w.files.failing = 1 })
	if err := w.DeleteFiles(ctx, file(3)); !errors.Is(err, errNoStorage) {
		t.Errorf("a failure is told as %v", err)
	}
}

// What ended with the process is continued by the next one.
func TestRemovalGoesOnAfterTheNextStart(t *testing.T) {
	ctx, where := context.Background(), newPlace(t)
	w := where.open(t, nil)
	w.stock(t)
	w.files.set(func() { w.files.failing = 1 << 30 })
	fatal(t, w.authors.Remove(ctx, alice, nil))
	fatal(t, w.Close(ctx))
	w.files.set(func() { w.files.failing = 0 })
	w = where.open(t, nil)
	defer func() { fatal(t, w.Close(ctx)) }()
	w.WaitRemovals()
	if len(w.authors.kind.all(t, Where("_id", alice))) != 0 || len(w.books.kind.all(t, Where("author", alice))) != 0 || w.files.has(file(1)) || w.noted(t) != 0 {
		t.Error("it did not go on")
	}
	w.checkWhole(t, "after it")
}

// A document that another process inserts while its parent is being removed, having seen it, is removed in the end.
func TestWhatArrivesWithinTheGraceGoesToo(t *testing.T) {
	where := newPlace(t)
	w := where.open(t, nil)
	defer func() { fatal(t, w.Close(context.Background())) }()
	w.stock(t)
	w.grace = 300 * time.Millisecond
	ctx := context.Background()
	fatal(t, w.books.Remove(ctx, his, nil))
	eventually(t, "the first pass", func() bool { return len(w.stars.docs.kind.all(t, Where("target", his))) == 0 && !w.files.has(file(13)) })
	if len(w.books.kind.all(t, Where("_id", his))) != 1 {
		t.Error("it was erased within the grace")
	}
	// As inserted by requests that checked earlier: a leaf that nothing else counts, one that its user counts, and one
	// that is marked first.
	_, err := w.visits.kind.InsertOne(ctx, visit{ID: id(33), Book: his})
	fatal(t, err)
	_, err = w.stars.docs.kind.InsertOne(ctx, Related{ID: id(34), User: carol, Target: his})
	fatal(t, err)
	_, err = w.authors.kind.UpdateOne(ctx, Where("_id", carol), bson.D{Inc("starredCount", 1)})
	fatal(t, err)
	_, err = w.reviews.kind.InsertOne(ctx, review{ID: id(35), Book: his, Author: &carol})
	fatal(t, err)
	w.WaitRemovals()
	for _, k := range []*kind{w.visits.kind, w.stars.docs.kind, w.reviews.kind, w.books.kind} {
		for _, doc := range k.all(t, bson.D{}) {
			if doc["book"] == his || doc["target"] == his || doc["_id"] == his {
				t.Errorf("%s %v is left", k.Name, doc)
			}
		}
	}
	w.checkWhole(t, "after it")
	if w.noted(t) != 0 {
		t.Error("it is still noted")
	}
}

// A process that starts between another one's note of a removal and its mark leaves the note alone, so the removal is
// finished even if the other one dies.
func TestNoteOfARemovalIsKeptUntilItsDocumentIsMarked(t *testing.T) {
	w, ctx := newLibrary(t), context.Background()
	w.stock(t)
	start := func() {
		t.Helper()
		w.files.refuseSweep()
		fatal(t, w.Prepare(ctx)) // as another process does
		w.files.awaitSweep(t)
		w.WaitRemovals()
	}
	job := func(user bson.ObjectID) removal {
		return removal{ID: "authors/" + user.Hex(), Collection: "authors", Document: user, NotedAt: w.Now()}
	}
	fatal(t, w.noteRemoval(ctx, job(alice)))
	start()
	if w.noted(t) != 1 {
		t.Fatal("the note was dropped before the other process could mark the document")
	}
	_, err := w.authors.kind.mark(ctx, Where("_id", alice), bson.ObjectID{})
	fatal(t, err) // and now the other process dies
	start()
	if n := len(w.authors.kind.all(t, bson.D{})); n != 2 || w.noted(t) != 0 {
		t.Errorf("%d authors and %d notes are left", n, w.noted(t))
	}

	fatal(t, w.noteRemoval(ctx, job(bob)))
	w.advance(markedWithin - time.Minute)
	fatal(t, w.noteRemoval(ctx, job(bob))) // a second attempt counts from its own time
	w.advance(2 * time.Minute)
	start()
	if w.noted(t) != 1 {
		t.Error("a note that was made again is old")
	}
	w.advance(markedWithin)
	start()
	if get(t, w.authors, bob); w.noted(t) != 0 {
		t.Error("a note of long ago stays")
	}
	w.checkWhole(t, "after it")
}

// Two processes may note the same removal at the same moment.
func TestRemovalNotedTwiceAtOnce(t *testing.T) {
	w := newPlace(t).open(t, func(e engine) engine { return doubled{e} })
	defer func() { fatal(t, w.Close(context.Background())) }()
	fatal(t, w.noteRemoval(t.Context(), removal{ID: "authors/x", NotedAt: w.Now()}))
}

// doubled is an engine where an upsert races with another one.
type doubled struct{ engine }

func (d doubled) collection(name string) collection {
	return doubledCollection{d.engine.collection(name)}
}

type doubledCollection struct{ collection }

func (doubledCollection) UpdateOne(context.Context, any, any, ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	return nil, mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 11000, Message: "index: _id_ dup key"}}}
}

// The files that no document names are removed at startup and once a day, until the database is closed.
func TestSweepRemovesFilesThatNoDocumentNames(t *testing.T) {
	where := newPlace(t)
	w := where.open(t, nil)
	w.stock(t)
	young, old := file(40), file(41)
	w.files.add(uploadTime-time.Minute, young)
	w.files.add(uploadTime+time.Minute, old)
	for name := range w.files.there {
		if name != young {
			w.files.add(48*time.Hour, name)
		}
	}
	named := len(w.files.there) - 1
	w.sweep(t.Context(), settled(time.Now()))
	w.files.set(func() {
		if _, there := w.files.there[old]; there || len(w.files.there) != named {
			t.Errorf("%d files are left, want %d", len(w.files.there), named)
		}
	})
	fatal(t, w.Close(context.Background()))

	for _, remote := range []bool{true, false} {
		w.files.add(48*time.Hour, old)
		w.files.set(func() {
			w.files.remote, w.files.drafts = remote, []time.Time{time.Now(), time.Now().Add(-48 * time.Hour)}
		})
		w = where.openOnly(t, nil)
		w.files.set(func() { w.files.early = false })
		fatal(t, w.Prepare(t.Context()))
		alone := w.engine.alone()
		w.files.set(func() {
			if alone && len(w.files.drafts) > 0 {
				t.Error("half-written files are there after a start, and nobody else can be writing them")
			}
		})
		eventually(t, "the sweep at the start", func() bool { return !w.files.has(old) })
		fatal(t, w.Close(context.Background())) // returns, although the next sweep is a day away
		if kept := !alone || remote; w.files.has(young) != kept {
			t.Errorf("remote %v: a young file that no document names is there: %v", remote, !kept)
		}
	}
}

func TestCloseEndsWhatRunsInTheBackground(t *testing.T) {
	db, err := Open(t.Context(), Settings{File: filepath.Join(t.TempDir(), "new", "site.db"), Files: newPlace(t).files, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	fatal(t, err)
	fatal(t, db.Prepare(t.Context()))
	ended := false
	db.Background(func(ctx context.Context) { <-ctx.Done(); ended = true })
	fatal(t, db.Close(t.Context()))
	if !ended {
		t.Error("Close returned before it ended")
	}
}
