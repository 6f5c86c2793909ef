package models

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// allListed are the ids of all posts of a list, read in pages of this size.
func (w *world) allListed(t *testing.T, viewer bson.ObjectID, q PostQuery, limit int) (ids []bson.ObjectID) {
	t.Helper()
	for p := (store.Paging{Limit: limit}); ; {
		page, err := w.Posts.Page(watched(), viewer, q, p)
		fatal(t, err)
		ids = append(ids, idsOf(page.Items)...)
		if p.After = page.Next; p.After == "" {
			return ids
		}
	}
}

// numberedPages are the ids on the numbered pages.
func (w *world) numberedPages(t *testing.T, q PostQuery, limit int) (ids []bson.ObjectID) {
	t.Helper()
	for n := 1; n <= store.MaxNumber; n++ {
		page, err := w.Posts.Page(watched(), bson.NilObjectID, q, store.Paging{Limit: limit, Number: n})
		fatal(t, err)
		ids = append(ids, idsOf(page.Items)...)
	}
	return ids
}

func TestEveryOrderOfPosts(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	var all []*Post
	for i := range 9 {
		owner := []*User{alice, bob}[i%2]
		p := &Post{Owner: owner.ID, Kind: []Kind{Text, Photo, Video}[i%3], Title: "a", Description: "b"}
		fatal(t, w.Posts.Create(watched(), p))
		w.post(t, owner, Draft)
		w.advance(time.Minute)
		p.Views, p.LikesCount, p.Trending = int64(i*7%4), int64(i*5%3), float64(i*4%5)/3
		_, err := w.Posts.posts.Update(watched(), store.Where("_id", p.ID), bson.D{store.Set("views", p.Views, "likesCount", p.LikesCount, "trending", p.Trending)})
		fatal(t, err)
		all = append(all, p)
	}
	value := map[PostSort]func(p *Post) float64{
		"":         func(p *Post) float64 { return float64(p.PublishedAt.UnixMilli()) },
		ByCreated:  func(p *Post) float64 { return float64(p.PublishedAt.UnixMilli()) },
		ByViews:    func(p *Post) float64 { return float64(p.Views) },
		ByLikes:    func(p *Post) float64 { return float64(p.LikesCount) },
		ByTrending: func(p *Post) float64 { return p.Trending },
	}
	for sort, of := range value {
		for _, kind := range []Kind{"", Text, Video} {
			for _, owner := range []bson.ObjectID{{}, alice.ID} {
				for _, ascending := range []bool{false, true} {
					want := slices.DeleteFunc(slices.Clone(all), func(p *Post) bool {
						return kind != "" && p.Kind != kind || !owner.IsZero() && p.Owner != owner
					})
					slices.SortFunc(want, func(a, b *Post) int {
						n := int(100 * (of(a) - of(b)))
						if n == 0 {
							n = slices.Compare(a.ID[:], b.ID[:])
						}
						if !ascending {
							n = -n
						}
						return n
					})
					q := PostQuery{Sort: sort, Kind: kind, Owner: owner, Ascending: ascending}
					for _, limit := range []int{1, 2, 20} {
						if got := w.allListed(t, bson.NilObjectID, q, limit); !slices.Equal(got, idsOf(want)) {
							t.Errorf("%+v, pages of %d: %v, want %v", q, limit, got, idsOf(want))
						}
						if got := w.numberedPages(t, q, limit); !slices.Equal(got, idsOf(want)) {
							t.Errorf("%+v, numbered pages of %d: %v, want %v", q, limit, got, idsOf(want))
						}
					}
					if n, err := w.Posts.CountUpTo(watched(), q, 100); err != nil || n != len(want) {
						t.Errorf("%+v: counted %d, %v", q, n, err)
					}
				}
			}
		}
	}
}

