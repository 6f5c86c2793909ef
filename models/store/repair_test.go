package store

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func (w *library) write(t *testing.T, k *kind, id any, update ...bson.E) {
	t.Helper()
	result, err := k.UpdateOne(context.Background(), Where("_id", id), bson.D(update))
	fatal(t, err)
	if result.MatchedCount != 1 {
		t.Fatalf("there is no %v in %s", id, k.Name)
	}
}

// damage does everything to a library with content that a crash, a lost note, or manual changes to the database can do.
func (w *library) damage(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	w.stock(t)
	dave, erin := id(6), id(7)
	for n, user := range []bson.ObjectID{dave, erin} {
		fatal(t, w.authors.Insert(ctx, &author{ID: user, Name: fmt.Sprint("more", n)}))
		b := book{ID: id(byte(16 + n)), Author: user, Visibility: "public"}
		fatal(t, w.books.Insert(ctx, &b))
		fatal(t, w.stars.Add(ctx, user, his))
		fatal(t, w.stars.Add(ctx, bob, b.ID))
		fatal(t, w.follows.Add(ctx, user, bob))
		fatal(t, w.reviews.Insert(ctx, &review{ID: id(byte(26 + n)), Book: his, Author: &user}))
		fatal(t, w.visits.Insert(ctx, &visit{ID: id(byte(36 + n)), Book: b.ID}))
	}
	w.write(t, w.authors.kind, dave, Set(deletedAt, w.Now()))   // marked, and its note was lost
	_, err := w.authors.kind.DeleteOne(ctx, Where("_id", erin)) // gone, but only the document itself
	fatal(t, err)
	w.write(t, w.books.kind, his, Set("starsCount", int64(99))) // too many
	w.write(t, w.authors.kind, bob, Unset("booksCount"))        // none
	w.write(t, w.series.kind, saga, Set("booksCount", "many"))  // not a number
	_, err = w.talks.kind.InsertOne(ctx, bson.D{{Key: "_id", Value: id(57)}, {Key: "book", Value: his}, {Key: "state", Value: "gone"}, {Key: "answersCount", Value: int64(0)}, {Key: "cheersCount", Value: int64(0)}})
	fatal(t, err)
	for _, star := range []Related{
		{ID: bson.NewObjectID(), User: bob, Target: bson.NewObjectID()}, // of no target
		{ID: bson.NewObjectID(), User: bson.NewObjectID(), Target: his}, // of no user
	} {
		_, err := w.stars.docs.kind.InsertOne(ctx, star)
		fatal(t, err)
	}
}

func told(said []string, texts ...string) (n int) {
	for _, line := range said {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			n++
		}
	}
	return n
}

func TestRepairMendsAndThenFindsNothing(t *testing.T) {
	w := newLibrary(t)
	w.damage(t)
	done, said := w.repaired(t)
	w.checkWhole(t, "repaired")
	for _, texts := range [][]string{
		{"authors", "its removal had been cut off"},
		{"books", "is not among the authors"},
		{"reviews", "is not among the authors"},
		{"follows", "is not among the authors"},
		{"stars", "target", "is not among the books"},
		{"stars", "user", "is not among the authors"},
		{"talks", "a placeholder on which nothing hangs"},
		{"starsCount is 3, and was"},
		{"booksCount is 2, and was missing"},
		{`booksCount is 2, and was "many"`},
	} {
		if told(said, texts...) == 0 {
			t.Errorf("%q is not in:\n%s", texts, strings.Join(said, "\n"))
		}
	}
	if done.Mended != len(said) || done.Lost != 0 || done.Busy != 0 {
		t.Errorf("%+v, and %d lines", done, len(said))
	}
	if again, said := w.repaired(t); again != (Repaired{}) || len(said) > 0 {
		t.Errorf("the second time: %+v, %q", again, said)
	}
}

// Killed at any of its calls and run again, it ends with everything right.
func TestRepairSurvivesBeingKilledAtAnyCall(t *testing.T) {
	for calls := 1; ; calls += 3 {
		if calls > 1000 {
			t.Fatal("the repair never ends")
		}
		var m *mortal
		w := newPlace(t).open(t, mortalOn(fault{forever: true, reaches: calls%2 == 0}, &m))
		w.damage(t)
		m.arm(calls)
		_, err := w.Repair(t.Context(), Repair{Say: func(string, ...any) {}})
		if m.hit() != (err != nil) {
			t.Fatalf("call %d: %v", calls, err)
		}
		m.disarm()
		w.repaired(t)
		w.checkWhole(t, fmt.Sprint("killed at call ", calls))
		fatal(t, w.Close(context.Background()))
		if !m.hit() {
			return
		}
	}
}

