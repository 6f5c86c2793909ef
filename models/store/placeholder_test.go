package store

import (
	"context"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

// A document stays as a placeholder exactly as long as it has children of its kind, whichever is removed first.
func TestPlaceholders(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	left := func(ids ...bson.ObjectID) {
		t.Helper()
		w.WaitRemovals()
		found, err := w.talks.ByIDs(ctx, []bson.ObjectID{asked, answered, empty, late, lone})
		fatal(t, err)
		if len(found) != len(ids) {
			t.Errorf("%d are left, want %d", len(found), len(ids))
		}
		for _, id := range ids {
			if found[id] == nil {
				t.Errorf("%v is gone", id)
			}
		}
	}
	left(asked, answered, empty, late, lone)
	if p := get(t, w.talks, empty); p.State != "gone" || !p.Author.IsZero() || p.AnswersCount != 1 || p.CheersCount != 1 {
		t.Errorf("the placeholder is %+v", p)
	}
	if b := get(t, w.books, his); b.TalksCount != 4 {
		t.Errorf("%d are counted, want 4 without the placeholder", b.TalksCount)
	}
	wantCode(t, w.talks.Remove(ctx, empty, Where("author", carol)), apperr.NotFound, "")
	fatal(t, w.talks.Remove(ctx, lone, nil))
	left(asked, answered, empty, late)
	fatal(t, w.authors.Remove(ctx, alice, nil)) // asked has an answer; late was the last answer
	left(asked, answered)
	if p := get(t, w.talks, asked); p.State != "gone" || !p.Author.IsZero() {
		t.Errorf("alice's talk is %+v", p)
	}
	fatal(t, w.authors.Remove(ctx, bob, nil)) // with his book
	left()
	w.checkWhole(t, "after it")
	if n := w.noted(t); n != 0 {
		t.Errorf("%d removals are noted", n)
	}
}

// Answers arrive while their parents are removed, and everything is removed twice: no count is wrong, and no
// placeholder without children remains.
func TestPlaceholdersAtOnce(t *testing.T) {
	w := newLibrary(t)
	w.stock(t)
	ctx := context.Background()
	var all sync.WaitGroup
	for n := range 8 {
		answer := id(byte(60 + n))
		all.Go(func() {
			err := w.talks.Insert(ctx, &talk{ID: answer, Book: his, Author: bob, To: []bson.ObjectID{asked, empty, lone}[n%3], State: "said"})
			if err != nil && !apperr.Is(err, apperr.NotFound) {
				t.Error(err)
			}
			if err := w.talks.Remove(ctx, answer, nil); n%2 == 0 && err != nil && !apperr.Is(err, apperr.NotFound) {
				t.Error(err)
			}
		})
	}
	for range 2 {
		for _, going := range []bson.ObjectID{asked, answered, late, lone} {
			all.Go(func() {
				if err := w.talks.Remove(ctx, going, Where("state", "said")); err != nil && !apperr.Is(err, apperr.NotFound) {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	w.WaitRemovals()
	for _, doc := range w.talks.kind.all(t, bson.D{}) {
		if doc["state"] == "gone" && doc["answersCount"] == int64(0) {
			t.Errorf("%v stands for nothing", doc)
		}
	}
	w.checkWhole(t, "after it")
}

func TestPlaceholdersThatContradictThemselves(t *testing.T) {
	mark := bson.E{Key: "state", Value: "gone"}
	own := Parent{Kind: "pages", Field: "to", Counter: "answersCount", If: bson.E{Key: "state", Value: "said"}}
	for what, k := range map[string]Kind{
		"hangs on no kind of its own": {},
		"is not counted":              {Parents: []Parent{{Kind: "pages", Field: "to"}}},
		"has files":                   {Parents: []Parent{own}, Files: []string{"scan"}},
		"counts the placeholders":     {Parents: []Parent{own, {Kind: "books", Field: "book", Counter: "pagesCount"}}},
		"counts nothing else":         {Parents: []Parent{{Kind: "pages", Field: "to", Counter: "answersCount", If: mark}}},
	} {
		t.Run(what, func(t *testing.T) {
			w := newLibrary(t)
			defer func() {
				if recover() == nil {
					t.Error("it is registered")
				}
			}()
			k.Name, k.Placeholder = "pages", &Placeholder{Mark: mark}
			Register[bson.M](w.DB, k)
		})
	}
}

// Documents without a parent of their own kind are counted correctly, shown and hidden.
func TestCountedAgainWithoutAParent(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	before := get(t, w.books, his).TalksCount
	for _, to := range []struct {
		state string
		want  int64
	}{{"unsaid", before - 1}, {"said", before}} {
		_, err := w.talks.Update(ctx, Where("_id", lone), bson.D{Set("state", to.state)})
		fatal(t, err)
		if b := get(t, w.books, his); b.TalksCount != to.want {
			t.Errorf("%s: %d are counted, want %d", to.state, b.TalksCount, to.want)
		}
	}
	w.checkWhole(t, "after it")
}

// A child keeps its placeholder, counted or not, and the placeholder is removed with the last one.
func TestPlaceholdersOfTheUncounted(t *testing.T) {
	w, ctx := newLibrary(t), t.Context()
	w.stock(t)
	_, err := w.talks.Update(ctx, Where("_id", late), bson.D{Set("state", "unsaid")})
	fatal(t, err)
	w.checkWhole(t, "uncounted")
	if p := get(t, w.talks, empty); p.AnswersCount != 0 {
		t.Errorf("%d are counted", p.AnswersCount)
	}
	fatal(t, w.talks.Remove(ctx, late, nil))
	w.WaitRemovals()
	if found, err := w.talks.ByIDs(ctx, []bson.ObjectID{empty, late}); err != nil || len(found) != 0 {
		t.Errorf("%d are left, %v", len(found), err)
	}
	w.checkWhole(t, "after it")
}
