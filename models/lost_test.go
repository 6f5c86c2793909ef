package models

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/utils/apperr"
)

// shaky is an engine whose connection breaks at one write, and then at every
// write for a short while. The write may have reached the database all the same.
type shaky struct {
	engine
	until   atomic.Int64 // the write that fails
	fails   atomic.Int64 // how many more do
	reaches bool
}

func (s *shaky) collection(name string) Collection {
	return faulty{s.engine.collection(name), s.write}
}

func (s *shaky) write(do func()) error {
	if s.until.Add(-1) > 0 || s.fails.Add(-1) < 0 {
		do()
		return nil
	}
	if s.reaches {
		do()
	}
	return mongo.CommandError{Message: "the connection broke", Labels: []string{"NetworkError"}, Wrapped: io.EOF}
}

// scene is what the connection is lost over.
type scene struct {
	*world
	user        *User
	hers, draft *Post // another user's post, and a draft of the user's
}

// Whichever write the connection breaks at, and whether or not the write
// arrived: the caller is told to try again or gets what it asked for, and in the
// end every count is right.
func TestConnectionLostAtAnyWrite(t *testing.T) {
	for name, act := range map[string]func(context.Context, scene) error{
		"like": func(ctx context.Context, s scene) error { return s.likes.Add(ctx, s.user.ID, s.hers.ID) },
		"unlike": func(ctx context.Context, s scene) error {
			return cmp.Or(s.likes.Add(ctx, s.user.ID, s.hers.ID), s.likes.Remove(ctx, s.user.ID, s.hers.ID)) // both, whatever the first gives
		},
		"post": func(ctx context.Context, s scene) error {
			return s.posts.Create(ctx, &Post{Owner: s.user.ID, Kind: Text, Description: "more", Visibility: Public})
		},
		"publish and hide": func(ctx context.Context, s scene) error {
			for _, v := range []Visibility{Public, Draft, Public} {
				if _, err := s.posts.Update(ctx, s.user.ID, s.draft.ID, PostChanges{Visibility: &v}); err != nil {
					return err
				}
			}
			return nil
		},
		"view": func(ctx context.Context, s scene) error {
			_, err := s.views.Add(ctx, s.hers.ID, "somebody")
			return err
		},
		"delete": func(ctx context.Context, s scene) error {
			err := s.posts.Delete(ctx, s.hers.Owner, s.hers.ID)
			if apperr.Is(err, apperr.NotFound) { // the first try has done it
				return nil
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for write, more := int64(1), true; more; write++ {
				more = loseAt(t, fmt.Sprintf("at write %d", write), write, false, act)
				loseAt(t, fmt.Sprintf("at write %d, which arrived", write), write, true, act)
			}
		})
	}
}

// loseAt tells whether there was such a write.
func loseAt(t *testing.T, name string, write int64, reaches bool, act func(context.Context, scene) error) bool {
	t.Helper()
	ctx, line := context.Background(), &shaky{reaches: reaches}
	line.until.Store(1 << 40)
	s := scene{world: newPlace(t).open(t, func(e engine) engine { line.engine = e; return line })}
	defer func() { fatal(t, s.Close(ctx)) }()
	s.user = s.world.user(t, "bob")
	s.draft, s.hers = s.post(t, s.user, Draft), s.post(t, s.world.user(t, "alice"), Public)

	line.fails.Store(2)
	line.until.Store(write)
	err := act(ctx, s)
	for tries := 0; apperr.Is(err, apperr.Unavailable) && tries < 10; tries++ {
		err = act(ctx, s)
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	broke := line.until.Load() <= 0
	s.WaitRemovals()
	checkCounts(t, name, s.world)
	return broke
}

// A process that starts between another one's note of a removal and its mark
// leaves the note alone, so that the removal is finished even if the other dies.
func TestNoteOfARemovalIsKeptUntilItsDocumentIsMarked(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	job := removal{ID: "users/" + alice.ID.Hex(), Collection: "users", Document: alice.ID, NotedAt: w.DB.now()}
	notes := func() int64 {
		t.Helper()
		n, err := w.removals.CountDocuments(ctx, bson.D{})
		fatal(t, err)
		return n
	}
	start := func() {
		t.Helper()
		fatal(t, w.Prepare(ctx)) // as another process does
		w.WaitRemovals()
	}
	fatal(t, w.noteRemoval(ctx, job))
	start()
	if notes() != 1 {
		t.Fatal("the note was dropped before the other process could mark the document")
	}
	_, err := w.users.users.UpdateOne(ctx, bson.D{{Key: "_id", Value: alice.ID}}, bson.D{{Key: "$set", Value: bson.D{{Key: "deletedAt", Value: w.DB.now()}}}})
	fatal(t, err) // and now the other process dies
	start()
	if n, err := w.users.users.CountDocuments(ctx, bson.D{}); err != nil || n != 0 || notes() != 0 {
		t.Errorf("%d users and %d notes are left, %v", n, notes(), err)
	}

	bob := w.user(t, "bob")
	job = removal{ID: "users/" + bob.ID.Hex(), Collection: "users", Document: bob.ID, NotedAt: w.DB.now()}
	fatal(t, w.noteRemoval(ctx, job))
	w.advance(markedWithin - time.Minute)
	job.NotedAt = w.DB.now()
	fatal(t, w.noteRemoval(ctx, job)) // a second try counts from its own time
	w.advance(2 * time.Minute)
	start()
	if notes() != 1 {
		t.Error("a note that was made again is old")
	}
	w.advance(markedWithin)
	start()
	if _, err := w.users.ByID(ctx, bob.ID); err != nil || notes() != 0 {
		t.Errorf("a note of long ago removes an account that was never marked, or stays: %v, %d", err, notes())
	}
}

// A removal that meets an outage goes on when the database is back.
func TestRemovalGoesOnAfterAnOutage(t *testing.T) {
	ctx, line := context.Background(), &shaky{}
	line.until.Store(1 << 40)
	w := newPlace(t).open(t, func(e engine) engine { line.engine = e; return line })
	defer func() { fatal(t, w.Close(ctx)) }()
	alice, _ := people(t, w)
	line.until.Store(5) // after the note and the mark
	line.fails.Store(3)
	fatal(t, w.users.Delete(ctx, alice.ID))
	w.WaitRemovals()
	if line.fails.Load() >= 0 {
		t.Fatal("there was no outage")
	}
	if n, err := w.users.users.CountDocuments(ctx, bson.D{{Key: "_id", Value: alice.ID}}); err != nil || n != 0 || !slices.Contains(w.deleted, "avatar of alice") {
		t.Errorf("%d left, %v", n, err)
	}
	checkCounts(t, "after the outage", w)
}

// A change whose answer was lost is tried again later, when the parent has taken in
// many others.
func TestCountOnceAmongMany(t *testing.T) {
	w := newWorld(t)
	user := w.user(t, "alice")
	change := tally{parent: "users", id: user.ID, counter: "postsCount", by: 1, change: bson.NewObjectID()}
	for i, c := 0, change; i < 60; i++ {
		if made, err := w.countOnce(t.Context(), c, live()); err != nil || !made {
			t.Fatalf("change %d: made %v, %v", i, made, err)
		}
		c.change = bson.NewObjectID()
	}
	if made, err := w.countOnce(t.Context(), change, live()); err != nil || made {
		t.Errorf("the first one again: made %v, %v", made, err)
	}
}