func TestRepairOfFiles(t *testing.T) {
	for _, atOnce := range []int{filesAtOnce, 1} {
		w := newLibrary(t)
		w.stock(t)
		twice, private := file(31), fmt.Sprintf("private/%032x.png", 32)
		gone, old, young := fmt.Sprintf("public/f%031x.png", 3), file(41), file(42)
		w.files.add(48*time.Hour, twice, private, old)
		w.files.add(uploadTime-time.Minute, young)
		w.write(t, w.books.kind, his, Set("cover", private, "scan", twice))
		w.write(t, w.books.kind, single, Set("cover", twice, "scan", twice))
		w.write(t, w.authors.kind, alice, Set("portrait", gone))
		unnamed := []string{old}
		for _, n := range []int{1, 13, 23, 14, 24} { // what they had before
			w.files.add(uploadTime+time.Minute, file(n))
			unnamed = append(unnamed, file(n))
		}
		var said []string
		r := &repair{Repair: Repair{Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}, db: w.DB, before: settled(time.Now()), filesAtOnce: atOnce}
		w.files.set(func() { w.files.drafts = []time.Time{time.Now(), settled(time.Now()).Add(-time.Second)} })
		fatal(t, r.compareFiles(t.Context(), ""))
		fatal(t, r.removeDrafts(t.Context()))
		drafts := 0
		if !w.engine.alone() {
			drafts = 1
		}
		for _, name := range unnamed {
			if w.files.has(name) || told(said, name, "no document names it") != 1 {
				t.Errorf("%d at once: %s is left", atOnce, name)
			}
		}
		for _, name := range []string{twice, private, young, file(2), file(11), file(21)} {
			if !w.files.has(name) {
				t.Errorf("%d at once: %s is gone", atOnce, name)
			}
		}
		if r.Mended != len(unnamed)+drafts || r.Lost != 1 || r.Young != 2 || told(said, "half-written files: removed 1") != drafts || told(said, "authors", alice.Hex(), "portrait is lost", gone) != 1 {
			t.Errorf("%d at once: %+v, %q", atOnce, r.Repaired, said)
		}
	}
}

func TestRepairRemovesDoublesThatKeepAnIndexFromBeingMade(t *testing.T) {
	w, l := laxLibrary(t)
	w.stock(t)
	ctx := t.Context()
	doubles := 0
	for _, star := range w.stars.docs.kind.all(t, Where("user", bob)) {
		for range 2 {
			star["_id"] = bson.NewObjectID()
			_, err := w.stars.docs.kind.InsertOne(ctx, star)
			fatal(t, err)
			doubles++
		}
	}
	l.strict = true
	if err := w.prepareAgain(t); err == nil {
		t.Fatal("the index was made over doubles")
	}
	_, said := w.repaired(t)
	if n := told(said, "stars", "it was there twice"); n != doubles || doubles == 0 {
		t.Errorf("%d doubles were removed, want %d", n, doubles)
	}
	w.checkWhole(t, "after the doubles")
	fatal(t, w.prepareAgain(t))
}

// Two authors with the same name are reported, and neither is removed.
func TestRepairLeavesDoublesThatAreMoreThanARelation(t *testing.T) {
	w, l := laxLibrary(t)
	for range 2 {
		fatal(t, w.authors.Insert(t.Context(), &author{ID: bson.NewObjectID(), Name: "alice"}))
	}
	l.strict = true
	_, err := w.Repair(t.Context(), Repair{Say: func(string, ...any) {}})
	wantTexts(t, err, "of authors cannot be made")
	if n := len(w.authors.kind.all(t, bson.D{})); n != 2 {
		t.Errorf("%d authors are left", n)
	}
}

// A site from an earlier version works as it is, and the next repair drops its obsolete fields.
func TestRepairDropsWhatAnEarlierVersionKept(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	before := w.dump(t)
	for id, old := range map[bson.ObjectID]bson.E{published: Set("shelf", "A1", "oldTags", []string{"x"}), his: Set("oldTags", []bson.ObjectID{id(1)})} {
		_, err := w.books.kind.UpdateOne(ctx, Where("_id", id), bson.D{old})
		fatal(t, err)
	}
	if b, err := w.books.ByID(ctx, published); err != nil || b.Author != alice {
		t.Errorf("%+v, %v", b, err)
	}
	done, said := w.repaired(t)
	if done != (Repaired{Mended: 1}) || told(said, "books", "2 documents") != 1 {
		t.Errorf("%+v, %q", done, said)
	}
	if now := w.dump(t); now != before {
		t.Error(differences(before, now))
	}
	if again, said := w.repaired(t); again != (Repaired{}) {
		t.Errorf("the second time: %+v, %q", again, said)
	}
}

