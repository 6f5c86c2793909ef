package middlewares_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

func limited(t *testing.T) *testsite.Site {
	return testsite.New(t, func(c *config.Config) { c.RateLimit = true })
}

func TestRegistrationsRunOut(t *testing.T) {
	site := limited(t)
	register := func(address, name string) *testsite.Answer {
		form := url.Values{"username": {name}, "email": {name + "@example.com"}, "fullName": {name}, "password": {testsite.Password}}
		r := httptest.NewRequest(http.MethodPost, "https://localhost/register", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = address + ":4321"
		return site.Client().Do(r)
	}
	for i := range 10 {
		register(here, fmt.Sprint("user", i)).Status(303)
	}
	answer := register(neighbour, "more").Status(429).Has("<h1")
	if answer.Header.Get("Retry-After") != "360" || answer.Header.Get("RateLimit") != `"register";r=0;t=360` || answer.Header.Get("RateLimit-Policy") != `"register";q=10;w=3600` {
		t.Errorf("%v", answer.Header)
	}
	register(elsewhere, "more").Status(303)
	site.Clock.Advance(6 * time.Minute)
	register(here, "later").Status(303)
	register(here, "later2").Status(429)
	site.Client().Get("/register").Status(200)
}

func TestFailedRenewalsRunOut(t *testing.T) {
	site := limited(t)
	alice := site.User("alice")
	renew := func(c *testsite.Client, token string) *testsite.Answer {
		return c.JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": token})
	}
	for range 40 { // valid ones don't count
		renew(alice, "").Status(200)
	}
	for range 30 {
		renew(site.Client(), "nonsense").Status(401)
	}
	answer := renew(site.Client(), "nonsense").Status(429).Has(`"code":"rate_limited"`)
	if answer.Header.Get("Retry-After") != "10" || answer.Header.Get("RateLimit") != `"renewal";r=0;t=10` {
		t.Errorf("%v", answer.Header)
	}
	// The renewal within a request still works: a neighbour can log nobody out.
	site.Clock.Advance(16 * time.Minute)
	for range 30 {
		renew(site.Client(), "nonsense").Status(401)
	}
	renew(site.Client(), "nonsense").Status(429)
	if !setsCookies(alice.Get(private).Status(200)) {
		t.Error("nothing was renewed")
	}
	site.Clock.Advance(10 * time.Second)
	renew(site.Client(), "nonsense").Status(401)
}

func TestWritesRunOut(t *testing.T) {
	site := limited(t)
	alice, bob := site.User("alice"), site.User("bob")
	write := func(c *testsite.Client) *testsite.Answer {
		return c.JSON("PATCH", "/api/v1/users/update-user-bio", testsite.M{"bio": "x"})
	}
	if got := write(alice).Status(200).Header.Get("RateLimit"); got != `"write";r=119;t=1` {
		t.Errorf("RateLimit: %s", got)
	}
	for range 119 { // pages, Sensitive routes and all others count together
		alice.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": ""})
	}
	if got := write(alice).Status(429).Header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After: %s", got)
	}
	alice.PostForm("/settings/profile?_method=PATCH", url.Values{"bio": {"x"}}).Status(429).Has("<h1")
	alice.Get(private).Status(200)
	write(bob).Status(200)
	site.Client().JSON("PATCH", "/api/v1/users/update-user-bio", testsite.M{"bio": "x"}).Status(401)
	site.Clock.Advance(500 * time.Millisecond)
	write(alice).Status(200)
	write(alice).Status(429)
}

func TestLimitsCanBeOff(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	fail(site, here, "alice", 15)
	answer := try(site.Client(), here, "alice", testsite.Password).Status(200)
	if answer.Header.Get("RateLimit") != "" || alice.Cookies["Device"] != "" {
		t.Errorf("%v", answer.Header)
	}
}