// However many channels somebody follows, their posts are in order, without duplicates.
func TestPostsAmongChannels(t *testing.T) {
	w := newWorld(t)
	viewer, stranger := w.user(t, "viewer"), w.user(t, "stranger")
	followed := make([]bson.ObjectID, 450) // three reads; most find nothing
	for i := range followed {
		followed[i] = bson.NewObjectID()
	}
	var want []bson.ObjectID
	for i := range 12 {
		u := w.user(t, fmt.Sprint("channel", i))
		followed[i*37] = u.ID
		for range 2 {
			want = append(want, w.post(t, u, Public).ID)
			w.post(t, u, Draft)
			w.post(t, stranger, Public)
		}
		w.advance(time.Duration(i%2) * time.Minute)
	}
	slices.Reverse(want)
	for _, kind := range []Kind{"", Text, Photo} {
		wanted := want
		if kind == Photo {
			wanted = nil
		}
		q := PostQuery{Among: followed, Kind: kind}
		for _, limit := range []int{1, 5, 24, 25} {
			if got := w.allListed(t, viewer.ID, q, limit); !slices.Equal(got, wanted) {
				t.Errorf("%q, pages of %d: %v, want %v", kind, limit, got, wanted)
			}
		}
		if got := w.numberedPages(t, q, 3); !slices.Equal(got, wanted) {
			t.Errorf("%q, numbered: %v, want %v", kind, got, wanted)
		}
	}
	if got := w.allListed(t, viewer.ID, PostQuery{Among: []bson.ObjectID{}}, 5); got != nil {
		t.Errorf("of nobody: %v", got)
	}
	for _, after := range []string{"nonsense", "e30"} {
		_, err := w.Posts.Page(watched(), viewer.ID, PostQuery{Among: followed}, store.Paging{After: after})
		wantCode(t, err, apperr.Invalid, "after")
	}
	w.disable(t, &User{ID: followed[0]})
	if got := w.allListed(t, viewer.ID, PostQuery{Among: followed}, 5); !slices.Equal(got, want[:len(want)-2]) {
		t.Errorf("with a disabled account: %v", got)
	}
}

func TestSubscriptionsAreListedForTheFeed(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	for _, u := range []*User{bob, carol} {
		fatal(t, w.Subscriptions.Add(watched(), alice.ID, u.ID))
	}
	for u, want := range map[*User][]bson.ObjectID{alice: {carol.ID, bob.ID}, bob: {}} {
		if got, err := w.Subscriptions.All(watched(), u.ID); err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("%s follows %v, %v", u.Username, got, err)
		}
	}
}

// Recent events count for more, and withdrawing a like restores the previous score.
func TestTrending(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	old, recent, viewed, plain := w.post(t, alice, Public), w.post(t, alice, Public), w.post(t, alice, Public), w.post(t, alice, Public)
	draft := w.post(t, alice, Draft)
	trending := func(want ...*Post) {
		t.Helper()
		ids := make([]bson.ObjectID, len(want))
		for i, p := range want {
			ids[i] = p.ID
		}
		if got := w.allListed(t, bson.NilObjectID, PostQuery{Sort: ByTrending}, 3); !slices.Equal(got, ids) {
			t.Errorf("trending: %v, want %v", got, ids)
		}
	}
	score := func(p *Post) float64 {
		now, err := w.Posts.Visible(watched(), alice.ID, p.ID)
		fatal(t, err)
		return now.Trending
	}
	trending(plain, viewed, recent, old)
	fatal(t, w.Likes.Add(watched(), bob.ID, old.ID))
	fatal(t, w.Likes.Add(watched(), carol.ID, old.ID))
	fatal(t, w.Likes.Add(watched(), alice.ID, draft.ID))
	trending(old, plain, viewed, recent)
	w.advance(7*24*time.Hour + time.Minute)
	fatal(t, w.Likes.Add(watched(), bob.ID, recent.ID)) // a current one, and two that are worth half as much
	_, err := w.Views.Add(watched(), viewed.ID, "somebody")
	fatal(t, err)
	trending(recent, old, viewed, plain)
	if before := score(old); before <= 0 || score(recent)/before < 1 || score(recent)/before > 1.001 || score(viewed)*3 != score(recent) {
		t.Errorf("scores: %g, %g, %g", before, score(recent), score(viewed))
	}

	// The undone like subtracts what it added at its own time.
	fatal(t, w.Likes.Remove(watched(), bob.ID, old.ID))
	was := score(old)
	w.advance(time.Hour)
	fatal(t, w.Likes.Add(watched(), bob.ID, old.ID))
	w.advance(time.Hour)
	fatal(t, w.Likes.Remove(watched(), bob.ID, old.ID))
	if now := score(old); now/was < 1-1e-9 || now/was > 1+1e-9 {
		t.Errorf("liked and unliked, %g became %g", was, now)
	}
	fatal(t, w.Users.Delete(watched(), carol.ID))
	w.DB.WaitRemovals()
	if now := score(old); now/was > 1e-9 {
		t.Errorf("without the account whose like it was, %g became %g", was, now)
	}
	w.disable(t, alice)
	trending()
	w.checkWhole(t)
}

func TestHeatHasNoEnd(t *testing.T) {
	for _, at := range []time.Time{{}, trendEpoch, trendEpoch.AddDate(1000, 0, 0)} {
		if h := heat(likeHeat, at); h <= 0 || h > 1e308 {
			t.Errorf("%s: %g", at, h)
		}
	}
	week := trendEpoch.Add(-trendHalves)
	if heat(likeHeat, week)*2 != heat(likeHeat, trendEpoch) {
		t.Error("a week is not half")
	}
}
