package store

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

func TestNewPaging(t *testing.T) {
	limit := func(n int) *int { return &n }
	for _, c := range []struct {
		limit *int
		want  int // 0: refused
	}{{nil, DefaultLimit}, {limit(1), 1}, {limit(20), 20}, {limit(100), 100}, {limit(101), 100}, {limit(1 << 40), 100}, {limit(0), 0}, {limit(-1), 0}} {
		p, err := NewPaging("cursor", c.limit, nil)
		if c.want == 0 {
			wantCode(t, err, apperr.Invalid, "limit")
			continue
		}
		if err != nil || p.Limit != c.want || p.After != "cursor" {
			t.Errorf("%d: %+v, %v", c.want, p, err)
		}
	}
}

func TestOrderReversed(t *testing.T) {
	o := Order{"-at", "name", "-_id"}
	if got := o.Reversed(); !slices.Equal(got, Order{"at", "-name", "_id"}) || !slices.Equal(got.Reversed(), o) {
		t.Errorf("%v", got)
	}
}

// Every document is on exactly one page, in order, whatever the page size.
func TestPagesHoldEveryDocumentOnce(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	const n = 13
	var wanted []bson.ObjectID
	for i := range n {
		if i%4 == 0 {
			w.advance(time.Minute) // four documents share each moment
		}
		b := book{ID: bson.NewObjectID(), Author: carol, Visibility: "public", At: w.Now()}
		fatal(t, w.books.Insert(ctx, &b))
		wanted = append(wanted, b.ID)
		fatal(t, w.books.Insert(ctx, &book{ID: bson.NewObjectID(), Author: carol, Visibility: "draft", At: w.Now()}))
	}
	// One more is marked as removed, and is on no page.
	fatal(t, w.books.Insert(ctx, &book{ID: id(60), Author: carol, Visibility: "public", At: w.Now()}))
	_, err := w.books.kind.UpdateOne(ctx, Where("_id", id(60)), bson.D{Set(deletedAt, w.Now())})
	fatal(t, err)
	for _, by := range []Order{{"-at", "-_id"}, {"at", "_id"}} {
		want := slices.Clone(wanted)
		if by[0][0] == '-' {
			slices.Reverse(want)
		}
		for limit := 1; limit <= n+1; limit++ {
			if got := allPages(t, w, Where("author", carol, "visibility", "public"), by, limit); !slices.Equal(got, want) {
				t.Errorf("by %v, pages of %d: %v, want %v", by, limit, got, want)
			}
		}
	}
	for range 2 * DefaultLimit {
		fatal(t, w.books.Insert(ctx, &book{ID: bson.NewObjectID(), Author: carol, Series: saga}))
	}
	inSeries, err := w.books.List(ctx, Where("series", saga), Order{"-_id"}, 0)
	fatal(t, err)
	var want []bson.ObjectID
	for _, b := range inSeries {
		want = append(want, b.ID)
	}
	for _, limit := range []int{0, 1, 7, len(want) - 1, len(want), len(want) + 1} {
		if got := allPages(t, w, Where("series", saga), Order{"-_id"}, limit); !slices.Equal(got, want) {
			t.Errorf("by id, pages of %d: %v, want %v", limit, got, want)
		}
		reversed := slices.Clone(want)
		slices.Reverse(reversed)
		if got := allPages(t, w, Where("series", saga), Order{"_id"}, limit); !slices.Equal(got, reversed) {
			t.Errorf("by id upwards, pages of %d: %v, want %v", limit, got, reversed)
		}
	}
}

func allPages(t *testing.T, w *library, filter bson.D, by Order, limit int) (ids []bson.ObjectID) {
	t.Helper()
	for p := (Paging{Limit: limit}); ; {
		page, err := w.books.Page(t.Context(), filter, by, p)
		fatal(t, err)
		if limit == 0 {
			limit = DefaultLimit
		}
		if len(page.Items) > limit || page.Next != "" && len(page.Items) < limit || len(ids) > 1000 {
			t.Fatalf("a page of %d, the next is %q", len(page.Items), page.Next)
		}
		for _, b := range page.Items {
			ids = append(ids, b.ID)
		}
		if p.After = page.Next; p.After == "" {
			return ids
		}
	}
}

// A page that starts after a document still starts there when the document is gone.
func TestPageAfterADocumentThatIsGone(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	by := Order{"-at", "-_id"}
	first, err := w.books.Page(ctx, Where("visibility", "public"), by, Paging{Limit: 1})
	fatal(t, err)
	fatal(t, w.books.Remove(ctx, first.Items[0].ID, nil))
	w.WaitRemovals()
	second, err := w.books.Page(ctx, Where("visibility", "public"), by, Paging{Limit: 1, After: first.Next})
	if err != nil || len(second.Items) != 1 || second.Items[0].ID != his {
		t.Errorf("%v, %v", second, err)
	}
}

func encoded(t *testing.T, doc any) string {
	t.Helper()
	raw, err := bson.Marshal(doc)
	fatal(t, err)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// A cursor is untrusted input: only one of the same list is accepted, and nothing in it is read as an operator.
func TestForeignCursorsAreRefused(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	at, last := bson.NewDateTimeFromTime(w.Now()), bson.NewObjectID()
	by, filter := Order{"-at", "-_id"}, Where("visibility", "public")
	good := encoded(t, Where("at", at, "_id", last))
	if _, err := w.books.Page(ctx, filter, by, Paging{After: good}); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	tampered := []byte(good)
	tampered[5] ^= 1
	for name, after := range map[string]string{
		"no base64":             "not base64!",
		"no document":           base64.RawURLEncoding.EncodeToString([]byte("hello, this is text")),
		"padded":                good + "==",
		"cut off":               good[:len(good)-4],
		"with more behind":      good + "AAAA",
		"tampered":              string(tampered),
		"empty":                 encoded(t, bson.D{}),
		"of another order":      encoded(t, Where("_id", last)),
		"of another field":      encoded(t, Where("name", at, "_id", last)),
		"in the wrong order":    encoded(t, Where("_id", last, "at", at)),
		"too long":              encoded(t, Where("at", at, "_id", last, "x", 1)),
		"too long for anything": encoded(t, manyFields()),
		"an operator":           encoded(t, Where("at", Where("$gt", ""), "_id", last)),
		"an operator as id":     encoded(t, Where("at", at, "_id", Where("$gt", ""))),
		"an operator as field":  encoded(t, Where("$where", at, "_id", last)),
		"a list":                encoded(t, Where("at", bson.A{at}, "_id", last)),
		"text":                  encoded(t, Where("at", "x", "_id", last)),
		"null":                  encoded(t, Where("at", nil, "_id", last)),
		"truth":                 encoded(t, Where("at", true, "_id", last)),
		"a pattern":             encoded(t, Where("at", bson.Regex{Pattern: ".*"}, "_id", last)),
		"a text as id":          encoded(t, Where("at", at, "_id", last.Hex())),
		"a number as id":        encoded(t, Where("at", at, "_id", 1)),
		"code":                  encoded(t, Where("at", bson.JavaScript("1"), "_id", last)),
	} {
		_, err := w.books.Page(ctx, filter, by, Paging{After: after})
		if e := apperr.From(err); err == nil || e.Code != apperr.Invalid || e.Fields[0].Name != "after" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyFields() (d bson.D) {
	for i := range 10_000 {
		d = append(d, bson.E{Key: fmt.Sprint(i), Value: i})
	}
	return d
}
