package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// Every kind in the registry can only be inserted if its parents exist.
func TestInsertNeedsEveryParentOfEveryKind(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	there := map[string]bson.ObjectID{"authors": bob, "series": saga, "books": single, "reviews": praise, "talks": asked}
	tried := 0
	for _, k := range w.kinds {
		docs := &Documents[bson.M]{kind: k}
		full := func() bson.M {
			doc := bson.M{"_id": bson.NewObjectID(), "name": "n", "key": "k"}
			for _, c := range k.counters() {
				doc[c.field] = int64(0)
			}
			for _, p := range k.Parents {
				doc[p.Field] = there[p.Kind]
				if p.If.Key != "" {
					doc[p.If.Key] = p.If.Value
				}
			}
			return doc
		}
		for _, p := range k.Parents {
			tried++
			before := w.dump(t)
			doc := full()
			doc[p.Field] = bson.NewObjectID()
			wantCode(t, docs.Insert(ctx, &doc), apperr.NotFound, "")
			if now := w.dump(t); now != before {
				t.Errorf("%s of no %s: %s", k.Name, p.Field, differences(before, now))
			}
			parent := w.kind(p.Kind)
			_, err := parent.UpdateOne(ctx, Where("_id", there[p.Kind]), bson.D{Set(deletedAt, w.Now())})
			fatal(t, err)
			before, doc = w.dump(t), full()
			wantCode(t, docs.Insert(ctx, &doc), apperr.NotFound, "")
			if now := w.dump(t); now != before {
				t.Errorf("%s of a %s that is being removed: %s", k.Name, p.Field, differences(before, now))
			}
			_, err = parent.UpdateOne(ctx, Where("_id", there[p.Kind]), bson.D{Unset(deletedAt)})
			fatal(t, err)
			if k.Name == "stars" || k.Name == "follows" || k.Name == "cheers" {
				continue // a relation is of two
			}
			for _, none := range []any{nil, bson.NilObjectID, "absent"} {
				doc = full()
				doc[p.Field] = none
				if none == "absent" {
					delete(doc, p.Field)
				}
				fatal(t, docs.Insert(ctx, &doc))
			}
		}
		w.checkWhole(t, k.Name)
	}
	if tried < 8 {
		t.Errorf("only %d parents", tried)
	}
}

func TestClashesAreConflictsThatNameTheField(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	wantCode(t, w.authors.Insert(ctx, &author{ID: bson.NewObjectID(), Name: "alice"}), apperr.Conflict, "name")
	wantCode(t, w.notes.Insert(ctx, &note{ID: "b", Key: "a"}), apperr.Conflict, "key")
	_, err := w.authors.Update(ctx, Where("_id", bob), bson.D{Set("name", "alice")})
	wantCode(t, err, apperr.Conflict, "name")
	before := w.dump(t)
	wantCode(t, w.books.Insert(ctx, &book{ID: his, Author: alice, Visibility: "public"}), apperr.Conflict, "")
	if now := w.dump(t); now != before {
		t.Errorf("a clash changed something: %s", differences(before, now))
	}
	for value, want := range map[string]bool{"alice": true, "dave": false} {
		if taken, err := w.authors.Taken(ctx, "name", value); taken != want || err != nil {
			t.Errorf("%s is taken: %v, %v", value, taken, err)
		}
	}
}

