package e2e_test

import (
	"strings"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// TestJourney uses the site like a new user, with all its scripts.
func TestJourney(t *testing.T) {
	s := open(t)
	p := s.Browser()

	p.Go("/")
	p.Follow("Sign up")
	p.register("alice")
	p.At("/welcome")
	p.Sees("Welcome to Tokentube!", "Three things to do next")

	p.Follow("Create")
	p.Press("Photo")
	p.Upload("Photo", save(t, "sunset.png", pictureBytes(t)))
	p.Fill("Describe the photo", "A white square over colours")
	p.Fill("Title", "My first photo")
	p.Press("Publish photo")
	p.Sees("My first photo")
	p.until("the photo", `document.querySelector("main img[alt='A white square over colours']")?.naturalWidth > 0`)

	p.Go("/create?kind=video")
	p.enhanced(`document.querySelector("[data-drop]")`, "dragover")
	p.enhanced(`document.querySelector("form[data-upload]")`, "submit")
	p.Upload("Video", save(t, "square.mp4", testsite.Video))
	p.Fill("Title", "A square goes by")
	p.until("the picture from the video", named("button", "Use this frame as the thumbnail")+" !== undefined")
	p.Press("Publish video")
	p.until("the watch page", `location.pathname.startsWith("/watch/")`)
	p.Sees("A square goes by")
	p.plays()

	p.enhanced(likeForm, "submit")
	p.likes("false", "0")
	p.click(likeButton)
	p.likes("true", "1")
	p.Reload()
	p.likes("true", "1")

	p.Go("/settings/profile")
	before := evaluate[string](p, pictureAddress)
	p.Upload("New picture", save(t, "me.png", pictureBytes(t)))
	p.until("the square", `document.querySelector(".crop canvas") !== null`) // which moves the button down
	p.Press("Save picture")
	p.Sees("Profile picture changed.")
	p.until("the new picture", pictureAddress+" !== "+quote(before))

	access, refresh := p.Cookie("AccessToken"), p.Cookie("RefreshToken")
	s.Clock.Advance(16 * time.Minute) // the access token expires
	p.Follow("Account")
	p.At("/settings/account")
	if got := p.Value("Email"); got != "alice@example.com" {
		t.Errorf("the email field shows %q", got)
	}
	if p.Cookie("AccessToken") == access || p.Cookie("RefreshToken") == refresh {
		t.Error("the tokens were not renewed")
	}
	if seen := evaluate[string](p, "document.cookie"); strings.Contains(seen, "Token") {
		t.Errorf("scripts can read a token: %s", seen)
	}

	p.Press("Your menu")
	p.Press("Log out")
	p.At("/")
	p.Sees("You are logged out.")
	if p.Cookie("AccessToken") != "" || p.Cookie("RefreshToken") != "" {
		t.Error("the cookies are still there")
	}
	p.Back()
	p.At("/login?next=%2Fsettings%2Faccount")
	p.SeesNot("alice@example.com")
}

// register fills in and submits the form of /register.
func (p *tab) register(name string) {
	p.t.Helper()
	p.At("/register")
	p.Fill("Username", name)
	p.Fill("Email", name+"@example.com")
	p.Fill("Your name", "The "+name)
	p.Fill("Password", testsite.Password)
	p.Press("Create account")
}

// logIn fills in and submits the form of /login.
func (p *tab) logIn(name, password string) {
	p.t.Helper()
	p.Fill("Username or email", name)
	p.Fill("Password", password)
	p.Press("Log in")
}

const (
	likeForm       = `document.querySelector("form[action^='/likes/']")`
	likeButton     = likeForm + `?.querySelector("button")`
	pictureAddress = `document.querySelector("form[action^='/settings/avatar'] img").src`
)

// likes waits until the button is pressed, or not, and shows the count.
func (p *tab) likes(pressed, count string) {
	p.t.Helper()
	p.until("a like button that says "+count, `((b) => b?.form.ariaBusy !== "true" && b.getAttribute("aria-pressed") === `+quote(pressed)+
		` && b.textContent.replace(/\D/g, "") === `+quote(count)+`)(`+likeButton+`)`)
}

// plays starts the page's video and waits until it advances.
func (p *tab) plays() {
	p.t.Helper()
	p.until("a video that can be played", `document.querySelector("video")?.readyState >= 2`)
	evaluate[any](p, `document.querySelector("video").play()`)
	p.until("the video to play", `document.querySelector("video").currentTime > 0.5`)
	if fault := evaluate[string](p, `document.querySelector("video").error?.message || ""`); fault != "" {
		p.t.Errorf("the video: %s", fault)
	}
}
