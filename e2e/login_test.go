package e2e_test

import (
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// TestLogin opens a private page, is asked to log in, makes one mistake, and arrives.
func TestLogin(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()

	p.Go("/settings/profile")
	p.At("/login?next=%2Fsettings%2Fprofile")
	p.Expect("status of 401")
	p.logIn("alice", "not her password at all")
	p.Sees("Wrong username or password.")
	if got := p.Value("Username or email"); got != "alice" {
		t.Errorf("the name is now %q", got)
	}
	if got := p.Value("Password"); got != "" {
		t.Errorf("the password was written back: %q", got)
	}
	p.Fill("Password", testsite.Password)
	p.Press("Log in")
	p.At("/settings/profile")
	p.Go("/login")
	p.At("/") // logged-in users are redirected
}

// TestNext returns to the requested page by way of the registration, and to the same place on it.
func TestNext(t *testing.T) {
	s := open(t)
	p := s.Browser()
	p.Go("/settings/profile#bio")
	p.At("/login?next=%2Fsettings%2Fprofile")
	p.until("the script", `document.querySelector("input[name=next]").value.endsWith("#bio")`)
	p.click(`document.querySelector("main a[data-next]")`)
	p.until("the registration", `location.pathname === "/register" && document.querySelector("input[name=next]").value.endsWith("#bio")`)
	p.click(`document.querySelector("main a[data-next]")`)
	p.until("the login", `location.pathname === "/login" && document.querySelector("input[name=next]").value === "/settings/profile#bio"`)
	p.click(`document.querySelector("main a[data-next]")`)
	p.until("the script", `location.pathname === "/register" && document.querySelector("input[name=next]").value.endsWith("#bio")`)
	p.Fill("Username", "alice")
	p.Fill("Email", "alice@example.com")
	p.Fill("Your name", "Alice")
	p.Fill("Password", testsite.Password)
	p.Press("Create account")
	p.until("the page", `location.pathname === "/settings/profile" && location.hash === "#bio"`)
}

// TestFieldErrors shows each fault at its field, and keeps what was typed.
func TestFieldErrors(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Expect("status of 422", "status of 409")
	p.Go("/register")
	p.register("alice")
	p.faultAt("Username", "already in use")
	p.Fill("Username", "no spaces, please")
	p.Fill("Password", "password")
	p.Press("Create account")
	p.faultAt("Username", "_")
	p.faultAt("Password", "guess")
	if got := p.Value("Your name"); got != "The alice" {
		t.Errorf("the name is now %q", got)
	}
}

// faultAt waits until the field is marked as invalid, with a reference to the error.
func (p *tab) faultAt(label, text string) {
	p.t.Helper()
	p.until("a fault at "+label+" about "+text, `((e) => e?.getAttribute("aria-invalid") === "true" && e.getAttribute("aria-describedby").split(" ")
		.some((id) => id.endsWith("error") && document.getElementById(id).innerText.includes(`+quote(text)+`)))(`+named("field", label)+")")
}

// TestLikeAfterTheEnd clicks in a page whose session has expired in the meantime.
func TestLikeAfterTheEnd(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Go("/login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	path := p.writes("Words to like.")
	p.enhanced(likeForm, "submit")
	p.Expect("status of 401")
	s.Clock.Advance(11 * 24 * time.Hour)
	p.click(likeButton)
	p.until("the login page", `location.pathname === "/login"`)
	p.logIn("alice", testsite.Password)
	p.At(path)
	p.click(likeButton)
	p.likes("true", "1")
}

// TestRevokedElsewhere logs out in one tab and continues in another.
func TestRevokedElsewhere(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Go("/login?next=/settings/account")
	p.logIn("alice", testsite.Password)
	p.At("/settings/account")
	other := p.Tab()
	other.Go("/")
	other.Press("Your menu")
	other.Press("Log out")
	other.Sees("You are logged out.")
	p.Follow("Password")
	p.At("/login?next=%2Fsettings%2Fpassword")
}
