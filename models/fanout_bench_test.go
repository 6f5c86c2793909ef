package models

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tokentube/models/store"
)

// BenchmarkPublishToSubscribers publishes posts on a channel with 10 and on one with 5,000 subscribers, alternately. It
// must make as many queries, and not become more expensive.
func BenchmarkPublishToSubscribers(b *testing.B) {
	w := newWorld(b)
	few, many := w.user(b, "few"), w.user(b, "many")
	w.together(b, 5_000, func(ctx context.Context, i int) error {
		u, err := w.member(ctx, i)
		if err == nil && i < 10 {
			err = w.Subscriptions.Add(ctx, u.ID, few.ID)
		}
		if err != nil {
			return err
		}
		return w.Subscriptions.Add(ctx, u.ID, many.ID)
	})
	w.compare(b, "10-subscribers", "5000-subscribers", func(large bool) error {
		owner := few
		if large {
			owner = many
		}
		return w.Posts.Create(context.Background(), &Post{Owner: owner.ID, Kind: Text, Description: "hello, this is a post"})
	})
}

// BenchmarkSubscriptionFeed reads the latest 20 posts of 10 and of 2,000 subscribed channels, alternately. It becomes
// more expensive: nothing is written for readers when a post is published.
func BenchmarkSubscriptionFeed(b *testing.B) {
	w := newWorld(b)
	few, many := w.user(b, "few"), w.user(b, "many")
	w.together(b, maxSubscriptions, func(ctx context.Context, i int) error {
		u, err := w.member(ctx, i)
		if err != nil {
			return err
		}
		for range 3 {
			if err := w.Posts.Create(ctx, &Post{Owner: u.ID, Kind: Text, Description: "hello, this is a post"}); err != nil {
				return err
			}
		}
		if i < 10 {
			if err := w.Subscriptions.Add(ctx, few.ID, u.ID); err != nil {
				return err
			}
		}
		return w.Subscriptions.Add(ctx, many.ID, u.ID)
	})
	w.compare(b, "10-channels", "2000-channels", func(large bool) error {
		reader, ctx := few, context.Background()
		if large {
			reader = many
		}
		channels, err := w.Subscriptions.All(ctx, reader.ID)
		if err != nil {
			return err
		}
		page, err := w.Posts.Page(ctx, reader.ID, PostQuery{Among: channels}, store.Paging{})
		if err == nil && len(page.Items) != store.DefaultLimit {
			err = errors.New("the page is not full")
		}
		return err
	})
}

func (w *world) member(ctx context.Context, i int) (*User, error) {
	name := fmt.Sprint("member", i)
	u := &User{Username: name, Email: name + "@example.com", FullName: name, Avatar: "avatar", PasswordHash: "hash"}
	return u, w.Users.Create(ctx, u)
}

// together does something many times, with a flush for each hundred.
func (w *world) together(b *testing.B, times int, do func(ctx context.Context, i int) error) {
	const atATime = 100
	for n := 0; n < times; n += atATime {
		fatal(b, w.DB.Atomically(context.Background(), func(ctx context.Context) error {
			for i := n; i < min(n+atATime, times); i++ {
				if err := do(ctx, i); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	w.DB.WaitRemovals()
}

// compare does the same with little and with much data, alternately, and reports how long each takes and how many
// queries it makes.
func (w *world) compare(b *testing.B, little, much string, do func(large bool) error) {
	measured := func(large bool) (time.Duration, int64) {
		before, start := w.DB.Queries(), time.Now()
		fatal(b, do(large))
		return time.Since(start), w.DB.Queries() - before
	}
	var atLittle, atMuch time.Duration
	var asksLittle, asksMuch int64
	for b.Loop() {
		took, asks := measured(false)
		atLittle, asksLittle = atLittle+took, asksLittle+asks
		took, asks = measured(true)
		atMuch, asksMuch = atMuch+took, asksMuch+asks
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(atLittle.Microseconds())/n, "µs/"+little)
	b.ReportMetric(float64(atMuch.Microseconds())/n, "µs/"+much)
	b.ReportMetric(atMuch.Seconds()/atLittle.Seconds(), "times")
	b.ReportMetric(float64(asksLittle)/n, "calls/"+little)
	b.ReportMetric(float64(asksMuch)/n, "calls/"+much)
}
