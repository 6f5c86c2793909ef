package models

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/utils/media"
)

// workshop is what a repair works with in tests.
type workshop struct {
	dir   string
	store *media.Store
	said  []string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	s := &workshop{dir: t.TempDir()}
	var err error
	s.store, err = media.Open(context.Background(), "", s.dir, media.Limits{})
	fatal(t, err)
	t.Cleanup(func() { fatal(t, s.store.Close()) })
	return s
}

func (s *workshop) how() Repair {
	s.said = nil
	return Repair{Files: s.store, Say: func(format string, args ...any) { s.said = append(s.said, fmt.Sprintf(format, args...)) }}
}

// file makes a stored file of a certain age.
func (s *workshop) file(t *testing.T, folder string, number int, age time.Duration) string {
	t.Helper()
	name := fmt.Sprintf("%s/%032x.png", folder, number)
	path := filepath.Join(s.dir, name)
	fatal(t, os.MkdirAll(filepath.Dir(path), 0o700))
	fatal(t, os.WriteFile(path, []byte("content"), 0o600))
	then := time.Now().Add(-age)
	fatal(t, os.Chtimes(path, then, then))
	return name
}

func (s *workshop) has(t *testing.T, name string) bool {
	t.Helper()
	there, err := s.store.Exists(context.Background(), name)
	fatal(t, err)
	return there
}

// told tells how many lines hold all of the texts.
func (s *workshop) told(texts ...string) (n int) {
	for _, line := range s.said {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			n++
		}
	}
	return n
}

func (w *world) write(t *testing.T, name string, id any, update bson.D) {
	t.Helper()
	result, err := w.entity(name).UpdateOne(context.Background(), bson.D{{Key: "_id", Value: id}}, update)
	fatal(t, err)
	if result.MatchedCount != 1 {
		t.Fatalf("there is no %v in %s", id, name)
	}
}

func set(field string, value any) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}
}

// damage does to a world of people all that a crash, or a lost note, can do.
func damage(t *testing.T, w *world) {
	t.Helper()
	ctx := context.Background()
	_, bob := people(t, w)
	for _, name := range []string{"users", "posts"} { // the files are another test's
		_, err := w.entity(name).UpdateMany(ctx, bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "avatar", Value: ""}, {Key: "media", Value: ""}}}})
		fatal(t, err)
	}
	his := w.post(t, bob, Public)
	w.write(t, "posts", his.ID, set("media", ""))
	dave, erin := w.user(t, "dave"), w.user(t, "erin")
	for _, u := range []*User{dave, erin} {
		w.write(t, "users", u.ID, set("avatar", ""))
		p := w.post(t, u, Public)
		w.write(t, "posts", p.ID, set("media", ""))
		fatal(t, w.likes.Add(ctx, u.ID, his.ID))
		fatal(t, w.likes.Add(ctx, bob.ID, p.ID))
		_, err := w.sessions.Create(ctx, u.ID, true, Device{})
		fatal(t, err)
	}
	w.write(t, "users", dave.ID, set("deletedAt", w.DB.now()))                                          // marked, and its note was dropped
	_, err := w.entity("users").DeleteOne(ctx, bson.D{{Key: "_id", Value: erin.ID}})                    // gone, and nothing else of hers
	fatal(t, err)                                                                                       //
	w.write(t, "posts", his.ID, set("likesCount", int64(99)))                                           // too many
	w.write(t, "users", bob.ID, bson.D{{Key: "$unset", Value: bson.D{{Key: "postsCount", Value: ""}}}}) // none
	for _, like := range []Like{
		{ID: bson.NewObjectID(), User: bob.ID, Target: bson.NewObjectID()}, // of no post
		{ID: bson.NewObjectID(), User: bson.NewObjectID(), Target: his.ID}, // of nobody
	} {
		_, err := w.entity("likes").InsertOne(ctx, like)
		fatal(t, err)
	}
}

// checkWhole looks for what must not be left.
func checkWhole(t *testing.T, name string, w *world) {
	t.Helper()
	ctx := context.Background()
	checkCounts(t, name, w)
	for _, e := range w.entities {
		if n, err := e.CountDocuments(ctx, bson.D{{Key: "deletedAt", Value: bson.D{{Key: "$exists", Value: true}}}}); n > 0 || err != nil {
			t.Errorf("%s: %d of %s are marked, %v", name, n, e.name, err)
		}
		cursor, err := e.Find(ctx, bson.D{})
		docs, err := collect[bson.M](ctx, cursor, err)
		fatal(t, err)
		for _, doc := range docs {
			for _, p := range e.parents {
				id, named := parentID(doc, p)
				if !named {
					continue
				}
				if n, err := w.entity(p.name).CountDocuments(ctx, bson.D{{Key: "_id", Value: id}}); n == 0 || err != nil {
					t.Errorf("%s: %s %v has no %s, %v", name, e.name, doc["_id"], p.field, err)
				}
			}
		}
	}
}

func TestRepairMendsAndThenFindsNothing(t *testing.T) {
	w, shop, ctx := newWorld(t), newWorkshop(t), t.Context()
	damage(t, w)
	done, err := w.Repair(ctx, shop.how())
	fatal(t, err)
	checkWhole(t, "repaired", w)
	for _, texts := range [][]string{
		{"users", "its removal had been cut off"},
		{"posts", "is not among the users"},
		{"sessions", "is not among the users"},
		{"likes", "target", "is not among the posts"},
		{"likes", "user", "is not among the users"},
		{"likesCount is 0"},
		{"postsCount is 3, and was <nil>"},
	} {
		if shop.told(texts...) == 0 {
			t.Errorf("%q is not in:\n%s", texts, strings.Join(shop.said, "\n"))
		}
	}
	if done.Mended != len(shop.said) || done.Lost != 0 || done.Busy != 0 {
		t.Errorf("%+v, and %d lines", done, len(shop.said))
	}
	again, err := w.Repair(ctx, shop.how())
	if err != nil || again != (Repaired{}) || len(shop.said) > 0 {
		t.Errorf("the second time: %+v, %v, %q", again, err, shop.said)
	}
}

