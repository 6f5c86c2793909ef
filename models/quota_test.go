package models

import (
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// photo creates a photo of a user with files of these sizes.
func (w *world) photo(owner *User, size, thumbnail int64) (*Post, error) {
	p := &Post{Owner: owner.ID, Kind: Photo, Title: "hills", Visibility: Draft, Size: size, ThumbnailSize: thumbnail}
	return p, w.Posts.Create(watched(), p)
}

func (w *world) stored(t *testing.T, u *User) int64 {
	t.Helper()
	now, err := w.Users.ByID(watched(), u.ID)
	fatal(t, err)
	return now.StoredBytes
}

func TestAQuotaIsNotExceeded(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	large, err := w.photo(alice, worldQuota-1000, 400)
	fatal(t, err)
	_, err = w.photo(alice, 500, 101)
	wantCode(t, err, apperr.TooLarge, "")
	_, err = w.photo(alice, 500, 100)
	fatal(t, err)
	if _, err := w.photo(bob, worldQuota, 0); err != nil {
		t.Errorf("bob has a quota of his own: %v", err)
	}
	fatal(t, w.Posts.Create(ctx, &Post{Owner: alice.ID, Kind: Text, Description: "full", Visibility: Public}))
	if n := w.stored(t, alice); n != worldQuota {
		t.Errorf("%d bytes are counted", n)
	}
	name, smaller := "private/new.jpg", int64(100)
	_, err = w.Posts.Update(ctx, alice.ID, large.ID, PostChanges{Thumbnail: &name, ThumbnailSize: &smaller})
	fatal(t, err)
	if n := w.stored(t, alice); n != worldQuota-300 {
		t.Errorf("after a smaller thumbnail, %d bytes are counted", n)
	}
	fatal(t, w.Posts.Delete(ctx, alice.ID, large.ID))
	if n := w.stored(t, alice); n != 600 { // immediately, whenever the files are deleted
		t.Errorf("after it is deleted, %d bytes are counted", n)
	}
	w.DB.WaitRemovals()
	if _, err := w.photo(alice, worldQuota-600, 0); err != nil {
		t.Errorf("what was deleted makes room: %v", err)
	}
	w.checkWhole(t)
}

func TestAPreviewCounts(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	p := &Post{Owner: alice.ID, Kind: Photo, Title: "hills", Visibility: Draft, Size: 100, ThumbnailSize: 10, Preview: "private/p.jpg", PreviewSize: 30}
	fatal(t, w.Posts.Create(ctx, p))
	if n := w.stored(t, alice); n != 140 {
		t.Errorf("%d bytes are counted", n)
	}
	over := &Post{Owner: alice.ID, Kind: Photo, Title: "hills", Visibility: Draft, Size: worldQuota - 200, PreviewSize: 61}
	wantCode(t, w.Posts.Create(ctx, over), apperr.TooLarge, "")
	fatal(t, w.Posts.Delete(ctx, alice.ID, p.ID))
	w.DB.WaitRemovals()
	if n := w.stored(t, alice); n != 0 {
		t.Errorf("after it is deleted, %d bytes are counted", n)
	}
	w.checkWhole(t)
}

func TestAQuotaIsNotExceededByManyAtOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	var fits, over atomic.Int32
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			_, err := w.photo(alice, worldQuota/4-100, 100)
			for apperr.Is(err, apperr.Unavailable) {
				_, err = w.photo(alice, worldQuota/4-100, 100)
			}
			switch {
			case err == nil:
				fits.Add(1)
			case apperr.Is(err, apperr.TooLarge):
				over.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if fits.Load() != 4 || over.Load() != 8 || w.stored(t, alice) != worldQuota {
		t.Errorf("%d fit, %d did not, %d bytes", fits.Load(), over.Load(), w.stored(t, alice))
	}
}

func TestRepairCountsBytesAgain(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	_, err := w.photo(alice, 700, 70)
	fatal(t, err)
	_, err = w.Users.users.Update(ctx, store.Where("_id", alice.ID), bson.D{store.Set("storedBytes", int64(5))})
	fatal(t, err)
	w.repairing = true // and it may read everything
	if done, err := w.DB.Repair(ctx, store.Repair{Say: t.Logf}); err != nil || done.Mended != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if n := w.stored(t, alice); n != 770 {
		t.Errorf("%d bytes are counted", n)
	}
}