func TestRepairEndsWithItsContext(t *testing.T) {
	w := newLibrary(t)
	w.damage(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Repair(ctx, Repair{Say: func(string, ...any) {}}); err == nil {
		t.Error("it went on")
	}
}

// A count that is wrong for a moment, because a star is just being written, isn't reported.
func TestRepairLeavesCountsThatMove(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	r := &repair{Repair: Repair{Say: func(string, ...any) {}}, db: w.DB}
	counters := w.books.kind.counters()
	c := counters[slices.IndexFunc(counters, func(c counter) bool { return c.field == "starsCount" })]
	value := func(n int64) bson.RawValue {
		kind, data, err := bson.MarshalValue(n)
		fatal(t, err)
		return bson.RawValue{Type: kind, Value: data}
	}
	for _, step := range []struct {
		now, want int64
		busy      int
	}{
		{2, 2, 0}, // it has arrived
		{7, 7, 1}, // it has moved
		{0, 2, 1}, // it stayed wrong
	} {
		w.write(t, w.books.kind, single, Set("starsCount", step.now))
		if step.now == 2 {
			fatal(t, w.stars.Add(ctx, bob, single))
			w.write(t, w.books.kind, single, Set("starsCount", step.now))
		}
		fatal(t, r.correct(ctx, w.books.kind, c, []suspect{{single, value(0), 2}}))
		if b := get(t, w.books, single); b.StarsCount != step.want || r.Busy != step.busy {
			t.Errorf("from %d: %d, busy %d", step.now, b.StarsCount, r.Busy)
		}
	}
	_, err := w.books.kind.DeleteOne(ctx, Where("_id", single))
	fatal(t, err)
	fatal(t, r.correct(ctx, w.books.kind, c, []suspect{{single, value(0), 2}}))
}

// slow is an engine that pauses between a star and its count.
type slow struct{ engine }

type slowCollection struct{ collection }

func (s slow) collection(name string) collection { return slowCollection{s.engine.collection(name)} }

func (c slowCollection) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	if update.(bson.D)[0].Key == "$inc" {
		time.Sleep(5 * time.Millisecond)
	}
	return c.collection.UpdateOne(ctx, filter, update, opts...)
}

// A repair breaks nothing while people add stars.
func TestRepairOfASiteInUse(t *testing.T) {
	w := newPlace(t).open(t, func(e engine) engine { return slow{e} })
	defer func() { fatal(t, w.Close(context.Background())) }()
	w.stock(t)
	books := []bson.ObjectID{published, draft, his, single}
	stop, done := make(chan struct{}), sync.WaitGroup{}
	for i := range 4 {
		done.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				b := books[n%len(books)]
				if err := w.stars.Add(context.Background(), alice, b); err != nil {
					t.Error(err)
				}
				if err := w.stars.Remove(context.Background(), alice, b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	settle := 100 * time.Millisecond
	if !w.Transactions() {
		settle = 2 * time.Second // longer than a busy machine may delay a writer between its two steps
	}
	for range 2 {
		_, err := w.Repair(t.Context(), Repair{Settle: settle, Say: func(string, ...any) {}})
		if err != nil {
			t.Error(err)
		}
	}
	close(stop)
	done.Wait()
	w.checkWhole(t, "after all")
}

// The site warns once of a query without an index. Repair reads everything on purpose.
func TestTheSiteWarnsOfScansAndRepairDoesNot(t *testing.T) {
	var log bytes.Buffer
	ctx, place := context.Background(), newPlace(t)
	open := func() *library {
		db, err := Open(ctx, Settings{File: filepath.Join(filepath.Dir(place.file), "log.db"), Files: place.files, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
		fatal(t, err)
		w := &library{DB: db, files: place.files}
		w.register()
		return w
	}
	warnings := func() int { return strings.Count(log.String(), "a query read a whole collection") }

	site := open()
	fatal(t, site.Prepare(ctx))
	fatal(t, site.authors.Insert(ctx, &author{ID: alice, Name: "alice"}))
	if n := warnings(); n != 0 {
		t.Errorf("%d warnings at the start: %s", n, log.String())
	}
	for range 2 {
		_, err := site.authors.Count(ctx, Where("booksCount", 7), 0)
		fatal(t, err)
	}
	if n := warnings(); n != 1 || !strings.Contains(log.String(), "booksCount") || site.Scans() != 2 {
		t.Errorf("%d warnings of one kind of query: %s", n, log.String())
	}
	fatal(t, site.Close(ctx))

	log.Reset()
	stopped := open()
	_, err := stopped.Repair(ctx, Repair{Say: func(string, ...any) {}})
	fatal(t, err)
	if n := warnings(); n != 0 || stopped.Scans() == 0 {
		t.Errorf("%d warnings of the %d scans of a repair: %s", n, stopped.Scans(), log.String())
	}
	fatal(t, stopped.Close(ctx))
}
