package models

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	crowd     = 16 // members who act at the same moment
	actsOfOne = 4  // how often each does in a round
)

// BenchmarkHotPost lets sixteen members act on one post concurrently, and each on a separate post of somebody else's,
// alternately. It reports how many acts per second that makes, including everything that follows in the background, and
// how often a transaction conflicted with another one and restarted.
func BenchmarkHotPost(b *testing.B) {
	for _, name := range []string{"like", "comment", "view"} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			act, members, posts := w.act(b, name), make([]*User, crowd), make([]*Post, crowd)
			for i := range members {
				members[i] = w.user(b, fmt.Sprint("member", i))
				posts[i] = w.post(b, w.user(b, fmt.Sprint("maker", i)), Public)
			}
			var calls calls
			w.DB.Observe(calls.note)
			fatal(b, act(0, members[0], posts[0]))
			w.DB.WaitRemovals()
			b.Log("one alone asks the database:", strings.Join(calls.list, ", "))
			fatal(b, act(1, members[0], posts[0]))

			round := func(post func(i int) *Post) (took time.Duration, conflicts int) {
				w.DB.WaitRemovals()
				calls.reset()
				start := time.Now()
				atOnce(b, func(i int) error {
					for n := range actsOfOne {
						if err := act(n, members[i], post(i)); err != nil {
							return err
						}
					}
					return nil
				})
				w.DB.WaitRemovals()
				return time.Since(start), calls.conflicts
			}
			var one, many time.Duration
			var metOfOne, metOfMany int
			for b.Loop() {
				took, met := round(func(int) *Post { return posts[0] })
				one, metOfOne = one+took, metOfOne+met
				took, met = round(func(i int) *Post { return posts[i] })
				many, metOfMany = many+took, metOfMany+met
			}
			acts := float64(b.N * crowd * actsOfOne)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(acts/one.Seconds(), "acts/s-one-post")
			b.ReportMetric(acts/many.Seconds(), "acts/s-many-posts")
			b.ReportMetric(one.Seconds()/many.Seconds(), "one/many")
			b.ReportMetric(float64(metOfOne)/acts, "conflicts/act-one-post")
			b.ReportMetric(float64(metOfMany)/acts, "conflicts/act-many-posts")
		})
	}
}

// act is what a member does with a post, for the nth time.
func (w *world) act(b *testing.B, name string) func(n int, u *User, p *Post) error {
	ctx := context.Background()
	switch name {
	case "like": // and withdraw it
		return func(n int, u *User, p *Post) error {
			if n%2 == 0 {
				return w.Likes.Add(ctx, u.ID, p.ID)
			}
			return w.Likes.Remove(ctx, u.ID, p.ID)
		}
	case "comment":
		return func(_ int, u *User, p *Post) error {
			return w.Comments.Create(ctx, &Comment{Post: p.ID, Owner: u.ID, Content: "hello, this is a comment"})
		}
	case "view":
		var mu sync.Mutex
		viewers := 0
		return func(_ int, _ *User, p *Post) error {
			mu.Lock()
			viewers++
			viewer := fmt.Sprint(viewers)
			mu.Unlock()
			_, err := w.Views.Add(ctx, p.ID, viewer)
			return err
		}
	}
	b.Fatal(name)
	return nil
}

// atOnce runs do for every member of the crowd concurrently.
func atOnce(b *testing.B, do func(i int) error) {
	errs := make(chan error, crowd)
	for i := range crowd {
		go func() { errs <- do(i) }()
	}
	for range crowd {
		fatal(b, <-errs)
	}
}

// calls are the calls of the database.
type calls struct {
	mu        sync.Mutex
	list      []string
	conflicts int // how many of them conflicted with another transaction
}

func (c *calls) note(kind, operation, reason string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, kind+" "+operation)
	if reason == "conflict" {
		c.conflicts++
	}
}

func (c *calls) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.conflicts = nil, 0
}
