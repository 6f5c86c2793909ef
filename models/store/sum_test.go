package store

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

// shelved is a library with a series, and a function that adds a book with so many pages to it.
func shelved(t *testing.T) (w *library, s series, put func(pages int64, plates int) (book, error), sum func() int64) {
	t.Helper()
	w = newLibrary(t)
	writer := author{ID: bson.NewObjectID(), Name: "a"}
	s = series{ID: bson.NewObjectID(), Title: "s"}
	fatal(t, w.authors.Insert(t.Context(), &writer))
	fatal(t, w.series.Insert(t.Context(), &s))
	put = func(pages int64, plates int) (book, error) {
		b := book{ID: bson.NewObjectID(), Author: writer.ID, Series: s.ID, Pages: pages, Plates: plates}
		return b, w.books.Insert(t.Context(), &b)
	}
	sum = func() int64 {
		t.Helper()
		now, err := w.series.ByID(t.Context(), s.ID)
		fatal(t, err)
		return now.Pages
	}
	return w, s, put, sum
}

func TestASumFollowsItsDocuments(t *testing.T) {
	w, s, put, sum := shelved(t)
	ctx := t.Context()
	for i, step := range []struct {
		do   func(b book) error
		want int64
	}{
		{func(book) error { return nil }, 120},
		{func(b book) error {
			_, err := w.books.Update(ctx, Where("_id", b.ID), bson.D{Set("pages", 300)})
			return err
		}, 320},
		{func(b book) error {
			_, err := w.books.Update(ctx, Where("_id", b.ID), bson.D{Set("plates", 0, "title", "x")})
			return err
		}, 100},
		{func(b book) error {
			_, err := w.books.Update(ctx, Where("_id", b.ID), bson.D{Unset("pages")})
			return err
		}, 20},
		{func(b book) error {
			_, err := w.books.Update(ctx, Where("_id", b.ID), bson.D{Set("visibility", "public")})
			return err
		}, 120},
		{func(b book) error { return w.books.Remove(ctx, b.ID, nil) }, 0},
	} {
		before := sum()
		b, err := put(100, 20)
		fatal(t, err)
		fatal(t, step.do(b))
		if got := sum() - before; got != step.want {
			t.Errorf("step %d: the sum rose by %d, want %d", i, got, step.want)
		}
	}
	now, err := w.series.ByID(ctx, s.ID)
	fatal(t, err)
	if now.BooksCount != 5 {
		t.Errorf("%d books are counted", now.BooksCount)
	}
}

func TestASumStaysWithinItsBound(t *testing.T) {
	w, _, put, sum := shelved(t)
	first, err := put(shelfPages-100, 0)
	fatal(t, err)
	if _, err := put(50, 51); !errors.Is(err, ErrOverMax) || sum() != shelfPages-100 {
		t.Errorf("a page too many: %v, %d pages", err, sum())
	}
	if n, err := w.books.Count(t.Context(), Where("series", first.Series), 0); n != 1 || err != nil {
		t.Errorf("%d books, %v", n, err)
	}
	if _, err := put(50, 50); err != nil || sum() != shelfPages {
		t.Errorf("what just fits: %v, %d pages", err, sum())
	}
	if _, err := put(0, 0); err != nil {
		t.Errorf("what takes nothing: %v", err)
	}
	fatal(t, w.books.Remove(t.Context(), first.ID, nil))
	if _, err := put(shelfPages-100, 0); err != nil {
		t.Errorf("what was given back: %v", err)
	}
	if _, err := w.books.Update(t.Context(), Where("series", first.Series), bson.D{Set("pages", 2*shelfPages)}); w.exact && !errors.Is(err, ErrOverMax) {
		t.Errorf("a change beyond the bound: %v", err)
	}
}

// Many concurrent inserts fill it to the maximum and not beyond.
func TestASumIsNeverExceededAtOnce(t *testing.T) {
	_, _, put, sum := shelved(t)
	var fits, over atomic.Int32
	var all sync.WaitGroup
	for range 25 {
		all.Go(func() {
			_, err := put(90, 10)
			for apperr.Is(err, apperr.Unavailable) { // too many at once for this database
				_, err = put(90, 10)
			}
			switch {
			case err == nil:
				fits.Add(1)
			case errors.Is(err, ErrOverMax):
				over.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if fits.Load() != 10 || over.Load() != 15 || sum() != shelfPages {
		t.Errorf("%d fit, %d did not, %d pages", fits.Load(), over.Load(), sum())
	}
}

// A document that can't be inserted takes nothing, even without transactions.
func TestARefusedDocumentGivesBackItsPart(t *testing.T) {
	w, _, put, sum := shelved(t)
	b, err := put(100, 0)
	fatal(t, err)
	if err := w.books.Insert(t.Context(), &b); !apperr.Is(err, apperr.Conflict) || sum() != 100 {
		t.Errorf("twice the same: %v, %d pages", err, sum())
	}
	b.ID, b.Author = bson.NewObjectID(), bson.NewObjectID()
	if err := w.books.Insert(t.Context(), &b); !apperr.Is(err, apperr.NotFound) || sum() != 100 {
		t.Errorf("nobody's: %v, %d pages", err, sum())
	}
	b.Author, b.Series = bson.NilObjectID, bson.NewObjectID()
	if err := w.books.Insert(t.Context(), &b); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("of a series that is not there: %v", err)
	}
}

// A parent from before this feature gets its sum when it is needed, including what it already has, or by a repair.
func TestASumThatIsNotThereYet(t *testing.T) {
	w, s, put, sum := shelved(t)
	ctx := t.Context()
	var books []book
	for range 3 {
		b, err := put(200, 0)
		fatal(t, err)
		books = append(books, b)
	}
	forget := func() { w.write(t, w.series.kind, s.ID, Unset("pages")) }
	forget()
	_, err := w.books.Update(ctx, Where("_id", books[0].ID), bson.D{Set("pages", 100)})
	fatal(t, err)
	fatal(t, w.books.Remove(ctx, books[1].ID, nil))
	if sum() != 0 {
		t.Errorf("%d pages of a sum that nobody began", sum())
	}
	if _, err := put(800, 0); !errors.Is(err, ErrOverMax) {
		t.Errorf("more than fits beside 300: %v", err)
	}
	if _, err := put(700, 0); err != nil || sum() != shelfPages {
		t.Errorf("what fits beside 300: %v, %d pages", err, sum())
	}
	for _, spoil := range []func(){forget, func() { w.write(t, w.series.kind, s.ID, Set("pages", 7)) }} {
		spoil()
		if _, err := w.Repair(ctx, Repair{Say: t.Logf}); err != nil || sum() != shelfPages {
			t.Errorf("after a repair: %v, %d pages", err, sum())
		}
	}
	w.scans = nil // a repair reads everything
}
