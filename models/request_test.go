package models

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

func TestRequests(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	take := func(user bson.ObjectID, route, key, content string) (*Request, error) {
		return w.Requests.Take(ctx, user, route, key, []byte(content))
	}
	busy := func(err error) {
		t.Helper()
		wantCode(t, err, apperr.Conflict, "")
		if apperr.From(err).RetryAfter == 0 {
			t.Errorf("%v does not say when to try again", err)
		}
	}
	first, err := take(alice.ID, "POST /posts", "k", "hello")
	fatal(t, err)
	_, err = take(alice.ID, "POST /posts", "k", "hello")
	busy(err)
	_, err = take(alice.ID, "POST /posts", "k", "other")
	wantCode(t, err, apperr.Invalid, "")
	for _, other := range []struct {
		user       bson.ObjectID
		route, key string
	}{{bob.ID, "POST /posts", "k"}, {alice.ID, "POST /photos", "k"}, {alice.ID, "POST /posts", "l"}} {
		r, err := take(other.user, other.route, other.key, "hello")
		fatal(t, err)
		if r.Result != nil || r.ID == first.ID {
			t.Errorf("%v is the same request", other)
		}
	}

	fatal(t, w.Requests.Release(ctx, first)) // it was refused: the key is free, even for another request
	second, err := take(alice.ID, "POST /posts", "k", "other")
	fatal(t, err)
	want := Result{Status: 201, Location: "/x", Type: "application/json", Flash: "Done.", Body: []byte("{}")}
	fatal(t, w.Requests.Finish(ctx, second, want))
	again, err := take(alice.ID, "POST /posts", "k", "other")
	fatal(t, err)
	if again.Result == nil || again.Result.Status != want.Status || again.Result.Location != want.Location || string(again.Result.Body) != "{}" {
		t.Errorf("the result is %+v", again.Result)
	}
	w.advance(requestsKept)
	fresh, err := take(alice.ID, "POST /posts", "k", "something else")
	fatal(t, err)
	if fresh.Result != nil || fresh.Changed {
		t.Errorf("after a day it is still there: %+v", fresh)
	}
	fatal(t, w.Users.Delete(ctx, alice.ID))
	w.DB.WaitRemovals()
	for _, doc := range w.documents(t)["requests"] {
		if doc.Lookup("user").ObjectID() == alice.ID {
			t.Error("the requests of an account outlive it")
		}
	}
	w.checkWhole(t)
}

// A process stops at every point of a request. The next attempt does what was not done, and never does it twice.
func TestRequestsOfADeadProcess(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	take := func(key string) (*Request, error) { return w.Requests.Take(ctx, alice.ID, "POST /posts", key, nil) }
	write := func(r *Request) error {
		return w.Posts.Create(w.Requests.Within(ctx, r), &Post{Owner: alice.ID, Kind: Text, Description: "hello", Visibility: Public})
	}
	posts := func() int64 {
		u, err := w.Users.ByID(ctx, alice.ID)
		fatal(t, err)
		return u.PostsCount
	}

	before, err := take("before")
	fatal(t, err)
	w.advance(TurnTime - time.Second)
	fatal(t, w.Requests.Live(ctx, before))
	w.advance(TurnTime - time.Second)
	_, err = take("before")
	wantCode(t, err, apperr.Conflict, "") // it is slow, but alive
	w.advance(2 * time.Second)
	next, err := take("before")
	fatal(t, err)
	wantCode(t, write(before), apperr.Conflict, "") // it was not dead after all, and may change nothing
	fatal(t, w.Requests.ReleaseUnchanged(ctx, before))
	fatal(t, write(next))
	if n := posts(); n != 1 {
		t.Errorf("%d posts", n)
	}

	after, err := take("after")
	fatal(t, err)
	fatal(t, write(after))
	w.advance(TurnTime)
	_, err = take("after")
	wantCode(t, err, apperr.Conflict, "")
	if apperr.From(err).RetryAfter != 0 {
		t.Errorf("%v: it is never tried again", err)
	}
	fatal(t, w.Requests.ReleaseUnchanged(ctx, after)) // a failure after the change
	if _, err = take("after"); !apperr.Is(err, apperr.Conflict) {
		t.Errorf("a key whose request changed something is free: %v", err)
	}
	if n := posts(); n != 2 {
		t.Errorf("%d posts", n)
	}
	w.checkWhole(t)
}

// Of many concurrent attempts one gets the turn, both initially and when a dead one is taken over.
func TestRequestsAtOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	alice := w.user(t, "alice")
	for _, name := range []string{"the first", "after a dead one"} {
		var turns atomic.Int64
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				_, err := w.Requests.Take(ctx, alice.ID, "POST /posts", "k", nil)
				switch {
				case err == nil:
					turns.Add(1)
				case !apperr.Is(err, apperr.Conflict):
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		wait.Wait()
		if n := turns.Load(); n != 1 {
			t.Errorf("%s: %d have the turn", name, n)
		}
		w.advance(TurnTime)
	}
}
