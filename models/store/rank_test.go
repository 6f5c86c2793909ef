package store

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

func TestNumberedPaging(t *testing.T) {
	number := func(n int) *int { return &n }
	for n, right := range map[int]bool{1: true, 10: true, 0: false, -1: false, 11: false} {
		p, err := NewPaging("", nil, number(n))
		if !right {
			wantCode(t, err, apperr.Invalid, "page")
		} else if err != nil || p.Number != n || p.Reach() != 10*DefaultLimit {
			t.Errorf("%d: %+v, %v", n, p, err)
		}
	}
	_, err := NewPaging("cursor", nil, number(1))
	wantCode(t, err, apperr.Invalid, "page")
}

// A list computed in memory, and one read from many ranges, have the same pages as one from the database.
func TestRankAndPageInAreLikePage(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	authors := make([]bson.ObjectID, 3*spansAtOnce-7)
	for i := range authors {
		authors[i] = bson.NewObjectID()
	}
	var all []*book
	for i := range 17 {
		if i%3 == 0 {
			w.advance(time.Minute)
		}
		name := bson.NewObjectID().Hex()
		a := author{ID: authors[i*31], Name: name}
		fatal(t, w.authors.Insert(ctx, &a))
		b := &book{ID: bson.NewObjectID(), Author: a.ID, Visibility: "public", At: w.Now()}
		fatal(t, w.books.Insert(ctx, b))
		all = append(all, b)
	}
	public := Where("visibility", "public")
	for _, by := range []Order{{"-at", "-_id"}, {"at", "_id"}} {
		for limit := 1; limit <= 18; limit++ {
			for p := (Paging{Limit: limit}); ; {
				want, err := w.books.Page(ctx, public, by, p)
				fatal(t, err)
				in, err := w.books.PageIn(ctx, "author", authors, public, by, p)
				fatal(t, err)
				ranked, err := Rank(all, by, func(b *book) bson.D { return bson.D{{Key: "at", Value: b.At}, {Key: "_id", Value: b.ID}} }, p)
				fatal(t, err)
				for name, got := range map[string]Page[*book]{"PageIn": in, "Rank": ranked} {
					if got.Next != want.Next || !slices.Equal(booksOf(got), booksOf(want)) {
						t.Fatalf("%s by %v, %+v: %v, want %v", name, by, p, got, want)
					}
				}
				if ranked.Total != len(all) {
					t.Errorf("%d in all", ranked.Total)
				}
				if p.After = want.Next; p.After == "" {
					break
				}
			}
			for number := 1; number <= MaxNumber; number++ {
				p := Paging{Limit: limit, Number: number}
				want, err := w.books.Page(ctx, public, by, p)
				fatal(t, err)
				in, err := w.books.PageIn(ctx, "author", authors, public, by, p)
				fatal(t, err)
				ranked, err := Rank(all, by, func(b *book) bson.D { return fieldsOf(b, by) }, p)
				fatal(t, err)
				from, to := min((number-1)*limit, len(all)), min(number*limit, len(all))
				if len(want.Items) != to-from || (want.Next != "") != (to < len(all)) {
					t.Errorf("page %d of %d has %d", number, limit, len(want.Items))
				}
				if !slices.Equal(booksOf(in), booksOf(want)) || in.Next != want.Next || !slices.Equal(booksOf(ranked), booksOf(want)) || ranked.Next != want.Next {
					t.Errorf("page %d of %d differs", number, limit)
				}
			}
		}
		for _, after := range []string{"x", encoded(t, bson.D{{Key: "at", Value: "text"}, {Key: "_id", Value: authors[0]}})} {
			_, err := Rank(all, by, func(b *book) bson.D { return fieldsOf(b, by) }, Paging{After: after})
			wantCode(t, err, apperr.Invalid, "after")
			_, err = w.books.PageIn(ctx, "author", authors, public, by, Paging{After: after})
			wantCode(t, err, apperr.Invalid, "after")
		}
	}
}

func booksOf(p Page[*book]) (ids []bson.ObjectID) {
	for _, b := range p.Items {
		ids = append(ids, b.ID)
	}
	return ids
}

func TestCursorsCompareNumbersOfAllTypes(t *testing.T) {
	by := Order{"n", "_id"}
	at := func(n any) cursor { return cursorOf(bson.D{{Key: "n", Value: n}, {Key: "_id", Value: saga}}) }
	for _, c := range []struct {
		a, b any
		want int
	}{{int32(1), int64(2), -1}, {2.5, int64(2), 1}, {int64(3), 3.0, 0}, {int64(-1), 0.5, -1}} {
		if got := at(c.a).compare(at(c.b), by); got != c.want {
			t.Errorf("%v and %v: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := at(c.a).compare(at(c.b), by.Reversed()); got != -c.want {
			t.Errorf("%v and %v, reversed: %d", c.a, c.b, got)
		}
	}
}
