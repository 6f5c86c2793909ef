package e2e_test

import (
	"net/http"
	"slices"
	"testing"

	"tokentube/e2e/testsite"
)

// TestDirections: each line that people write starts at the side where its language starts, wherever it is shown.
func TestDirections(t *testing.T) {
	const mixed, other = "A line in English.\n\n#بحر ثم سطر بالعربية", "سطر بالعربية\nA line in English."
	s := open(t)
	alice := s.User("alice")
	alice.JSON("PATCH", "/api/v1/users/update-user-bio", testsite.M{"bio": mixed}).Status(http.StatusOK)
	first := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": mixed}).Status(http.StatusCreated).ID()
	second := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": other}).Status(http.StatusCreated).ID()
	alice.JSON("POST", "/api/v1/comments/"+first, testsite.M{"content": other}).Status(http.StatusCreated)
	playlist := alice.JSON("POST", "/api/v1/playlist", testsite.M{"name": "قائمة", "description": other, "visibility": "public"}).Status(http.StatusCreated).ID()

	english, arabic := []string{"left", "", "right"}, []string{"right", "left"}
	p := s.Browser()
	for _, look := range []struct {
		path, text string
		want       []string
	}{
		{"/posts/" + first, ".words", english}, {"/posts/" + second, ".words", arabic}, {"/posts/" + first, ".comment-text", arabic},
		{"/posts/" + second, ".beside .note", english}, {"/posts/" + first, ".beside .note", arabic},
		{"/@alice", ".channel .description", english}, {"/playlists/" + playlist, ".description", arabic},
	} {
		p.Go(look.path)
		if got := evaluate[[]string](p, "("+sides+")("+quote(look.text)+")"); !slices.Equal(got, look.want) {
			t.Errorf("%s: the lines of %s begin at %q, want %q", look.path, look.text, got, look.want)
		}
	}
}

// sides returns the side that each line of a text touches: that is where its letters are.
const sides = `(text) => [...document.querySelectorAll(text + " .line")].map((line) => {
  const range = document.createRange();
  range.selectNodeContents(line);
  const [letters, box] = [range.getBoundingClientRect(), line.getBoundingClientRect()];
  if (!line.textContent.trim()) return "";
  return Math.abs(letters.left - box.left) < 1 ? "left" : Math.abs(letters.right - box.right) < 1 ? "right" : "neither";
})`
