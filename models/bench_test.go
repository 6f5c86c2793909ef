package models

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// BenchmarkFeed reads the feed of 20 at 1,000 and at 50,000 posts, alternately. It must not become more expensive.
func BenchmarkFeed(b *testing.B) {
	few, many := newWorld(b), newWorld(b)
	fill(b, few, few.user(b, "alice"), 1_000, 64)
	fill(b, many, many.user(b, "alice"), 50_000, 64)
	feed := func(w *world) time.Duration {
		start := time.Now()
		if _, err := w.Posts.Page(context.Background(), bson.NilObjectID, PostQuery{}, store.Paging{Limit: 20}); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	b.ReportAllocs()
	var atFew, atMany time.Duration
	for b.Loop() {
		atFew += feed(few)
		atMany += feed(many)
	}
	b.ReportMetric(float64(atFew.Microseconds())/float64(b.N), "µs/1000-posts")
	b.ReportMetric(float64(atMany.Microseconds())/float64(b.N), "µs/50000-posts")
	b.ReportMetric(atMany.Seconds()/atFew.Seconds(), "50000/1000")
}

// BenchmarkComments reads 20 comments, the latest and the most liked, of a post with 1,000 and of one with 100,000,
// alternately. It must not become more expensive.
func BenchmarkComments(b *testing.B) {
	few, many := commented(b, 1_000), commented(b, 100_000)
	for name, top := range map[string]bool{"latest": false, "top": true} {
		b.Run(name, func(b *testing.B) {
			read := func(page func(top bool) error) time.Duration {
				start := time.Now()
				fatal(b, page(top))
				return time.Since(start)
			}
			var atFew, atMany time.Duration
			for b.Loop() {
				atFew += read(few)
				atMany += read(many)
			}
			b.ReportMetric(float64(atFew.Microseconds())/float64(b.N), "µs/1000-comments")
			b.ReportMetric(float64(atMany.Microseconds())/float64(b.N), "µs/100000-comments")
			b.ReportMetric(atMany.Seconds()/atFew.Seconds(), "100000/1000")
		})
	}
}

// commented creates a post with comments, and reads a page of them.
func commented(b *testing.B, size int) func(top bool) error {
	w, ctx := newWorld(b), context.Background()
	alice := w.user(b, "alice")
	post := w.post(b, alice, Public)
	const together = 500
	for range size / together {
		fatal(b, w.DB.Atomically(ctx, func(ctx context.Context) error {
			for range together {
				c := &Comment{ID: bson.NewObjectID(), Owner: alice.ID, Post: post.ID, Content: "hello, this is a comment", State: CommentShown, LikesCount: rand.Int64N(50)}
				if err := w.Comments.comments.Insert(ctx, c); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return func(top bool) error {
		page, err := w.Comments.Page(ctx, alice.ID, CommentQuery{Post: post, Top: top}, store.Paging{})
		if err == nil && len(page.Items) != store.DefaultLimit {
			err = errors.New("the page is not full")
		}
		return err
	}
}

// BenchmarkCreatePost adds 64 posts by one writer and by 16 concurrent ones, alternately. It is bounded by disk
// flushes, which concurrent writers share.
func BenchmarkCreatePost(b *testing.B) {
	w := newWorld(b)
	alice := w.user(b, "alice")
	var one, sixteen time.Duration
	for b.Loop() {
		one += fill(b, w, alice, 64, 1)
		sixteen += fill(b, w, alice, 64, 16)
	}
	b.ReportMetric(64*float64(b.N)/one.Seconds(), "posts/s-by-1")
	b.ReportMetric(64*float64(b.N)/sixteen.Seconds(), "posts/s-by-16")
	b.ReportMetric(one.Seconds()/sixteen.Seconds(), "16/1")
}

// fill adds posts, by this many concurrent writers, and returns how long it took.
func fill(b *testing.B, w *world, owner *User, size, writers int) time.Duration {
	start, work, done := time.Now(), make(chan int), make(chan error, writers)
	for range writers {
		go func() {
			var err error
			for range work {
				if err == nil {
					err = w.Posts.Create(context.Background(), &Post{Owner: owner.ID, Kind: Text, Description: "hello, this is a post"})
				}
			}
			done <- err
		}()
	}
	for i := range size {
		work <- i
	}
	close(work)
	for range writers {
		fatal(b, <-done)
	}
	return time.Since(start)
}

// BenchmarkSession reads a session through the cache and past it.
func BenchmarkSession(b *testing.B) {
	w, ctx := newWorld(b), context.Background()
	s := w.session(b, w.user(b, "alice"))
	for name, look := range map[string]func() (*Session, error){
		"warm": func() (*Session, error) { return w.Sessions.Cached(ctx, s.ID) },
		"cold": func() (*Session, error) { return w.Sessions.ByID(ctx, s.ID) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := look(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRotate exchanges a refresh token: a read and one flushed write.
func BenchmarkRotate(b *testing.B) {
	w, ctx := newWorld(b), context.Background()
	s := w.session(b, w.user(b, "alice"))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if s, _, err = w.Sessions.Rotate(ctx, s.ID, s.Current.ID, Device{}); err != nil {
			b.Fatal(err)
		}
	}
}
