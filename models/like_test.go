package models

import (
	"testing"

	"tokentube/models/store"
)

func TestLikedPosts(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	first, second := w.post(t, alice, Public), w.post(t, alice, Public)
	liked := func(want ...*Post) {
		t.Helper()
		page, err := w.Likes.Page(watched(), bob.ID, store.Paging{})
		fatal(t, err)
		same := len(page.Items) == len(want)
		for i := range want {
			same = same && page.Items[i].ID == want[i].ID
		}
		if !same {
			t.Errorf("%d posts are liked", len(page.Items))
		}
	}
	liked()
	fatal(t, w.Likes.Toggle(watched(), bob.ID, second.ID))
	fatal(t, w.Likes.Toggle(watched(), bob.ID, first.ID))
	liked(first, second)
	w.visibility(t, first, Draft)
	liked(second)
	w.visibility(t, first, Public)
	liked(first, second)
	fatal(t, w.Likes.Toggle(watched(), bob.ID, first.ID))
	liked(second)
}
