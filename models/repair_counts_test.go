package models

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A count that is wrong for a moment, because a like is just being written, is no
// fault.
func TestRepairLeavesCountsThatMove(t *testing.T) {
	w, shop, ctx := newWorld(t), newWorkshop(t), t.Context()
	alice := w.user(t, "alice")
	p := w.post(t, alice, Public)
	_, err := w.entity("likes").InsertOne(ctx, Like{ID: bson.NewObjectID(), User: alice.ID, Target: p.ID})
	fatal(t, err)
	r := &repair{Repair: shop.how(), db: w.DB}
	posts := w.entity("posts")
	_, by := w.counters(posts)
	likes := by["likesCount"]
	for _, c := range []struct {
		now, want int64
		busy      int
	}{
		{1, 1, 0}, // it has come
		{7, 7, 1}, // it has moved
		{0, 1, 1}, // it has stayed wrong
	} {
		w.write(t, "posts", p.ID, set("likesCount", c.now))
		fatal(t, r.correct(ctx, posts, "likesCount", likes, []look{{p.ID, int64(0), 1}}))
		after, err := w.posts.Visible(ctx, alice.ID, p.ID)
		fatal(t, err)
		if after.LikesCount != c.want || r.Busy != c.busy {
			t.Errorf("from %d: %d, busy %d", c.now, after.LikesCount, r.Busy)
		}
	}
	_, err = posts.DeleteOne(ctx, bson.D{{Key: "_id", Value: p.ID}})
	fatal(t, err)
	fatal(t, r.correct(ctx, posts, "likesCount", likes, []look{{p.ID, int64(0), 1}}))
}

// slow is an engine on which a while passes between a like and its count.
type slow struct{ engine }

type slowCollection struct{ Collection }

func (s slow) collection(name string) Collection { return slowCollection{s.engine.collection(name)} }

func (c slowCollection) UpdateOne(ctx context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	if update.(bson.D)[0].Key == "$inc" {
		time.Sleep(5 * time.Millisecond)
	}
	return c.Collection.UpdateOne(ctx, filter, update, opts...)
}

// While people like and unlike, it breaks nothing.
func TestRepairOfASiteInUse(t *testing.T) {
	w, ctx := newPlace(t).open(t, func(e engine) engine { return slow{e} }), t.Context()
	t.Cleanup(func() { fatal(t, w.Close(context.Background())) })
	alice, _ := people(t, w)
	posts, _, err := w.posts.List(ctx, PostQuery{Limit: 10})
	fatal(t, err)
	stop, done := make(chan struct{}), sync.WaitGroup{}
	for i := range 4 {
		done.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				p := posts[n%len(posts)].ID
				if err := w.likes.Add(context.Background(), alice.ID, p); err != nil {
					t.Error(err)
				}
				if err := w.likes.Remove(context.Background(), alice.ID, p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		how := newWorkshop(t).how()
		how.Settle = 300 * time.Millisecond
		_, err := w.Repair(ctx, how)
		if err != nil {
			t.Error(err)
		}
	}
	close(stop)
	done.Wait()
	checkCounts(t, "after all", w)
}