func TestDocumentsAreFoundUntilTheyAreRemoved(t *testing.T) {
	w, ctx := newLibrary(t), context.Background()
	w.stock(t)
	if b, err := w.books.One(ctx, Where("author", alice, "visibility", "draft")); err != nil || b.ID != draft {
		t.Errorf("one: %v, %v", b, err)
	}
	found, err := w.books.ByIDs(ctx, []bson.ObjectID{published, his, bson.NewObjectID()})
	if len(found) != 2 || found[his].Author != bob || err != nil {
		t.Errorf("by ids: %v, %v", found, err)
	}
	if none, err := w.books.ByIDs(ctx, nil); len(none) != 0 || err != nil {
		t.Errorf("no ids: %v, %v", none, err)
	}
	_, err = w.books.Update(ctx, Where("_id", bson.NewObjectID()), bson.D{Set("title", "x")})
	wantCode(t, err, apperr.NotFound, "")

	w.files.set(func() { w.files.held = true })
	_, err = w.authors.kind.UpdateOne(ctx, Where("_id", alice), bson.D{Set(deletedAt, w.Now())})
	fatal(t, err)
	_, err = w.authors.ByID(ctx, alice)
	wantCode(t, err, apperr.NotFound, "")
	_, err = w.authors.Cached(ctx, alice)
	wantCode(t, err, apperr.NotFound, "")
	_, err = w.authors.Update(ctx, Where("_id", alice), bson.D{Set("portrait", "x")})
	wantCode(t, err, apperr.NotFound, "")
	fatal(t, w.authors.Add(ctx, alice, "booksCount", 5))
	wantCode(t, w.authors.Remove(ctx, alice, nil), apperr.NotFound, "")
	for what, n := range map[string]func() int{
		"by ids": func() int { m, err := w.authors.ByIDs(ctx, []bson.ObjectID{alice}); fatal(t, err); return len(m) },
		"cached": func() int { m, err := w.authors.CachedByIDs(ctx, []bson.ObjectID{alice}); fatal(t, err); return len(m) },
		"list":   func() int { l, err := w.authors.List(ctx, Where("_id", alice), nil, 0); fatal(t, err); return len(l) },
		"count":  func() int { n, err := w.authors.Count(ctx, Where("_id", alice), 0); fatal(t, err); return n },
		"page": func() int {
			p, err := w.authors.Page(ctx, Where("_id", alice), Order{"_id"}, Paging{})
			fatal(t, err)
			return len(p.Items)
		},
		"all": func() (n int) {
			fatal(t, w.authors.All(ctx, Where("name", "alice"), func(*author) error { n++; return nil }))
			return n
		},
	} {
		if n() != 0 {
			t.Errorf("%s still finds it", what)
		}
	}
	if taken, err := w.authors.Taken(ctx, "name", "alice"); !taken || err != nil {
		t.Errorf("its name is free before it is gone: %v", err)
	}
}

func TestListAndCountAreBounded(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	for limit, want := range map[int]int{0: 3, 1: 1, 2: 2, 5: 3} {
		list, err := w.books.List(ctx, Where("visibility", "public"), Order{"-at", "-_id"}, limit)
		fatal(t, err)
		n, err := w.books.Count(ctx, Where("visibility", "public"), limit)
		if len(list) != want || n != want || err != nil || list[0].ID != single {
			t.Errorf("at most %d: a list of %d, a count of %d, %v", limit, len(list), n, err)
		}
	}
}

func TestAllVisitsEveryDocumentInPages(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	for range walkPage + 10 {
		fatal(t, w.visits.Insert(ctx, &visit{ID: bson.NewObjectID(), Book: single}))
	}
	n, last := 0, bson.NilObjectID
	fatal(t, w.visits.All(ctx, Where("book", single), func(v *visit) error {
		if n++; v.Book != single || v.ID.Hex() <= last.Hex() {
			t.Errorf("%v after %v", v, last)
		}
		last = v.ID
		return nil
	}))
	if n != walkPage+10 {
		t.Errorf("it visited %d", n)
	}
	enough := errors.New("enough")
	if err := w.visits.All(ctx, nil, func(*visit) error { return enough }); err != enough {
		t.Errorf("it ends with %v", err)
	}
}