// Killed at any of its writes, and run again, it ends with everything right.
func TestRepairSurvivesBeingKilledAtAnyWrite(t *testing.T) {
	for writes := int64(1); ; writes++ {
		if writes > 200 {
			t.Fatal("the repair never ends")
		}
		where, m := newPlace(t), &mortal{reaches: writes%2 == 0}
		m.writes.Store(1 << 40)
		w := where.open(t, func(e engine) engine { m.engine = e; return m })
		damage(t, w)
		m.writes.Store(writes)
		_, err := w.Repair(t.Context(), newWorkshop(t).how())
		survived := !m.dead()
		if survived != (err == nil) {
			t.Fatalf("write %d: %v", writes, err)
		}
		m.writes.Store(1 << 40)
		_, err = w.Repair(t.Context(), newWorkshop(t).how())
		fatal(t, err)
		checkWhole(t, fmt.Sprint("killed at write ", writes), w)
		fatal(t, w.Close(context.Background()))
		if survived {
			return
		}
	}
}

func TestRepairOfFiles(t *testing.T) {
	for _, atOnce := range []int{filesAtOnce, 1} {
		w, shop := newWorld(t), newWorkshop(t)
		alice := w.user(t, "alice")
		p := w.post(t, alice, Public)
		named, twice := shop.file(t, "private", 1, 48*time.Hour), shop.file(t, "public", 2, 48*time.Hour)
		w.write(t, "posts", p.ID, bson.D{{Key: "$set", Value: bson.D{{Key: "media", Value: named}, {Key: "thumbnail", Value: twice}}}})
		gone := fmt.Sprintf("public/f%031x.png", 3)
		w.write(t, "users", alice.ID, bson.D{{Key: "$set", Value: bson.D{{Key: "avatar", Value: gone}, {Key: "coverImage", Value: twice}}}})
		old, young := shop.file(t, "public", 4, 61*time.Minute), shop.file(t, "private", 5, 59*time.Minute)
		r := &repair{Repair: shop.how(), db: w.DB, filesAtOnce: atOnce}
		fatal(t, r.compareFiles(t.Context(), ""))
		for name, want := range map[string]bool{named: true, twice: true, old: false, young: true} {
			if shop.has(t, name) != want {
				t.Errorf("%d at once: %s is there: %v", atOnce, name, !want)
			}
		}
		if r.Mended != 1 || r.Lost != 1 || shop.told("users", alice.ID.Hex(), "avatar is lost", gone) != 1 {
			t.Errorf("%d at once: %+v, %q", atOnce, r.Repaired, shop.said)
		}
	}
}

// lax makes no indexes until it is strict.
type lax struct {
	engine
	strict bool
}

func (l *lax) ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error {
	if !l.strict {
		return nil
	}
	return l.engine.ensureIndexes(ctx, name, indexes)
}

func TestRepairRemovesDoublesThatKeepAnIndexFromBeingMade(t *testing.T) {
	l, shop := &lax{}, newWorkshop(t)
	w := newPlace(t).open(t, func(e engine) engine { l.engine = e; return l })
	t.Cleanup(func() { fatal(t, w.Close(context.Background())) })
	ctx := t.Context()
	_, bob := people(t, w)
	cursor, err := w.entity("likes").Find(ctx, bson.D{{Key: "user", Value: bob.ID}})
	likes, err := collect[Like](ctx, cursor, err)
	fatal(t, err)
	for _, like := range likes {
		for range 2 {
			like.ID = bson.NewObjectID()
			_, err := w.entity("likes").InsertOne(ctx, like)
			fatal(t, err)
		}
	}
	l.strict = true
	if err := w.Prepare(ctx); err == nil {
		t.Fatal("the index was made over doubles")
	}
	_, err = w.Repair(ctx, shop.how())
	fatal(t, err)
	if n := shop.told("likes", "it was there twice"); n != 2*len(likes) {
		t.Errorf("%d doubles were removed, want %d", n, 2*len(likes))
	}
	checkWhole(t, "after the doubles", w)
	fatal(t, w.Prepare(ctx))
}

// Two accounts of one name are told, and neither is removed.
func TestRepairLeavesDoublesThatAreMoreThanARelation(t *testing.T) {
	l := &lax{}
	w := newPlace(t).open(t, func(e engine) engine { l.engine = e; return l })
	t.Cleanup(func() { fatal(t, w.Close(context.Background())) })
	w.user(t, "alice")
	w.user(t, "alice")
	l.strict = true
	if _, err := w.Repair(t.Context(), newWorkshop(t).how()); err == nil || !strings.Contains(err.Error(), "of users cannot be made") {
		t.Errorf("it says %v", err)
	}
	if n, err := w.entity("users").CountDocuments(t.Context(), bson.D{}); n != 2 || err != nil {
		t.Errorf("%d users are left, %v", n, err)
	}
}

func TestRepairEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	damage(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Repair(ctx, newWorkshop(t).how()); err == nil {
		t.Error("it went on")
	}
}
