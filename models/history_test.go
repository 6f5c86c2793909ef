package models

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// video makes a video with a length in seconds.
func (w *world) video(t *testing.T, owner *User, duration float64) *Post {
	t.Helper()
	p := &Post{Owner: owner.ID, Kind: Video, Title: "a video", Duration: duration, Visibility: Public, Media: "file of " + owner.Username}
	fatal(t, w.Posts.Create(watched(), p))
	return p
}

func (w *world) visibility(t *testing.T, p *Post, v Visibility) {
	t.Helper()
	_, err := w.Posts.Update(watched(), p.Owner, p.ID, PostChanges{Visibility: &v})
	fatal(t, err)
}

// history is what a user watched, and how far they got.
func (w *world) history(t *testing.T, u *User) string {
	t.Helper()
	page, err := w.History.Page(watched(), u.ID, store.Paging{Limit: store.MaxLimit})
	fatal(t, err)
	text := ""
	for _, entry := range page.Items {
		text += fmt.Sprint(entry.Post.Title, entry.Post.Duration, ":", entry.Position, " ")
	}
	return text
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	short, long := w.video(t, alice, 60), w.video(t, alice, 600)
	want := func(text string) {
		t.Helper()
		if got := w.history(t, bob); got != text {
			t.Errorf("the history is %q, want %q", got, text)
		}
	}
	position := func(p *Post, seconds, noted float64) {
		t.Helper()
		if got, err := w.History.SetPosition(watched(), bob.ID, p.ID, seconds); err != nil || got != noted {
			t.Errorf("%v %v, want %v", got, err, noted)
		}
	}
	want("")
	fatal(t, w.History.Add(watched(), bob.ID, short.ID))
	w.advance(time.Second)
	position(long, 90.5, 90.5)
	w.advance(time.Second)
	want("a video600:90.5 a video60:0 ")
	position(short, 61, 60) // a browser may round differently
	w.advance(time.Second)
	want("a video60:60 a video600:90.5 ")
	fatal(t, w.History.Add(watched(), bob.ID, long.ID)) // opened again, but not yet played
	want("a video600:90.5 a video60:60 ")

	positions, err := w.History.Positions(watched(), bob.ID, []bson.ObjectID{long.ID, alice.ID})
	fatal(t, err)
	if len(positions) != 1 || positions[long.ID] != 90.5 {
		t.Errorf("the positions are %v", positions)
	}

	w.visibility(t, long, Draft)
	want("a video60:60 ")
	_, err = w.History.SetPosition(watched(), bob.ID, long.ID, 1)
	wantCode(t, err, apperr.NotFound, "")
	w.visibility(t, long, Public)
	want("a video600:90.5 a video60:60 ")

	fatal(t, w.History.Pause(watched(), bob.ID, true))
	position(short, 5, 5)
	want("a video600:90.5 a video60:60 ")
	fatal(t, w.History.Pause(watched(), bob.ID, false))

	for range 2 {
		fatal(t, w.History.Remove(watched(), bob.ID, short.ID))
	}
	want("a video600:90.5 ")
	wantCode(t, w.History.Remove(watched(), bob.ID, bob.ID), apperr.NotFound, "")
	fatal(t, w.Posts.Delete(watched(), alice.ID, short.ID))
	fatal(t, w.History.Add(watched(), alice.ID, long.ID))
	for range 2 {
		fatal(t, w.History.Clear(watched(), bob.ID))
	}
	want("")
	if w.history(t, alice) == "" {
		t.Error("alice's history is cleared too")
	}
	w.DB.WaitRemovals()
	w.checkWhole(t)
}

func TestPositionsAreNumbersOfSecondsInAVideo(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	video, text := w.video(t, alice, 0), w.post(t, alice, Public)
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1), 1e9} {
		_, err := w.History.SetPosition(watched(), alice.ID, video.ID, bad)
		wantCode(t, err, apperr.Invalid, "position")
	}
	_, err := w.History.SetPosition(watched(), alice.ID, text.ID, 1)
	wantCode(t, err, apperr.Invalid, "position")
	if got := w.history(t, alice); got != "" {
		t.Errorf("the history is %q", got)
	}
	_, err = w.History.SetPosition(watched(), alice.ID, video.ID, 7200) // a video of unknown length
	fatal(t, err)
}

func TestHistoryAtOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	video := w.video(t, alice, 60)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if _, err := w.History.SetPosition(watched(), bob.ID, video.ID, float64(i+1)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	page, err := w.History.Page(watched(), bob.ID, store.Paging{})
	fatal(t, err)
	if len(page.Items) != 1 || page.Items[0].Position == 0 {
		t.Errorf("the history is %v", page.Items)
	}
}

func TestHistoryGoesWithPostAndAccountAndByAge(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	one, two := w.video(t, alice, 60), w.video(t, carol, 60)
	for _, p := range []*Post{one, two} {
		fatal(t, w.History.Add(watched(), bob.ID, p.ID))
		fatal(t, w.History.Add(watched(), carol.ID, p.ID))
	}
	fatal(t, w.Posts.Delete(watched(), alice.ID, one.ID))
	fatal(t, w.Users.Delete(watched(), bob.ID))
	w.DB.WaitRemovals()
	if left := w.documents(t)["history"]; len(left) != 1 {
		t.Errorf("%d entries are left", len(left))
	}
	left, err := w.History.watched.One(watched(), store.Where("user", carol.ID, "post", two.ID))
	fatal(t, err)
	if kept := left.ExpiresAt.Sub(left.WatchedAt); kept != historyKept {
		t.Errorf("kept for %v", kept)
	}
	w.checkWhole(t)
}
