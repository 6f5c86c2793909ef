package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

var errKilled = errors.New("the process was killed here")

// mortal is an engine whose process is killed after a number of writes: from
// then on nothing works. The last write may still have reached the database, its
// answer never reaches the program.
type mortal struct {
	engine
	writes  atomic.Int64 // left to live
	reaches bool
}

func (m *mortal) collection(name string) Collection {
	return faulty{m.engine.collection(name), m.write}
}

func (m *mortal) dead() bool { return m.writes.Load() <= 0 }

// write runs one write, if there is life left for it.
func (m *mortal) write(do func()) error {
	left := m.writes.Add(-1)
	if left > 0 || (left == 0 && m.reaches) {
		do()
	}
	if left > 0 {
		return nil
	}
	return errKilled
}

// people are alice, who will go, and bob, whose post she likes; she has posts
// that bob and carol like.
func people(t *testing.T, w *world) (alice, bob *User) {
	ctx := context.Background()
	alice, bob = w.user(t, "alice"), w.user(t, "bob")
	carol := w.user(t, "carol")
	hers, draft, his := w.post(t, alice, Public), w.post(t, alice, Draft), w.post(t, bob, Public)
	other := w.post(t, bob, Public)
	for user, posts := range map[*User][]*Post{alice: {hers, draft, his, other}, bob: {hers, his}, carol: {hers, his}} {
		for _, p := range posts {
			fatal(t, w.likes.Add(ctx, user.ID, p.ID))
		}
	}
	_, err := w.views.Add(ctx, hers.ID, "somebody")
	fatal(t, err)
	_, err = w.sessions.Create(ctx, alice.ID, true, Device{})
	fatal(t, err)
	return alice, bob
}

// Whenever the process is killed while it removes an account, and whether or not
// its last write arrived: after the next start everything is either as before or
// gone, and every count is right.
func TestRemovalOfAnAccountSurvivesBeingKilledAtAnyWrite(t *testing.T) {
	survived := false
	for writes := int64(1); !survived; writes++ {
		if writes > 200 {
			t.Fatal("the removal never ends")
		}
		for _, reaches := range []bool{false, true} {
			name := fmt.Sprintf("killed at write %d, which arrived: %v", writes, reaches)
			survived = removeAndKill(t, name, writes, reaches)
		}
	}
}

// removeAndKill tells whether the process lived to the end of the removal.
func removeAndKill(t *testing.T, name string, writes int64, reaches bool) bool {
	t.Helper()
	ctx, where := context.Background(), newPlace(t)
	m := &mortal{reaches: reaches}
	m.writes.Store(1 << 40)
	w := where.open(t, func(e engine) engine { m.engine = e; return m })
	alice, _ := people(t, w)
	m.writes.Store(writes)
	_ = w.users.Delete(ctx, alice.ID)
	w.WaitRemovals()
	killed := m.dead()
	fatal(t, w.Close(ctx))

	again := where.open(t, nil)
	again.WaitRemovals()
	defer func() { fatal(t, again.Close(ctx)) }()
	deleted := append(w.deleted, again.deleted...)
	if _, err := again.users.ByID(ctx, alice.ID); err == nil {
		checkCounts(t, name+" (still there)", again)
		return !killed
	}
	for _, e := range again.entities {
		for _, p := range append(e.hangsOn("users"), parent{field: "_id"}) {
			n, err := e.CountDocuments(ctx, bson.D{{Key: p.field, Value: alice.ID}})
			fatal(t, err)
			if n != 0 {
				t.Errorf("%s: %d of %s by %s are left", name, n, e.name, p.field)
			}
		}
	}
	for _, file := range []string{"avatar of alice", "file of alice"} {
		if !slices.Contains(deleted, file) {
			t.Errorf("%s: the %s is left", name, file)
		}
	}
	if n, err := again.removals.CountDocuments(ctx, bson.D{}); err != nil || n != 0 {
		t.Errorf("%s: %d removals are left, %v", name, n, err)
	}
	checkCounts(t, name, again)
	return !killed
}

// checkCounts compares every count with what it counts.
func checkCounts(t *testing.T, name string, w *world) {
	t.Helper()
	ctx := context.Background()
	for _, e := range w.entities {
		for _, p := range e.parents {
			if p.counter == "" {
				continue
			}
			cursor, err := w.entity(p.name).Find(ctx, bson.D{})
			parents, err := collect[bson.M](ctx, cursor, err)
			fatal(t, err)
			for _, doc := range parents {
				filter := bson.D{{Key: p.field, Value: doc["_id"]}}
				if p.counts.Key != "" {
					filter = append(filter, p.counts)
				}
				n, err := e.CountDocuments(ctx, filter)
				fatal(t, err)
				if doc[p.counter] != n {
					t.Errorf("%s: %s of %v in %s is %v, want %d", name, p.counter, doc["_id"], p.name, doc[p.counter], n)
				}
			}
		}
	}
}

func TestUnlikeDuringTheRemovalOfItsAccountCountsOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice, bob := people(t, w)
	posts, _, err := w.posts.List(ctx, PostQuery{Owner: bob.ID, Limit: 10})
	fatal(t, err)
	done := make(chan error, len(posts))
	fatal(t, w.users.Delete(ctx, alice.ID))
	for _, p := range posts {
		go func() { done <- w.likes.Remove(ctx, alice.ID, p.ID) }()
	}
	for range posts {
		fatal(t, <-done)
	}
	w.WaitRemovals()
	checkCounts(t, "after both", w)
}

func TestRemovalIsTheOwners(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	p := w.post(t, alice, Public)
	wantCode(t, w.posts.Delete(ctx, bob.ID, p.ID), apperr.Forbidden, "")
	wantCode(t, w.beginRemoval(ctx, "posts", p.ID, bson.D{{Key: "owner", Value: bob.ID}}), apperr.NotFound, "")
	if n, err := w.removals.CountDocuments(ctx, bson.D{}); err != nil || n != 0 {
		t.Errorf("a foreign removal was noted: %d, %v", n, err)
	}
	fatal(t, w.posts.Delete(ctx, alice.ID, p.ID))
	wantCode(t, w.posts.Delete(ctx, alice.ID, p.ID), apperr.NotFound, "")
}
