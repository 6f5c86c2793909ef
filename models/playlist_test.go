package models

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// list makes a playlist.
func (w *world) list(t *testing.T, owner *User, name string, v Visibility) *Playlist {
	t.Helper()
	l := &Playlist{Owner: owner.ID, Name: name, Visibility: v}
	fatal(t, w.Playlists.Create(watched(), l))
	return l
}

// inside are the numbers of the posts that the viewer sees in a playlist, in order.
func (w *world) inside(t *testing.T, viewer *User, l *Playlist, posts []*Post) string {
	t.Helper()
	page, err := w.Playlists.Items(watched(), viewer.ID, l, store.Paging{Limit: store.MaxLimit})
	fatal(t, err)
	text := ""
	for _, p := range page.Items {
		for i := range posts {
			if posts[i].ID == p.ID {
				text += fmt.Sprint(i)
			}
		}
	}
	return text
}

func TestPlaylists(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	names := func(viewer *User) string {
		t.Helper()
		page, err := w.Playlists.Page(watched(), viewer.ID, alice.ID, store.Paging{})
		fatal(t, err)
		text := ""
		for _, l := range page.Items {
			text += l.Name + " "
		}
		return text
	}
	public, unlisted, private := w.list(t, alice, "Music", Public), w.list(t, alice, "Links", Unlisted), w.list(t, alice, "Mine", "")
	if of, others := names(alice), names(bob); of != "Mine Links Music Watch later " || others != "Music " {
		t.Errorf("alice sees %q, bob %q", of, others)
	}
	all, err := w.Playlists.All(watched(), alice.ID)
	fatal(t, err)
	if len(all) != 4 {
		t.Errorf("%d playlists", len(all))
	}
	for _, l := range []*Playlist{public, unlisted} {
		_, err := w.Playlists.Visible(watched(), bob.ID, l.ID)
		fatal(t, err)
		_, err = w.Playlists.Own(watched(), bob.ID, l.ID)
		wantCode(t, err, apperr.Forbidden, "")
		wantCode(t, w.Playlists.Delete(watched(), bob.ID, l.ID), apperr.Forbidden, "")
	}
	_, err = w.Playlists.Visible(watched(), bson.NilObjectID, private.ID)
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.Playlists.Delete(watched(), bob.ID, private.ID), apperr.NotFound, "")
	name := "mUSIC"
	_, err = w.Playlists.Update(watched(), bob.ID, private.ID, PlaylistChanges{Name: &name})
	wantCode(t, err, apperr.NotFound, "")
	_, err = w.Playlists.Update(watched(), alice.ID, private.ID, PlaylistChanges{Name: &name})
	wantCode(t, err, apperr.Conflict, "name")
	for _, taken := range []string{"music", " Music ", "MUSIC", "Watch later", "watch  LATER"} {
		wantCode(t, w.Playlists.Create(watched(), &Playlist{Owner: alice.ID, Name: taken}), apperr.Conflict, "name")
	}
	w.list(t, bob, "Music", Public) // another owner's
	for field, bad := range map[string]Playlist{
		"name": {Name: " "}, "description": {Name: "x", Description: strings.Repeat("x", 5001)}, "visibility": {Name: "x", Visibility: Draft},
	} {
		bad.Owner = alice.ID
		wantCode(t, w.Playlists.Create(watched(), &bad), apperr.Invalid, field)
	}
	wantCode(t, w.Playlists.Create(watched(), &Playlist{Owner: alice.ID, Name: strings.Repeat("x", 101)}), apperr.Invalid, "name")
	renamed, visible := "Songs", Private
	l, err := w.Playlists.Update(watched(), alice.ID, public.ID, PlaylistChanges{Name: &renamed, Visibility: &visible})
	if err != nil || l.Name != "Songs" || l.Visibility != Private {
		t.Errorf("%v %v", l, err)
	}
	fatal(t, w.Playlists.Delete(watched(), alice.ID, public.ID))
	w.list(t, alice, "Songs", Public) // available immediately
	wantCode(t, w.Playlists.Delete(watched(), alice.ID, public.ID), apperr.NotFound, "")
	w.DB.WaitRemovals()
	w.checkWhole(t)
}

