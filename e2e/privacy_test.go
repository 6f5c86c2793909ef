package e2e_test

import (
	"net/http"
	"testing"

	"tokentube/e2e/testsite"
)

// TestDraft checks that only its owner can see a draft and its file.
func TestDraft(t *testing.T) {
	s := open(t)
	s.User("bob")
	draft := s.User("alice").Upload("POST", "/api/v1/photos", map[string]string{
		"title": "Not for you", "alt": "A white square", "visibility": "draft",
	}, testsite.File{Field: "photo", Name: "photo.png", Content: pictureBytes(t)}).Status(http.StatusCreated)
	page, file := "/photos/"+draft.ID(), "/media/posts/"+draft.ID()

	owner := s.Browser()
	owner.Go("/login?next=" + page)
	owner.logIn("alice", testsite.Password)
	owner.At(page)
	owner.Sees("Not for you")
	owner.until("the photo", `document.querySelector("main img[alt='A white square']")?.naturalWidth > 0`)
	owner.statusOf(file, http.StatusOK)

	other := owner.Stranger()
	other.Go("/login")
	other.logIn("bob", testsite.Password)
	other.At("/")
	for _, p := range []*tab{other, owner.Stranger()} {
		p.Expect("status of 404")
		p.Go(page)
		p.SeesNot("Not for you")
		p.statusOf(page, http.StatusNotFound)
		p.statusOf(file, http.StatusNotFound)
		p.Go("/@alice")
		p.SeesNot("Not for you")
		p.statusOf("/@alice?tab=drafts", http.StatusNotFound)
	}
}

// statusOf requests a path from within the page, with the page's cookies.
func (p *tab) statusOf(path string, want int) {
	p.t.Helper()
	if got := evaluate[int](p, "fetch("+quote(path)+").then((answer) => answer.status)"); got != want {
		p.t.Errorf("%s answers %d, want %d", path, got, want)
	}
}
