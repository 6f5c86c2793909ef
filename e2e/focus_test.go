package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// items are what a list shows, without items that are being removed.
const items = `[...document.querySelectorAll("[data-list] > li:not([hidden])")]`

// focusIn waits until the focus is on the element, which is not a whole page, and a live region contains the message.
func (p *tab) focusIn(element, said string) {
	p.t.Helper()
	p.until("the focus on "+element, `((e) => e && e !== document.body && document.activeElement === e)(`+element+`)`)
	p.until("a live region that says "+said, `[...document.querySelectorAll("[role=status]")].some((e) => e.innerText.includes(`+quote(said)+`))`)
}

// listsOfThree makes lists for bob from which items can be removed, with three items each, and the messages that the
// site shows then.
func (s *site) listsOfThree() map[string]string {
	s.t.Helper()
	bob := s.User("bob")
	playlist := bob.JSON("POST", "/api/v1/playlist", testsite.M{"name": "Words to keep"}).Status(http.StatusCreated).ID()
	for _, name := range []string{"one", "two", "three"} {
		other := s.User(name)
		post := other.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Words of " + name}).Status(http.StatusCreated).ID()
		bob.Get("/posts/" + post).Status(http.StatusOK) // it is in the history then
		bob.JSON("PATCH", "/api/v1/playlist/add/"+post+"/"+playlist, nil).Status(http.StatusOK)
		bob.PostForm("/playlists/watch-later/"+post+"?_method=PUT", nil).Status(http.StatusSeeOther)
		own := bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Words for " + name}).Status(http.StatusCreated).ID()
		other.JSON("POST", "/api/v1/comments/"+own, testsite.M{"content": "Words by " + name}).Status(http.StatusCreated)
		id := s.User("not"+name).JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK).ID()
		bob.PostForm("/users/blocks/"+id+"?_method=PUT", nil).Status(http.StatusSeeOther)
	}
	s.DB.WaitRemovals() // people are notified in the background
	return map[string]string{
		"/playlists/" + playlist: "Removed from the playlist.",
		"/playlists/watch-later": "Removed from",
		"/history":               "Removed from your history.",
		"/notifications":         "The notification is removed.",
		"/settings/blocks":       "You have unblocked @",
	}
}

// TestFocusAfterRemoval removes all items of every list one by one: the focus moves to the next one, at the end of the
// list to the previous one, and finally to the heading. A live region announces what happened.
func TestFocusAfterRemoval(t *testing.T) {
	s := open(t)
	lists := s.listsOfThree()
	p := s.Browser()
	p.Go("/login")
	p.logIn("bob", testsite.Password)
	p.At("/")
	remove := func(nth int) {
		t.Helper()
		p.enhanced(fmt.Sprintf(`%s.at(%d).querySelector("[data-remove]")`, items, nth), "submit")
		p.click(fmt.Sprintf(`%s.at(%d).querySelector("[data-remove] button")`, items, nth))
	}
	for path, said := range lists {
		p.Go(path)
		p.until("three items at "+path, items+".length === 3")
		evaluate[any](p, items+`.forEach((e, i) => { e.dataset.was = i; })`)
		remove(0)
		p.focusIn(`document.querySelector("[data-was='1']")`, said)
		remove(-1)
		p.until("one item", items+".length === 1 && !document.querySelector('[data-was]')") // the site has re-rendered it
		p.focusIn(items+"[0]", said)
		remove(0)
		p.until("none", items+".length === 0")
		p.focusIn(`document.querySelector(":is(h1, h2)[tabindex]")`, said)
		p.At(path) // without a script, the response would lead to a page
	}

	for range 2 {
		s.SignIn("bob")
	}
	p.Go("/settings/sessions")
	n := evaluate[int](p, items+".length")
	remove(1)
	p.focusIn(items+"[1]", "Device signed out.")
	for range n - 2 {
		remove(-1)
		p.Sees("Device signed out.")
		n--
		p.until("one less", fmt.Sprintf("%s.length === %d", items, n-1))
	}
	p.until("the page as it is with one device", `!document.querySelector("form[action='/settings/sessions?_method=DELETE']")`)
	p.focusIn(items+"[0]", "Device signed out.")
}

// TestRemovalRefused removes an item, which the site then refuses: the item comes back with the focus.
func TestRemovalRefused(t *testing.T) {
	s := open(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/items/") {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = w.Write([]byte(`{"message":"The site is busy."}`))
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	s.listsOfThree()
	p := s.Browser()
	p.Expect("status of 503")
	p.Go("/login?next=/playlists")
	p.logIn("bob", testsite.Password)
	p.Follow("Words to keep")
	p.until("three items", items+".length === 3")
	p.enhanced(`document.querySelector("[data-remove]")`, "submit")
	p.Press("Remove")
	p.focusIn(`document.querySelector("[data-remove] button")`, "The site is busy.")
	p.until("three items", items+".length === 3")
}

// TestFocusAfterMove sorts a playlist with the keyboard: the focus stays on the moved item's button.
func TestFocusAfterMove(t *testing.T) {
	s := open(t)
	s.listsOfThree()
	p := s.Browser()
	p.Go("/login?next=/playlists")
	p.logIn("bob", testsite.Password)
	p.Follow("Words to keep")
	p.until("three items", items+".length === 3")
	p.enhanced(`document.querySelector("[data-move]")`, "submit")
	first := evaluate[string](p, items+`[0].querySelector("h2").innerText`)
	for place := 1; place < 3; place++ {
		p.Press("Move down: " + first)
		p.until("the next place", fmt.Sprintf(`%s[%d].querySelector("h2").innerText === %s`, items, place, quote(first)))
		p.focusIn(fmt.Sprintf(`%s[%d].querySelector("[data-move]:nth-of-type(2) button")`, items, place), "Moved down.")
	}
	p.Reload()
	p.until("the same order", fmt.Sprintf(`%s[2].querySelector("h2").innerText === %s`, items, quote(first)))
}

// TestFocusAfterForms removes things without scripts, and by forms that lead to another page: that page starts at its
// message.
func TestFocusAfterForms(t *testing.T) {
	s := open(t)
	lists := s.listsOfThree()
	p := s.Browser()
	p.Go("/login")
	p.logIn("bob", testsite.Password)
	p.At("/")
	p.focusIn(`document.querySelector(".flash")`, "You are logged in.")
	p.writes("Soon gone")
	p.focusIn(`document.querySelector(".flash")`, "Published.")
	p.Follow("Delete")
	p.Press("Delete permanently")
	p.focusIn(`document.querySelector(".flash")`, "Post deleted.")
	p.At("/@bob")

	p.withoutScripts()
	for path, said := range lists {
		p.Go(path)
		p.click(items + `[0]?.querySelector("[data-remove] button")`)
		p.focusIn(`document.querySelector(".flash")`, said)
		p.until("two left", items+".length === 2")
	}
	p.Go("/settings/sessions")
	p.Press("Sign out")
	p.focusIn(`document.querySelector(".flash")`, "Device signed out.")

	// In the middle of a page, at a comment, the message is visible nevertheless.
	path := p.writes(strings.Repeat("A line.\n", 150))
	p.Go(path)
	p.Fill("Your comment", "A comment")
	p.Press("Comment")
	p.Sees("Comment posted.")
	p.until("the message in sight", `scrollY > 1000 && ((r) => r.top >= 0 && r.bottom <= innerHeight)(document.querySelector(".flash").getBoundingClientRect())`)
}