func TestPlaylistItems(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	posts := []*Post{w.post(t, alice, Public), w.post(t, bob, Public), w.post(t, bob, Public), w.post(t, bob, Draft), w.post(t, alice, Public)}
	l := w.list(t, alice, "List", Public)
	want := func(viewer *User, text string) {
		t.Helper()
		if got := w.inside(t, viewer, l, posts); got != text {
			t.Errorf("%s sees %q, want %q", viewer.Username, got, text)
		}
	}
	count := func(n int64) {
		t.Helper()
		now, err := w.Playlists.Visible(watched(), alice.ID, l.ID)
		if err != nil || now.ItemsCount != n {
			t.Errorf("%v items, %v", now, err)
		}
	}
	for _, i := range []int{0, 1, 2, 4, 1} {
		fatal(t, w.Playlists.Add(watched(), alice.ID, l.ID, posts[i].ID))
	}
	want(bob, "0124")
	count(4)
	wantCode(t, w.Playlists.Add(watched(), alice.ID, l.ID, posts[3].ID), apperr.NotFound, "")
	wantCode(t, w.Playlists.Add(watched(), bob.ID, l.ID, posts[0].ID), apperr.Forbidden, "")
	wantCode(t, w.Playlists.Remove(watched(), bob.ID, l.ID, posts[0].ID), apperr.Forbidden, "")
	wantCode(t, w.Playlists.Move(watched(), bob.ID, l.ID, posts[0].ID, false), apperr.Forbidden, "")

	order := func(numbers ...int) (ids []bson.ObjectID) {
		for _, i := range numbers {
			ids = append(ids, posts[i].ID)
		}
		return ids
	}
	fatal(t, w.Playlists.Reorder(watched(), alice.ID, l.ID, order(4, 2, 1, 0)))
	want(bob, "4210")
	fatal(t, w.Playlists.Reorder(watched(), alice.ID, l.ID, order(0, 4))) // the others stay
	want(bob, "0214")
	wantCode(t, w.Playlists.Reorder(watched(), alice.ID, l.ID, order(0, 0)), apperr.Invalid, "order")
	wantCode(t, w.Playlists.Reorder(watched(), alice.ID, l.ID, order(0, 3)), apperr.Invalid, "order")
	wantCode(t, w.Playlists.Reorder(watched(), bob.ID, l.ID, order(0, 4)), apperr.Forbidden, "")

	// A post that becomes a draft is skipped, and later returns to its place.
	w.visibility(t, posts[2], Draft)
	want(alice, "014")
	want(bob, "0214") // it is his
	fatal(t, w.Playlists.Move(watched(), alice.ID, l.ID, posts[1].ID, true))
	want(alice, "104")
	wantCode(t, w.Playlists.Move(watched(), alice.ID, l.ID, posts[2].ID, true), apperr.NotFound, "")
	fatal(t, w.Playlists.Move(watched(), alice.ID, l.ID, posts[1].ID, true)) // the first stays
	fatal(t, w.Playlists.Move(watched(), alice.ID, l.ID, posts[4].ID, false))
	fatal(t, w.Playlists.Move(watched(), alice.ID, l.ID, posts[0].ID, false))
	want(alice, "140")
	w.visibility(t, posts[2], Public)
	want(alice, "1240")

	for range 2 {
		fatal(t, w.Playlists.Remove(watched(), alice.ID, l.ID, posts[2].ID))
	}
	wantCode(t, w.Playlists.Remove(watched(), alice.ID, l.ID, posts[3].ID), apperr.NotFound, "")
	fatal(t, w.Posts.Delete(watched(), bob.ID, posts[1].ID))
	w.DB.WaitRemovals()
	want(bob, "40")
	count(2)
	saved, err := w.Playlists.Saved(watched(), alice.ID, order(0, 1))
	if err != nil || len(saved) != 1 || saved[0].Playlist != l.ID {
		t.Errorf("saved in %v, %v", saved, err)
	}
	w.checkWhole(t)
	fatal(t, w.Users.Delete(watched(), alice.ID))
	w.DB.WaitRemovals()
	if left := w.documents(t); len(left["playlists"])+len(left["playlistItems"]) != 0 {
		t.Errorf("%d playlists and %d items are left", len(left["playlists"]), len(left["playlistItems"]))
	}
	w.checkWhole(t)
}

