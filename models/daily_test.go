package models

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// chart is the days of a user's channel with any activity: how many days ago, and the figures.
func (w *world) chart(t *testing.T, u *User) string {
	t.Helper()
	w.DB.WaitRemovals()
	days, err := w.Dailies.Last(watched(), u.ID, ChartDays)
	fatal(t, err)
	text := ""
	for i, d := range days {
		if want := w.now().UTC().Truncate(day).Add(time.Duration(i-ChartDays+1) * day); !d.Day.Equal(want) {
			t.Errorf("day %d is %v, want %v", i, d.Day, want)
		}
		if d.Figures != (Figures{}) {
			text += fmt.Sprintf("%d%d ", ChartDays-1-i, d.Figures)
		}
	}
	return text
}

func TestDailies(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	post := w.post(t, alice, Public)
	want := func(text string) {
		t.Helper()
		if got := w.chart(t, alice); got != text {
			t.Errorf("the days are %q, want %q", got, text)
		}
	}
	want("")
	for _, viewer := range []string{"one", "two", "two"} {
		_, err := w.Views.Add(watched(), post.ID, viewer)
		fatal(t, err)
	}
	for _, user := range []*User{bob, carol, carol} {
		fatal(t, w.Likes.Add(watched(), user.ID, post.ID))
		fatal(t, w.Subscriptions.Add(watched(), user.ID, alice.ID))
	}
	c := w.comment(t, bob, post, nil)
	want("0{2 2 1 2} ")

	w.advance(3 * day)
	fatal(t, w.Likes.Remove(watched(), bob.ID, post.ID)) // subtracted from the day on which it was given
	fatal(t, w.Likes.Remove(watched(), bob.ID, post.ID))
	fatal(t, w.Subscriptions.Remove(watched(), carol.ID, alice.ID))
	want("3{2 1 1 1} ")
	_, err := w.Comments.Delete(watched(), bob.ID, c.ID)
	fatal(t, err)
	_, err = w.Views.Add(watched(), post.ID, "one")
	fatal(t, err)
	want("3{2 1 0 1} 0{1 0 0 0} ")
	if got := w.chart(t, bob); got != "" {
		t.Errorf("bob has %q", got)
	}

	w.advance(24 * day)
	want("27{2 1 0 1} 24{1 0 0 0} ")
	w.advance(day)
	want("25{1 0 0 0} ")
}

func TestDailiesAreOneForEachDay(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	lastNight := time.Date(2030, 1, 1, 23, 59, 59, 0, time.FixedZone("elsewhere", 5*3600)) // 18:59 in UTC
	fatal(t, w.Dailies.write(ctx, alice.ID, dailyLikes, lastNight, -1))                    // nothing to subtract from
	inTurn := make(chan error)
	for range 10 {
		go func() { inTurn <- w.Dailies.write(context.Background(), alice.ID, dailyLikes, lastNight, 1) }()
	}
	for range 10 {
		fatal(t, <-inTurn)
	}
	if got := w.chart(t, alice); got != "1{0 10 0 0} " {
		t.Errorf("the days are %q", got)
	}
	for range 11 {
		fatal(t, w.Dailies.write(ctx, alice.ID, dailyLikes, lastNight, -1))
	}
	if got := w.chart(t, alice); got != "" {
		t.Errorf("the days are %q", got)
	}
	if n := len(w.documents(t)["dailies"]); n != 1 {
		t.Errorf("there are %d documents", n)
	}
	fatal(t, w.Dailies.writeOf(ctx, happening{post: w.post(t, alice, Draft).ID, figure: dailyViews, day: lastNight}, 1))
	if got := w.chart(t, alice); got != "1{1 0 0 0} " {
		t.Errorf("the days are %q", got)
	}
	wantCode(t, w.Dailies.write(ctx, bson.NewObjectID(), dailyLikes, lastNight, 1), "not_found", "") // of an account that is gone
	w.checkWhole(t)
}

func TestMine(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	names := map[bson.ObjectID]string{}
	for _, name := range []string{"text-public", "video-public", "text-draft", "video-draft", "photo-public"} {
		var kind, state string
		for i := range name {
			if name[i] == '-' {
				kind, state = name[:i], name[i+1:]
			}
		}
		p := &Post{Owner: alice.ID, Kind: Kind(kind), Title: "a title", Description: "text", Visibility: Visibility(state)}
		fatal(t, w.Posts.Create(ctx, p))
		names[p.ID] = name
	}
	w.post(t, bob, Public)
	for _, test := range []struct {
		q    MineQuery
		want string
	}{
		{MineQuery{}, "[photo-public video-draft text-draft video-public text-public]"},
		{MineQuery{Kind: Video}, "[video-draft video-public]"},
		{MineQuery{State: Draft}, "[video-draft text-draft]"},
		{MineQuery{State: Public}, "[photo-public video-public text-public]"},
		{MineQuery{Kind: Text, State: Draft}, "[text-draft]"},
		{MineQuery{Kind: Photo, State: Draft}, "[]"},
	} {
		got := []string{}
		for p := (store.Paging{Limit: 1}); ; {
			page, err := w.Posts.Mine(ctx, alice.ID, test.q, p)
			fatal(t, err)
			for _, post := range page.Items {
				got = append(got, names[post.ID])
			}
			if p.After = page.Next; p.After == "" {
				break
			}
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%+v: %v, want %s", test.q, got, test.want)
		}
	}
}

func TestTotals(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	first, second := w.post(t, alice, Public), w.post(t, alice, Public)
	w.post(t, alice, Draft)
	for _, p := range []*Post{first, second, w.post(t, bob, Public)} {
		fatal(t, w.Likes.Add(ctx, bob.ID, p.ID))
		_, err := w.Views.Add(ctx, p.ID, "somebody")
		fatal(t, err)
		w.comment(t, bob, p, nil)
	}
	fatal(t, w.Subscriptions.Add(ctx, bob.ID, alice.ID))
	got, err := w.Posts.Totals(ctx, alice.ID)
	if want := (Totals{3, Figures{Views: 2, Likes: 2, Comments: 2, Subscribers: 1}}); err != nil || got != want {
		t.Errorf("the totals are %+v, %v", got, err)
	}
	fatal(t, w.Posts.Delete(ctx, alice.ID, first.ID))
	got, err = w.Posts.Totals(ctx, alice.ID)
	if want := (Totals{2, Figures{Views: 1, Likes: 1, Comments: 1, Subscribers: 1}}); err != nil || got != want {
		t.Errorf("the totals are %+v, %v", got, err)
	}
}
