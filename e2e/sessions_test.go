package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// TestEndOtherDevice looks, in one browser, where else the user is logged in, and ends that session: the other browser
// must log in again at its next page.
func TestEndOtherDevice(t *testing.T) {
	s := open(t)
	s.User("alice")
	here, there := s.Browser(), s.Browser()
	there.Go("/login?next=/settings/profile")
	there.logIn("alice", testsite.Password)
	there.At("/settings/profile")

	here.Go("/login?next=/settings/sessions")
	here.logIn("alice", testsite.Password)
	here.At("/settings/sessions")
	here.Sees("this device", "Last seen", "Sign out all other devices")
	here.Press("Sign out")
	here.Sees("Device signed out.")
	here.Press("Sign out all other devices")
	here.Sees("All other devices were signed out.")
	here.At("/settings/sessions")
	if n := evaluate[int](here, `document.querySelectorAll(".entry").length`); n != 1 {
		t.Errorf("%d sessions are listed", n)
	}

	there.Follow("Account")
	there.At("/login?next=%2Fsettings%2Faccount")
	there.logIn("alice", testsite.Password)
	there.At("/settings/account")

	here.Follow("Security log")
	here.Sees("Logged in", "A device was signed out remotely")
	here.Follow("Sessions")
	here.At("/settings/sessions")
	here.click(`[...document.querySelectorAll(".entry")].find((e) => e.innerText.includes("this device")).querySelector("button")`)
	here.At("/")
	here.Sees("You are logged out.")
}

// TestTheftIsTold steals the cookies of a browser. Its owner is notified at the next login, and dismisses the notice.
func TestTheftIsTold(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Go("/login?next=/settings/profile")
	p.logIn("alice", testsite.Password)
	p.At("/settings/profile")
	thief := s.Client()
	thief.Cookies["RefreshToken"] = p.Cookie("RefreshToken")
	s.Clock.Advance(16 * time.Minute)
	p.Follow("Account")
	p.At("/settings/account")
	p.Follow("Profile") // with the new tokens: the old one's grace period begins
	p.At("/settings/profile")
	s.Clock.Advance(time.Minute)
	thief.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusUnauthorized)

	p.Follow("Account")
	p.At("/login?next=%2Fsettings%2Faccount")
	p.logIn("alice", testsite.Password)
	p.At("/settings/account")
	p.Sees("Someone may have copied your login", "change your password")
	p.inspect("the notice of a theft", loadAxe(t))
	p.Follow("See the security log")
	p.Sees("A replaced token was used again")
	p.Press("Dismiss")
	p.Sees("Notice dismissed.")
	p.SeesNot("Someone may have copied your login")
}

// TestTypedTextOutlivesTheSession sends a form whose session has ended. After the login the text is back, but only for
// the same user.
func TestTypedTextOutlivesTheSession(t *testing.T) {
	s := open(t)
	s.User("alice")
	s.User("bob")
	p := s.Browser()
	p.Expect("status of 401")
	p.Go("/login?next=/create?kind=photo")
	p.logIn("alice", testsite.Password)
	for _, next := range []struct{ user, title string }{{"alice", "Evening over the bay"}, {"bob", ""}} {
		p.At("/create?kind=photo")
		p.enhanced(`document.querySelector("form[data-upload]")`, "submit")
		p.Upload("Photo", save(t, "photo.png", pictureBytes(t)))
		p.Fill("Describe the photo", "The sea")
		p.Fill("Title", "Evening over the bay")
		s.Clock.Advance(11 * 24 * time.Hour)
		p.Press("Publish photo")
		p.until("the login page", `location.pathname === "/login"`)
		p.logIn(next.user, testsite.Password)
		p.At("/create?kind=photo")
		p.enhanced(`document.querySelector("form[data-upload]")`, "submit")
		if got := p.Value("Title"); got != next.title {
			t.Errorf("%s finds the title %q, want %q", next.user, got, next.title)
		}
	}
}

// TestTypedPostOutlivesTheSession does that with a form that no script sends.
func TestTypedPostOutlivesTheSession(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Expect("status of 401")
	const label, text = "What do you want to say?", "Evening over the bay"
	p.Go("/login?next=/create?kind=text")
	p.logIn("alice", testsite.Password)
	p.At("/create?kind=text")
	p.enhanced("document", "submit")
	p.Fill(label, text)
	s.Clock.Advance(11 * 24 * time.Hour)
	p.Press("Publish post")
	p.until("the login page", `location.pathname === "/login"`)
	p.logIn("alice", "not her password at all")
	p.Sees("Wrong username or password.")
	p.logIn("alice", testsite.Password)
	p.At("/create?kind=text")
	p.until("the text", named("field", label)+".value === "+quote(text))
	p.enhanced("document", "submit")
	p.Press("Publish post")
	p.until("the post", `location.pathname.startsWith("/posts/")`)
	p.Go("/create?kind=text")
	p.enhanced("document", "submit")
	if got := p.Value(label); got != "" {
		t.Errorf("what was sent is there again: %q", got)
	}
}