func TestPlaylistsHaveLimits(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	l, post := w.list(t, alice, "List", Public), w.post(t, alice, Public)
	full := func(users, lists int) {
		_, err := w.Users.users.Update(watched(), store.Where("_id", alice.ID), bson.D{store.Set("playlistsCount", users)})
		fatal(t, err)
		_, err = w.Playlists.lists.Update(watched(), store.Where("_id", l.ID), bson.D{store.Set("itemsCount", lists)})
		fatal(t, err)
	}
	full(200, 500)
	wantCode(t, w.Playlists.Create(watched(), &Playlist{Owner: alice.ID, Name: "One more"}), apperr.Conflict, "")
	wantCode(t, w.Playlists.Add(watched(), alice.ID, l.ID, post.ID), apperr.Conflict, "")
	full(199, 499)
	w.list(t, alice, "One more", Public)
	fatal(t, w.Playlists.Add(watched(), alice.ID, l.ID, post.ID))
}

func TestWatchLater(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	posts := []*Post{w.post(t, alice, Public), w.post(t, alice, Draft)}
	_, err := w.Playlists.WatchLater(watched(), bob.ID)
	wantCode(t, err, apperr.NotFound, "")
	fatal(t, w.Playlists.RemoveLater(watched(), bob.ID, posts[0].ID))
	wantCode(t, w.Playlists.RemoveLater(watched(), bob.ID, posts[1].ID), apperr.NotFound, "")
	wantCode(t, w.Playlists.AddLater(watched(), bob.ID, posts[1].ID), apperr.NotFound, "")

	var all sync.WaitGroup // ten concurrent calls create one playlist, with one entry
	for range 10 {
		all.Go(func() {
			if err := w.Playlists.AddLater(watched(), bob.ID, posts[0].ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	lists, err := w.Playlists.All(watched(), bob.ID)
	fatal(t, err)
	if len(lists) != 1 || !lists[0].IsWatchLater() || lists[0].ItemsCount != 1 || w.inside(t, bob, lists[0], posts) != "0" {
		t.Fatalf("%d playlists, %+v", len(lists), lists[0])
	}
	later := lists[0].ID
	_, err = w.Playlists.Visible(watched(), alice.ID, later)
	wantCode(t, err, apperr.NotFound, "")
	wantCode(t, w.Playlists.Delete(watched(), bob.ID, later), apperr.Forbidden, "")
	name, public := "Mine", Public
	_, err = w.Playlists.Update(watched(), bob.ID, later, PlaylistChanges{Name: &name})
	wantCode(t, err, apperr.Forbidden, "")
	_, err = w.Playlists.Update(watched(), bob.ID, later, PlaylistChanges{Visibility: &public})
	wantCode(t, err, apperr.Forbidden, "")
	for range 2 {
		fatal(t, w.Playlists.RemoveLater(watched(), bob.ID, posts[0].ID))
	}
	w.checkWhole(t)
}

// Ten concurrent calls with one name create one playlist.
func TestPlaylistsAtOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	made := make(chan error, 10)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { made <- w.Playlists.Create(watched(), &Playlist{Owner: alice.ID, Name: "Music"}) })
	}
	all.Wait()
	close(made)
	n := 0
	for err := range made {
		if err == nil {
			n++
			continue
		}
		wantCode(t, err, apperr.Conflict, "name")
	}
	lists, err := w.Playlists.All(watched(), alice.ID)
	if err != nil || n != 1 || len(lists) != 2 {
		t.Errorf("%d made, %d there, %v", n, len(lists), err)
	}
	w.checkWhole(t)
}
