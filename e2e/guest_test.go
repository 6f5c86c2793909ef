package e2e_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"tokentube/e2e/testsite"
)

// TestGuest uses the site as somebody without an account: they look around, want to like something, sign up for it, and
// return to where they were.
func TestGuest(t *testing.T) {
	s := open(t)
	alice := s.User("alice")
	photo := testsite.File{Field: "photo", Name: "photo.png", Content: pictureBytes(t)}
	alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Boats at noon", "alt": "A square", "tags": "boats"}, photo).Status(http.StatusCreated)
	alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": "A square goes by"},
		testsite.File{Field: "videoFile", Name: "video.mp4", Content: testsite.Video}).Status(http.StatusCreated)
	words := "/posts/" + alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Words about boats"}).Status(http.StatusCreated).ID()

	p := s.Browser()
	p.Go("/")
	p.Sees("See how logins really work", "Boats at noon", "A square goes by", "Words about boats")
	for _, post := range []struct{ title, path string }{{"A square goes by", "/watch/"}, {"Boats at noon", "/photos/"}, {"Words about boats", "/posts/"}} {
		p.tabTo(post.title)
		p.key(kb.Enter)
		p.until(post.path, `document.readyState === "complete" && location.pathname.startsWith(`+quote(post.path)+`)`)
		p.Sees(post.title, "The alice")
		if post.path == "/watch/" {
			p.plays()
		}
		p.Back()
		p.At("/")
	}

	p.tabTo("Search")
	p.types("boats")
	p.key(kb.Enter)
	p.At("/search?q=boats")
	p.Sees("Boats at noon", "Words about boats")
	p.SeesNot("A square goes by")
	p.Follow("The alice")
	p.At("/@alice")
	p.Sees("@alice", "3 posts", "A square goes by")
	p.Back()
	p.At("/search?q=boats")
	for link, at := range map[string]string{"Token lab": "/token-lab", "Learn": "/learn"} {
		p.Follow(link)
		p.At(at)
		p.Back()
		p.At("/search?q=boats")
	}

	p.Follow("Words about boats")
	p.At(words)
	p.tabTo("Like")
	p.key(kb.Enter)
	p.until("the login", `document.readyState === "complete" && location.pathname === "/login"`)
	p.Sees("Log in to like, comment and subscribe.")
	p.Back()
	p.At(words)
	p.Follow("Like")
	p.Follow("Create an account")
	p.until("the registration", `location.pathname === "/register"`)
	p.Fill("Username", "newcomer")
	p.Fill("Email", "newcomer@example.com")
	p.Fill("Your name", "A newcomer")
	p.Fill("Password", testsite.Password)
	p.Press("Create account")
	p.At(words)
	p.enhanced(likeForm, "submit")
	p.likes("false", "0") // signing up alone likes nothing
	p.click(likeButton)
	p.likes("true", "1")
}

// TestStudio is a creator who tidies up: unpublishes and deletes several posts at once, after selecting none by
// mistake.
func TestStudio(t *testing.T) {
	s := open(t)
	alice := s.User("alice")
	for _, text := range []string{"The first", "The second", "The third"} {
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": text}).Status(http.StatusCreated)
	}
	p := s.Browser()
	p.Expect("status of 422")
	p.Go("/login?next=/studio")
	p.logIn("alice", testsite.Password)
	p.At("/studio")
	p.Press("Unpublish")
	p.until("the fault", `document.activeElement.matches("[role=alert]")`)
	p.Choose("Choose The first")
	p.Choose("Choose The third")
	p.Press("Unpublish")
	p.focusIn(`document.querySelector(".flash")`, "Unpublished: 2 posts.")
	p.until("two drafts", `[...document.querySelectorAll(".entry")].filter((e) => e.innerText.includes("Draft")).length === 2`)
	p.Go("/studio?state=draft")
	p.Choose("Choose The third")
	p.Press("Delete")
	p.Press("Delete them")
	p.focusIn(`document.querySelector(".flash")`, "Deleted: 1 post.")
	p.until("the other draft", `location.search.includes("state=draft") && document.querySelectorAll(".entry").length === 1`)
	p.Sees("The first")
}
