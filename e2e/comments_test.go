package e2e_test

import (
	"net/http"
	"testing"

	"tokentube/e2e/testsite"
)

const (
	comments    = `document.querySelector("[data-comments]")`
	commentLike = `document.querySelector(".comment-bar [data-toggle] button")`
)

// shown waits for the texts of the comments, in order, with their number above them.
func (p *tab) shown(title string, words ...string) {
	p.t.Helper()
	list := ""
	for _, w := range words {
		list += quote(w) + ","
	}
	p.until("the comments", `document.querySelector("#comments-title").textContent.trim() === `+quote(title)+
		` && JSON.stringify([...document.querySelectorAll(".comment:not([aria-busy=true], [hidden]) .comment-text, .comment-gone > p:first-child")].map((c) => c.textContent)) === JSON.stringify([`+list+`])`)
}

// TestComments comments on a post with scripts: nothing reloads a page, and what the site refuses is undone.
func TestComments(t *testing.T) {
	s := open(t)
	alice, bob := s.User("alice"), s.User("bob")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Hello."}).Status(http.StatusCreated).ID()
	first := bob.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "The first"}).Status(http.StatusCreated).ID()
	p := s.Browser()
	p.Go("/login?next=/posts/" + post)
	p.logIn("alice", testsite.Password)
	p.At("/posts/" + post)
	p.enhanced(comments, "submit")
	evaluate[any](p, "window.same = true")

	p.Fill("Your comment", "Mine, see https://example.com")
	p.Press("Comment")
	p.shown("2 comments", "Mine, see https://example.com", "The first")
	p.until("a link", `document.querySelector(".comment-text a")?.rel === "nofollow ugc noopener"`)

	p.click(commentLike)
	p.until("the like", `((b) => b.form.ariaBusy !== "true" && b.ariaPressed === "true" && b.textContent.trim().endsWith("1"))(`+commentLike+`)`)
	if n := alice.JSON("GET", "/api/v1/comments/"+post, nil).Data()["comments"].([]any)[0].(testsite.M)["likesCount"]; n != 1.0 {
		t.Errorf("%v likes", n)
	}

	p.Press("Reply to The bob")
	p.Fill("Your reply to The bob", "A reply")
	p.click(`document.querySelector("#comment-` + first + ` details[open] button")`)
	p.shown("3 comments", "Mine, see https://example.com", "The first", "A reply")

	bob.JSON("DELETE", "/api/v1/comments/c/"+first, nil).Status(http.StatusOK) // alice does not know
	p.Expect("status of 404")
	p.Press("Reply to The bob")
	p.Fill("Your reply to The bob", "Too late")
	p.click(`document.querySelector("#comment-` + first + ` details[open] button")`)
	p.until("what was typed", `document.querySelector("#reply-`+first+`").value === "Too late" && document.querySelector("#comment-`+first+` .alert") !== null`)
	p.shown("3 comments", "Mine, see https://example.com", "The first", "A reply")
	p.click(`document.querySelector("#comment-` + first + ` .comment-bar [data-toggle] button")`)
	p.until("the like undone", `((b) => b.form.ariaBusy !== "true" && b.ariaPressed === "false" && b.textContent.trim().endsWith("0"))(document.querySelector("#comment-`+first+` .comment-bar [data-toggle] button"))`)

	p.Press("Delete the comment by The alice")
	p.click(`document.querySelector("details[open] [data-comment-delete] button")`)
	p.shown("2 comments", "The first", "A reply")
	if evaluate[bool](p, "window.same !== true") {
		t.Error("the page was loaded anew")
	}

	p.Reload()
	p.enhanced(comments, "submit")
	p.shown("1 comment", "This comment was deleted.")
	evaluate[any](p, "window.same = true")
	p.Follow("1 reply")
	p.shown("1 comment", "This comment was deleted.", "A reply")
	p.Follow("Top")
	p.until("the other order", `document.querySelector(".chip[aria-current]").textContent === "Top"`)
	p.shown("1 comment", "This comment was deleted.")
	if evaluate[bool](p, "window.same !== true") {
		t.Error("the page was loaded anew")
	}
}
