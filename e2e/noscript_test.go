package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"tokentube/e2e/testsite"
)

// TestWithoutScripts does everything with plain forms and links.
func TestWithoutScripts(t *testing.T) {
	s := open(t)
	p := s.Browser().withoutScripts()

	p.Go("/register")
	p.Upload("Picture", save(t, "me.png", pictureBytes(t)))
	p.register("alice")
	p.At("/welcome")
	p.Sees("Welcome to Tokentube!", "Three things to do next")
	p.Press("Your menu")
	p.Press("Log out")
	p.Sees("You are logged out.")
	p.Follow("Log in")
	p.At("/login")
	p.logIn("alice@example.com", testsite.Password)
	p.At("/")
	p.Sees("You are logged in.")

	path := p.writes("A few words.")
	p.click(likeButton)
	p.Sees("Liked.")
	p.likes("true", "1")
	p.click(likeButton)
	p.Sees("Like removed.")
	p.likes("false", "0")

	p.Follow("Edit")
	p.At(path + "/edit")
	p.Fill("Text", "Better words.")
	p.Press("Save")
	p.At(path)
	p.Sees("Better words.")
	p.Press("Unpublish")
	p.Sees("only you can see this")
	p.Press("Publish")
	p.until("the published post", named("button", "Unpublish")+" !== undefined")
	p.SeesNot("only you can see this")

	p.Follow("Delete")
	p.At(path + "/delete")
	p.Press("Delete permanently")
	p.until("another page", "location.pathname !== "+quote(path+"/delete"))
	p.Expect("status of 404")
	p.Go(path)
	p.SeesNot("Better words.")

	p.reads(s.lessons())
	p.publishesFiles()
	p.changesPassword()
	p.deletesAccount()
}

// TestTwoStepsWithoutScripts turns two-step login on, and logs in with a code.
func TestTwoStepsWithoutScripts(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser().withoutScripts()
	p.Go("/login?next=/settings/factors")
	p.logIn("alice", testsite.Password)
	p.At("/settings/factors")
	p.Press("Set up an app")
	p.Sees("Six digits")
	secret := evaluate[string](p, `document.querySelector("code.secret-key").textContent.replaceAll(/\s/g, "")`)
	p.Fill("Code from the app", testsite.OneTimeCode(secret, p.Clock.Now()))
	p.Press("Turn on")
	p.Sees("They are shown only now")
	p.Press("Your menu")
	p.Press("Log out")
	p.Sees("You are logged out.")
	p.Clock.Advance(30 * time.Second) // each code works only once
	p.Go("/login?next=/liked")
	p.logIn("alice", testsite.Password)
	p.At("/login/code?next=%2Fliked")
	p.Expect("status of 422") // of the wrong code
	p.Fill("Code from your authenticator app", "12345")
	p.Press("Log in")
	p.Sees("That code is wrong")
	p.Fill("Code from your authenticator app", testsite.OneTimeCode(secret, p.Clock.Now()))
	p.Press("Log in")
	p.At("/liked")
}

func (p *tab) withoutScripts() *tab {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	check(p.t, err)
	p.plain = true
	return p
}

// writes publishes a text post and returns its path.
func (p *tab) writes(text string) string {
	p.t.Helper()
	p.Go("/create?kind=text")
	p.Fill("What do you want to say?", text)
	p.Press("Publish post")
	p.Sees(text)
	p.until("the post's page", `location.pathname.startsWith("/posts/")`)
	return evaluate[string](p, "location.pathname")
}

// reads visits the pages of Learn by their links.
func (p *tab) reads(paths []string) {
	p.t.Helper()
	p.Follow("Learn")
	for i, path := range paths {
		p.At(path)
		p.until("a diagram or the list", `document.querySelector("svg[role=img], .lessons").getBoundingClientRect().height > 200`)
		if i < len(paths)-1 {
			p.click(`document.querySelector(".lessons a, a[rel=next]")`)
		}
	}
}

func (p *tab) publishesFiles() {
	p.t.Helper()
	p.Go("/create?kind=photo")
	p.Upload("Photo", save(p.t, "photo.png", pictureBytes(p.t)))
	p.Fill("Describe the photo", "A white square")
	p.Fill("Title", "A photo by a form")
	p.Choose("Draft")
	p.Press("Publish photo")
	p.Sees("Draft saved. Only you can see it.", "A photo by a form", "only you can see this")

	p.Go("/create?kind=video")
	p.Upload("Video", save(p.t, "video.mp4", testsite.Video))
	p.Fill("Title", "A video by a form")
	p.Press("Publish video")
	p.Sees("Published. Anyone can see it now.", "A video by a form")
}

func (p *tab) changesPassword() {
	p.t.Helper()
	const better = "quite another staple of horses"
	p.Go("/settings/password")
	p.Fill("Current password", testsite.Password)
	p.Fill("New password", better)
	p.Fill("Confirm new password", better+"!")
	p.Press("Change password")
	p.Expect("status of 422")
	p.Sees("don't match")
	p.Fill("Current password", testsite.Password)
	p.Fill("New password", better)
	p.Fill("Confirm new password", better)
	p.Press("Change password")
	p.At("/settings/password")
	p.Sees("Password changed.")

	other := p.Stranger().withoutScripts()
	other.Expect("status of 401")
	other.Go("/login")
	other.logIn("alice", testsite.Password)
	other.Sees("Wrong username or password.")
	other.logIn("alice", better)
	other.At("/")
}

func (p *tab) deletesAccount() {
	p.t.Helper()
	p.Go("/settings/profile")
	p.Follow("Delete account")
	p.Fill("Your password", "quite another staple of horses")
	p.Press("Delete my account")
	p.At("/")
	p.Sees("Your account was deleted.", "Log in")
	if strings.Contains(evaluate[string](p, "document.body.innerText"), "A video by a form") {
		p.t.Error("the deleted account's video is still on the first page")
	}
	p.Go("/@alice")
	p.SeesNot("The alice")
}
