package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/utils/apperr"
)

type (
	ticket struct { // a leaf; a series has at most three
		ID     bson.ObjectID `bson:"_id"`
		Series bson.ObjectID `bson:"series"`
	}
	panel struct { // a leaf that names several authors
		ID     bson.ObjectID   `bson:"_id"`
		People []bson.ObjectID `bson:"people"`
	}
)

// hall is a library with two more kinds.
type hall struct {
	*library
	tickets *Documents[ticket]
	panels  *Documents[panel]
}

func newHall(t *testing.T) *hall {
	t.Helper()
	w := &hall{library: newPlace(t).openOnly(t, nil)}
	w.tickets = Register[ticket](w.DB, Kind{
		Name: "tickets", Indexes: []mongo.IndexModel{Index("series")},
		Parents: []Parent{{Kind: "series", Field: "series", Counter: "ticketsCount", Max: 3, Full: "Sold out."}},
	})
	w.panels = Register[panel](w.DB, Kind{Name: "panels", Indexes: []mongo.IndexModel{Index("people")}, Lists: []List{{Kind: "authors", Field: "people"}}})
	fatal(t, w.Prepare(t.Context()))
	w.library.files.awaitSweep(t)
	t.Cleanup(func() { fatal(t, w.Close(context.Background())) })
	w.stock(t)
	return w
}

// sold is how many tickets a series counts, and how many it has.
func (w *hall) sold(t *testing.T) string {
	t.Helper()
	var counted int64
	fatal(t, w.kind("series").one(t.Context(), Where("_id", saga), func(raw bson.Raw) error {
		counted, _ = raw.Lookup("ticketsCount").AsInt64OK()
		return nil
	}))
	n, err := w.tickets.Count(t.Context(), Where("series", saga), 0)
	fatal(t, err)
	return fmt.Sprint(counted, " ", n)
}

// A parent never exceeds its maximum, however many documents arrive at once; one that is removed makes room.
func TestACountHasItsBound(t *testing.T) {
	w := newHall(t)
	var sold, refused int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			err := w.tickets.Insert(context.Background(), &ticket{bson.NewObjectID(), saga})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				sold++
			} else if e := apperr.From(err); e.Code == apperr.Conflict && e.Message == "Sold out." {
				refused++
			} else {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := w.sold(t); got != "3 3" || sold != 3 || refused != 7 {
		t.Errorf("it counts and has %s; %d were sold and %d refused", got, sold, refused)
	}
	one, err := w.tickets.One(t.Context(), Where("series", saga))
	fatal(t, err)
	if deleted, err := w.tickets.Delete(t.Context(), Where("_id", one.ID)); !deleted || err != nil {
		t.Errorf("it was not given back: %v", err)
	}
	fatal(t, w.tickets.Insert(t.Context(), &ticket{bson.NewObjectID(), saga}))
	wantCode(t, w.tickets.Insert(t.Context(), &ticket{bson.NewObjectID(), saga}), apperr.Conflict, "")
	if got := w.sold(t); got != "3 3" {
		t.Errorf("it counts and has %s", got)
	}
	wantCode(t, w.tickets.Insert(t.Context(), &ticket{bson.NewObjectID(), bson.NewObjectID()}), apperr.NotFound, "")
	w.checkWhole(t, "a bound")
}

// A removed user disappears from all lists; a document that names nobody else is removed too.
func TestAListLosesWhoGoes(t *testing.T) {
	w, ctx := newHall(t), t.Context()
	both, alone, others := panel{bson.NewObjectID(), []bson.ObjectID{alice, bob}}, panel{bson.NewObjectID(), []bson.ObjectID{bob}}, panel{bson.NewObjectID(), []bson.ObjectID{alice}}
	for _, p := range []panel{both, alone, others} {
		fatal(t, w.panels.Insert(ctx, &p))
	}
	fatal(t, w.authors.Remove(ctx, bob, nil))
	w.WaitRemovals()
	left, err := w.panels.ByIDs(ctx, []bson.ObjectID{both.ID, alone.ID, others.ID})
	fatal(t, err)
	if len(left) != 2 || left[alone.ID] != nil {
		t.Fatalf("left are %v", left)
	}
	for _, id := range []bson.ObjectID{both.ID, others.ID} {
		if !slices.Equal(left[id].People, []bson.ObjectID{alice}) {
			t.Errorf("%v is left of a list", left[id].People)
		}
	}
}