// Whatever happens concurrently, a count is always the number of what it counts.
func TestUpdateFlipsACountOnce(t *testing.T) {
	w := newLibrary(t)
	w.stock(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 6 {
				to := []string{"public", "draft", "public", "archived"}[(i+j)%4]
				update := bson.D{Set("visibility", to, "title", fmt.Sprint(i, j))}
				if j == 5 {
					update = bson.D{Unset("visibility")}
				}
				if _, err := w.books.Update(context.Background(), Where("_id", published), update); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.checkWhole(t, "after all")
	for _, to := range []string{"public", "public", "draft", "draft", "public"} {
		b, err := w.books.Update(t.Context(), Where("_id", published), bson.D{Set("visibility", &to)})
		if err != nil || b.Visibility != to || b.ID != published {
			t.Errorf("it returns %+v, %v", b, err)
		}
		w.checkWhole(t, "to "+to)
	}
	b, err := w.books.Update(t.Context(), Where("_id", published), bson.D{Unset("visibility")})
	if err != nil || b.Visibility != "" {
		t.Errorf("it returns %+v, %v", b, err)
	}
	w.checkWhole(t, "without a visibility")
}

func TestMisuseIsRefused(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	before := w.dump(t)
	_, moved := w.books.Update(ctx, Where("_id", published), bson.D{Set("title", "x", "author", bob)})
	_, deleted := w.books.Delete(ctx, Where("_id", published))
	for what, err := range map[string]error{
		"an update moves a document":            moved,
		"a document with others on it is gone":  deleted,
		"a leaf is removed":                     w.visits.Remove(ctx, id(31), nil),
		"an upsert makes a child":               w.visits.Upsert(ctx, Where("_id", id(40)), bson.D{Set("book", his)}),
		"an upsert changes what copies are of":  w.authors.Upsert(ctx, Where("_id", id(40)), bson.D{Set("name", "x")}),
		"a page in no order that there is":      pageError(w, Paging{After: "x"}),
		"a relation of nobody":                  w.stars.Add(ctx, bson.NewObjectID(), his),
		"a relation to nothing":                 w.stars.Add(ctx, bob, bson.NewObjectID()),
		"a document that is no document at all": (&Documents[int]{kind: w.notes.kind}).Insert(ctx, new(int)),
	} {
		if err == nil {
			t.Error(what)
		}
	}
	if now := w.dump(t); now != before {
		t.Errorf("something changed: %s", differences(before, now))
	}
	defer func() {
		if recover() == nil {
			t.Error("a kind that nobody registered is there")
		}
	}()
	w.kind("films")
}

func pageError(w *library, p Paging) error {
	_, err := w.books.Page(context.Background(), Where("visibility", "public"), Order{"-_id"}, p)
	return err
}

func TestUpsertAndAdd(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	for range 3 {
		fatal(t, w.notes.Upsert(ctx, Where("_id", "a"), bson.D{Set("key", "k"), Inc("n", 2)}))
	}
	wantCode(t, w.notes.Upsert(ctx, Where("_id", "b"), bson.D{Set("key", "k")}), apperr.Conflict, "key")
	fatal(t, w.notes.Add(ctx, "a", "n", 10))
	fatal(t, w.notes.Add(ctx, "none", "n", 10))
	all, err := w.notes.List(ctx, Where("_id", "a"), nil, 0)
	if err != nil || len(all) != 1 || all[0].N != 16 || len(w.notes.kind.all(t, bson.D{})) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

// A cached copy is as new as the last change in this process, whichever method made it.
func TestCachesForgetWhatChanges(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"update", func() error {
			_, err := w.authors.Update(ctx, Where("_id", bob), bson.D{Set("portrait", "new")})
			return err
		}},
		{"add", func() error { return w.authors.Add(ctx, bob, "booksCount", 0) }},
		{"a child inserted", func() error { return w.stars.Add(ctx, bob, single) }},
		{"a child removed", func() error { return w.stars.Remove(ctx, bob, single) }},
	} {
		before, err := w.authors.Cached(ctx, bob)
		fatal(t, err)
		if again, _ := w.authors.Cached(ctx, bob); again != before {
			t.Fatal("there is no cache")
		}
		both, err := w.authors.CachedByIDs(ctx, []bson.ObjectID{bob, carol, bob, bson.NewObjectID()})
		if len(both) != 2 || both[bob] != before || err != nil {
			t.Errorf("by ids: %v, %v", both, err)
		}
		fatal(t, c.do())
		if after, err := w.authors.Cached(ctx, bob); err != nil || after == before {
			t.Errorf("%s: the old copy is served, %v", c.name, err)
		}
	}
	_, err := w.authors.Cached(ctx, alice)
	fatal(t, err)
	fatal(t, w.authors.Remove(ctx, alice, nil))
	_, err = w.authors.Cached(ctx, alice)
	wantCode(t, err, apperr.NotFound, "")
}

// A change by another process is visible once the copy expires.
func TestCachesAgeOut(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	_, err := w.authors.Cached(ctx, bob)
	fatal(t, err)
	_, err = w.authors.kind.UpdateOne(ctx, Where("_id", bob), bson.D{Set("name", "robert")})
	fatal(t, err)
	w.advance(CachedFor - 1)
	if b, err := w.authors.Cached(ctx, bob); err != nil || b.Name != "bob" {
		t.Errorf("it is loaded each time: %v, %v", b, err)
	}
	w.advance(1)
	if b, err := w.authors.Cached(ctx, bob); err != nil || b.Name != "robert" {
		t.Errorf("it stays old: %v, %v", b, err)
	}
}

var errOnPurpose = errors.New("on purpose")

func TestAtomically(t *testing.T) {
	w, ctx := newLibrary(t), context.Background()
	w.stock(t)
	if !w.exact {
		t.Skip("this MongoDB has no transactions")
	}
	both := func(ctx context.Context) error {
		fatal(t, w.books.Insert(ctx, &book{ID: id(15), Author: bob, Visibility: "public"}))
		return w.stars.Add(ctx, carol, id(15))
	}
	before := w.dump(t)
	for name, do := range map[string]func(context.Context) error{
		"fails": func(ctx context.Context) error { fatal(t, both(ctx)); return errOnPurpose },
		"fails in an inner one": func(ctx context.Context) error {
			fatal(t, both(ctx))
			return w.Atomically(ctx, func(ctx context.Context) error {
				fatal(t, w.notes.Insert(ctx, &note{ID: "z", Key: "z"}))
				return errOnPurpose
			})
		},
	} {
		if err := w.Atomically(ctx, do); !errors.Is(err, errOnPurpose) || InDoubt(err) {
			t.Errorf("%s: %v", name, err)
		}
		if now := w.dump(t); now != before {
			t.Errorf("%s: %s", name, differences(before, now))
		}
	}
	// Errors are of our own type, inside and outside.
	err := w.Atomically(ctx, func(ctx context.Context) error {
		fatal(t, both(ctx))
		err := w.notes.Insert(ctx, &note{ID: "b", Key: "a"})
		wantCode(t, err, apperr.Conflict, "key")
		err = w.Atomically(ctx, func(context.Context) error { return mongo.ErrNoDocuments })
		wantCode(t, err, apperr.NotFound, "")
		return nil // the conflict rolls it all back anyway
	})
	if err == nil {
		t.Error("a write failed, and it was committed")
	}
	if now := w.dump(t); now != before {
		t.Errorf("after a clash: %s", differences(before, now))
	}
	// Reads inside see what was written there; others see it afterwards.
	fatal(t, w.Atomically(ctx, func(inner context.Context) error {
		fatal(t, both(inner))
		if b := mustBe(t)(w.books.ByID(inner, id(15))); b.StarsCount != 1 {
			t.Errorf("inside, %d stars", b.StarsCount)
		}
		return nil
	}))
	get(t, w.books, id(15))
	w.checkWhole(t, "after all")
}

func mustBe(t *testing.T) func(*book, error) *book {
	return func(b *book, err error) *book { fatal(t, err); return b }
}

// A relation, a combined event and so on may find that they already exist. In a larger change, that must not roll back
// the rest.
func TestRelationThatIsThereIsAddedInsideALargerChange(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	fatal(t, w.Atomically(ctx, func(ctx context.Context) error {
		if err := w.stars.Add(ctx, bob, published); err != nil { // already exists
			return err
		}
		if err := w.stars.Add(ctx, bob, single); err != nil {
			return err
		}
		return w.stars.Add(ctx, bob, single)
	}))
	w.checkWhole(t, "after all")
	if b := get(t, w.books, single); b.StarsCount != 2 {
		t.Errorf("%d stars", b.StarsCount)
	}
}

// Observers learn of a change when it is over, once, however it ended. If somebody fills a cache in between with the
// old state, it must not stay there.
func TestWhatFollowsAChangeComesAfterIt(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	for name, result := range map[string]error{"committed": nil, "undone": errOnPurpose} {
		before, err := w.authors.Cached(ctx, bob)
		fatal(t, err)
		ran, heard, ended := 0, 0, false
		err = w.Atomically(ctx, func(inner context.Context) error {
			ran++
			_, err := w.authors.Update(inner, Where("_id", bob), bson.D{Set("portrait", name)})
			fatal(t, err)
			After(inner, func() {
				if heard++; !ended {
					t.Error("it came before the end")
				}
			})
			if name := readFrom(t, w, inner, ctx); name != before.Portrait && w.exact {
				t.Errorf("another reader sees %q before the commit", name)
			}
			ended = true
			return result
		})
		if !errors.Is(err, result) || ran != 1 || heard != 1 {
			t.Errorf("%s: %v, run %d times, heard of %d times", name, err, ran, heard)
		}
		want := name
		if result != nil && w.exact {
			want = before.Portrait
		}
		if b, err := w.authors.Cached(ctx, bob); err != nil || b.Portrait != want {
			t.Errorf("%s: the cache has %v, %v", name, b, err)
		}
	}
	called := false
	After(ctx, func() { called = true })
	if !called {
		t.Error("outside, it is never called")
	}
}

// readFrom fills the cache as another request does, and returns what it saw. The wire server doesn't allow reads next
// to an open transaction, so the read is only tried on the embedded engine.
func readFrom(t *testing.T, w *library, inner, outer context.Context) string {
	t.Helper()
	if _, ours := w.engine.(embedded); !ours {
		b, err := w.authors.Cached(inner, carol) // doesn't touch the cache
		fatal(t, err)
		if _, err := w.authors.cache.Get(carol, func() (*author, error) { return nil, errOnPurpose }); err != errOnPurpose {
			t.Errorf("what %s is inside was put into the cache", b.Name)
		}
		kept, err := w.authors.cache.Get(bob, func() (*author, error) { return nil, errOnPurpose })
		fatal(t, err)
		return kept.Portrait
	}
	w.authors.cache.Drop(bob)
	b, err := w.authors.Cached(outer, bob)
	fatal(t, err)
	return b.Portrait
}

func TestAtomicallyPassesTheCache(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	_ = w.Atomically(ctx, func(inner context.Context) error {
		_, err := w.authors.Update(inner, Where("_id", bob), bson.D{Set("portrait", "mine")})
		fatal(t, err)
		one, err := w.authors.Cached(inner, bob)
		fatal(t, err)
		several, err := w.authors.CachedByIDs(inner, []bson.ObjectID{bob, carol})
		fatal(t, err)
		if one.Portrait != "mine" || several[bob].Portrait != "mine" || len(several) != 2 {
			t.Errorf("inside, it is %v and %v", one, several[bob])
		}
		for _, who := range []bson.ObjectID{bob, carol} {
			if kept, err := w.authors.cache.Get(who, func() (*author, error) { return nil, errOnPurpose }); err != errOnPurpose {
				t.Errorf("%v was put into the cache", kept)
			}
		}
		return errOnPurpose
	})
}

// A write in the same commit that fails doesn't cause observable repetition for the caller; if the engine runs the
// function again, what the first run left behind is discarded.
func TestAfterIsForgottenWhenAChangeRunsAgain(t *testing.T) {
	w := newPlace(t).openOnly(t, func(e engine) engine { return twice{e} })
	defer func() { fatal(t, w.Close(context.Background())) }()
	var runs, hooks atomic.Int32
	fatal(t, w.Atomically(t.Context(), func(ctx context.Context) error {
		runs.Add(1)
		After(ctx, func() { hooks.Add(1) })
		return nil
	}))
	if runs.Load() != 2 || hooks.Load() != 1 {
		t.Errorf("%d runs, %d calls", runs.Load(), hooks.Load())
	}
}

// twice is an engine that runs every change again.
type twice struct{ engine }

func (e twice) atomically(ctx context.Context, do func(context.Context) error) error {
	_ = e.engine.atomically(ctx, func(ctx context.Context) error { return errors.Join(do(ctx), errOnPurpose) })
	return e.engine.atomically(ctx, do)
}

func TestRelation(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	several := func(do func(context.Context, bson.ObjectID, bson.ObjectID) error, user, target bson.ObjectID) {
		t.Helper()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := do(context.Background(), user, target); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.checkWhole(t, "after eight at once")
	}
	several(w.stars.Add, bob, single)
	if b := get(t, w.books, single); b.StarsCount != 2 {
		t.Errorf("%d stars", b.StarsCount)
	}
	several(w.stars.Remove, alice, single)
	several(w.follows.Add, carol, carol)
	several(w.follows.Remove, carol, carol)
	fatal(t, w.stars.Remove(ctx, bson.NewObjectID(), single))
	of, err := w.stars.Of(ctx, bob, []bson.ObjectID{published, draft, his, single, bson.NewObjectID()})
	if err != nil || len(of) != 3 || !of[published] || !of[his] || !of[single] {
		t.Errorf("of bob: %v, %v", of, err)
	}
	for name, c := range map[string]struct {
		user    bson.ObjectID
		targets []bson.ObjectID
	}{"nobody": {bson.NilObjectID, []bson.ObjectID{his}}, "nothing": {bob, nil}} {
		if of, err := w.stars.Of(ctx, c.user, c.targets); len(of) != 0 || err != nil {
			t.Errorf("of %s: %v, %v", name, of, err)
		}
	}
	var got []bson.ObjectID
	for p := (Paging{Limit: 2}); ; {
		page, err := w.stars.Page(ctx, bob, p)
		fatal(t, err)
		got = append(got, Targets(page.Items)...)
		if p.After = page.Next; p.After == "" {
			break
		}
	}
	if len(got) != 3 || got[0] != single || !slices.Contains(got, his) || !slices.Contains(got, published) {
		t.Errorf("bob's stars, the latest first: %v", got)
	}
}

// If two writers compete without transactions, or the database refuses the second, the first one counts.
func TestOfTwoRelationsAtOnceOneIsCounted(t *testing.T) {
	var w *library
	racing := false
	w = newPlace(t).open(t, func(e engine) engine {
		return hooked{e, func(name string) {
			if racing && name == "stars" { // the other one comes between the read and the insert
				racing = false
				_, err := w.stars.docs.kind.InsertOne(context.Background(), Related{ID: bson.NewObjectID(), User: bob, Target: single})
				if err != nil {
					t.Error(err)
				}
			}
		}}
	})
	defer func() { fatal(t, w.Close(context.Background())) }()
	if w.exact {
		t.Skip("nothing comes in between in a transaction")
	}
	w.stock(t)
	racing = true
	fatal(t, w.stars.Add(t.Context(), bob, single))
	if n := len(w.stars.docs.kind.all(t, Where("user", bob, "target", single))); n != 1 || racing {
		t.Errorf("it is there %d times", n)
	}
}

// hooked is an engine that calls a hook before an insert.
type hooked struct {
	engine
	before func(name string)
}

func (h hooked) collection(name string) collection {
	return hookedCollection{h.engine.collection(name), func() { h.before(name) }}
}

type hookedCollection struct {
	collection
	before func()
}

func (c hookedCollection) InsertOne(ctx context.Context, doc any, o ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	c.before()
	return c.collection.InsertOne(ctx, doc, o...)
}

func TestIDs(t *testing.T) {
	want := bson.NewObjectID()
	if got, err := ParseID(want.Hex()); got != want || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "x", strings.Repeat("g", 24), want.Hex() + "0"} {
		_, err := ParseID(bad)
		wantCode(t, err, apperr.NotFound, "")
	}
}