// Put creates one document, however many callers there are, and loses no change.
func TestPut(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	put := func() error {
		return w.notes.Put(context.Background(), Where("key", "k"), bson.D{Inc("n", 1)}, &note{bson.NewObjectID().Hex(), "k", 1})
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if err := put(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	found, err := w.notes.List(ctx, Where("key", "k"), nil, 0)
	if err != nil || len(found) != 1 || found[0].N != 10 {
		t.Errorf("it made %+v, %v", found, err)
	}
	fatal(t, put())
	if one, err := w.notes.One(ctx, Where("key", "k")); err != nil || one.N != 11 || one.ID != found[0].ID {
		t.Errorf("then it is %+v, %v", one, err)
	}
	before := w.dump(t)
	wantCode(t, w.visits.Put(ctx, Where("_id", bson.NewObjectID()), bson.D{Set("x", 1)}, &visit{bson.NewObjectID(), bson.NewObjectID()}), apperr.NotFound, "")
	if now := w.dump(t); now != before {
		t.Errorf("a document without its parent: %s", differences(before, now))
	}
}

// DeleteAll deletes exactly what matches, and refuses kinds that are counted or have children.
func TestDeleteAll(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	fatal(t, w.visits.DeleteAll(ctx, Where("book", his)))
	fatal(t, w.visits.DeleteAll(ctx, Where("book", single)))
	for range 3 {
		fatal(t, w.visits.Insert(ctx, &visit{bson.NewObjectID(), his}))
	}
	kept := visit{bson.NewObjectID(), single}
	fatal(t, w.visits.Insert(ctx, &kept))
	for range 2 {
		fatal(t, w.visits.DeleteAll(ctx, Where("book", his)))
	}
	for id, want := range map[bson.ObjectID]int{his: 0, single: 1} {
		if n, err := w.visits.Count(ctx, Where("book", id), 0); n != want || err != nil {
			t.Errorf("%d visits are left, want %d: %v", n, want, err)
		}
	}
	before := w.dump(t)
	for name, err := range map[string]error{
		"what is counted":         w.stars.docs.DeleteAll(ctx, Where("user", alice)),
		"what others hang on":     w.books.DeleteAll(ctx, Where("_id", his)),
		"what nobody may lose so": w.authors.DeleteAll(ctx, Where("_id", alice)),
	} {
		if err == nil {
			t.Errorf("%s is deleted all at once", name)
		}
	}
	if now := w.dump(t); now != before {
		t.Errorf("it changed something: %s", differences(before, now))
	}
}

// PageOf lists the users who are related to a target, latest first, each once, and nobody who is related to another
// one.
func TestPageOf(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	target := author{ID: bson.NewObjectID(), Name: "target"}
	fatal(t, w.authors.Insert(ctx, &target))
	want := []bson.ObjectID{}
	for i := range 7 {
		fan := author{ID: bson.NewObjectID(), Name: fmt.Sprint("fan ", i)}
		fatal(t, w.authors.Insert(ctx, &fan))
		fatal(t, w.follows.Add(ctx, fan.ID, target.ID))
		fatal(t, w.follows.Add(ctx, fan.ID, alice))
		fatal(t, w.follows.Add(ctx, target.ID, fan.ID)) // the other way round
		want = slices.Insert(want, 0, fan.ID)
	}
	got, p := []bson.ObjectID{}, Paging{Limit: 3}
	for range 4 {
		page, err := w.follows.PageOf(ctx, target.ID, p)
		fatal(t, err)
		got = append(got, Users(page.Items)...)
		if p.After = page.Next; p.After == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("it lists %v, want %v", got, want)
	}
	if page, err := w.follows.PageOf(ctx, bson.NewObjectID(), Paging{}); err != nil || len(page.Items) > 0 || page.Next != "" {
		t.Errorf("of nobody it lists %v, %v", page, err)
	}
}
