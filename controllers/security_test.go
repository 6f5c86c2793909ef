package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models/store"
)

// entries is the newest page of a user's security log.
func entries(c *testsite.Client) []testsite.M {
	list := c.JSON("GET", "/api/v1/users/security-log?limit=100", nil).Status(http.StatusOK).Data()["events"].([]any)
	all := make([]testsite.M, 0, len(list))
	for _, entry := range list {
		all = append(all, entry.(testsite.M))
	}
	return all
}

// count adds up the log's counts for one type of event.
func count(c *testsite.Client, kind string) (n int) {
	for _, e := range entries(c) {
		if e["type"] == kind {
			n += int(e["count"].(float64))
		}
	}
	return n
}

func lines(c *testsite.Client, kind string) (n int) {
	for _, e := range entries(c) {
		if e["type"] == kind {
			n++
		}
	}
	return n
}

// unlimited turns off the rate limits.
func unlimited(c *config.Config) { c.RateLimit = false }

// fail tries a wrong password from the given address.
func fail(site *testsite.Site, name, ip string) {
	form := url.Values{"identifier": {name}, "password": {"not the password"}}.Encode()
	r := httptest.NewRequest(http.MethodPost, "https://localhost/login", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = ip
	site.Client().Do(r)
	site.DB.WaitRemovals() // the event is stored in the background
}

func TestEveryEventIsLogged(t *testing.T) {
	site, _, deliver := withMail(t)
	c := member(t, site, deliver, "alice")
	const next = "an even better battery staple"
	fail(site, "alice", "192.0.2.7:1")
	site.SignIn("alice").PostForm("/logout", nil).Status(http.StatusSeeOther)
	c.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "alice@example.com", "password": testsite.Password}).Status(200) // no change
	c.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "new@example.com", "password": testsite.Password}).Status(200)
	_, token := tokenIn(t, deliver())
	site.Client().JSON("POST", "/api/v1/users/confirm-email", testsite.M{"token": token}).Status(200)
	c.JSON("PATCH", "/api/v1/users/update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": next, "confirmPassword": next}).Status(200)
	for kind, want := range map[string]int{"login": 3, "login_failed": 1, "logout": 1, "email_asked": 1, "email_changed": 1, "password_changed": 1} {
		if got := count(c, kind); got != want {
			t.Errorf("%s: %d, want %d", kind, got, want)
		}
	}
	for _, e := range entries(c) {
		for _, field := range []string{"_id", "message", "device", "browser", "ip", "createdAt", "lastAt"} {
			if e[field] == nil || e[field] == "" {
				t.Errorf("%v has no %s", e["type"], field)
			}
		}
	}
	c.Get("/settings/security").Status(200).Has("Someone tried to log in with a wrong password", "192.0.2.7", "The email address was changed").HasNot("alice@example.com")
}

// A logout that ends nothing, a failed login with a name that doesn't exist, and anything that a stranger does without
// a token leave no event.
func TestEventsCannotBeForged(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	gone := site.SignIn("alice")
	for range 3 {
		gone.Copy().PostForm("/logout", nil)
	}
	fail(site, "nobody", "192.0.2.7:1")
	site.Client().PostForm("/logout", nil)
	if n := count(c, "logout"); n != 1 {
		t.Errorf("%d logouts, want 1", n)
	}
	if n := count(c, "login_failed"); n != 0 {
		t.Errorf("%d failed logins", n)
	}
}

func TestFailedLoginsAreCountedTogether(t *testing.T) {
	site := testsite.New(t, unlimited)
	c := site.User("alice")
	site.Clock.Advance(site.Clock.Now().Truncate(time.Hour).Add(time.Hour).Sub(site.Clock.Now())) // to the next full hour
	for i := range 5 {
		fail(site, "alice", fmt.Sprintf("192.0.2.%d:1", i))
	}
	fail(site, "alice", "[2001:db8::1]:1")
	fail(site, "alice", "[2001:db8::2]:1")
	if lines(c, "login_failed") != 2 || count(c, "login_failed") != 7 {
		t.Errorf("%d entries for %d failed logins", lines(c, "login_failed"), count(c, "login_failed"))
	}
	c.Get("/settings/security").Has("5 times", "2 times")
	site.Clock.Advance(time.Hour)
	if !renew(c) {
		t.Fatal("not renewed")
	}
	fail(site, "alice", "192.0.2.1:1")
	if lines(c, "login_failed") != 3 {
		t.Errorf("%d entries after an hour", lines(c, "login_failed"))
	}
}

// Even somebody with many networks can't flood the log.
func TestTheLogCannotBeFlooded(t *testing.T) {
	site := testsite.New(t, unlimited)
	c := site.User("alice")
	for i := range 80 {
		fail(site, "alice", fmt.Sprintf("10.0.%d.1:1", i))
	}
	if n := lines(c, "login_failed"); n > 52 || count(c, "login_failed") != 80 { // two days, if the test runs across midnight
		t.Errorf("%d entries for %d failed logins", n, count(c, "login_failed"))
	}
}

func TestTheLogHasPages(t *testing.T) {
	site := testsite.New(t, unlimited)
	c := site.User("alice")
	for range 6 {
		site.SignIn("alice") // some at the same moment
	}
	var seen []string
	path := "/api/v1/users/security-log?limit=2"
	for after := ""; ; {
		data := c.JSON("GET", path+after, nil).Status(200).Data()
		for _, e := range data["events"].([]any) {
			seen = append(seen, e.(testsite.M)["_id"].(string))
		}
		next, more := data["next"].(string)
		if !more {
			break
		}
		after = "&after=" + url.QueryEscape(next)
	}
	known := map[string]bool{}
	for _, id := range seen {
		known[id] = true
	}
	if len(seen) != 7 || len(known) != 7 {
		t.Errorf("%d entries, %d different ones, want 7", len(seen), len(known))
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=x": "limit", "after=x": "after"} {
		if fault := c.JSON("GET", "/api/v1/users/security-log?"+query, nil).Status(422).Fault(field); fault == "" {
			t.Errorf("%s: no fault", query)
		}
	}
	c.Get("/settings/security?limit=2").Status(200).Has(`rel="next"`)
}

// steal copies a browser's cookies and uses them after the grace period.
func steal(t *testing.T, site *testsite.Site, owner *testsite.Client) {
	t.Helper()
	thief := owner.Copy()
	thief.Header.Set("User-Agent", "curl/8.5.0")
	delete(thief.Cookies, "AccessToken")
	site.Clock.Advance(16 * time.Minute)
	renew(owner)
	renew(owner)
	site.Clock.Advance(time.Minute)
	for range 3 {
		if renew(thief) {
			t.Fatal("the thief is served")
		}
	}
	if renew(owner) {
		t.Fatal("the session lives on")
	}
}

const stolen = "Someone may have copied your login"

func TestTheftIsToldAtTheNextLogin(t *testing.T) {
	site := testsite.New(t)
	owner, bob := site.User("alice"), site.User("bob")
	elsewhere := site.SignIn("alice")
	steal(t, site, owner)

	elsewhere.Get("/").Status(200).HasNot(stolen)
	bob.Get("/").Status(200).HasNot(stolen)
	site.Client().Get("/login").Status(200).HasNot(stolen)

	c := site.Client()
	data := c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(200).Data()
	if notice, _ := data["notice"].(string); !strings.Contains(notice, "We signed out the login") {
		t.Errorf("the API says %q", notice)
	}
	for _, path := range []string{"/", "/settings/profile", "/no-such-page"} {
		c.Get(path).Has(stolen, `href="/settings/password"`, `href="/settings/security"`)
	}
	if n := count(c, "token_reuse"); n != 1 {
		t.Errorf("%d entries in the log, want 1", n)
	}
	c.Get("/settings/security").Has("A replaced token was used again", "curl")

	elsewhere.PostForm("/settings/security/notice?_method=DELETE", nil).Status(http.StatusSeeOther)
	c.Get("/").Has(stolen) // an older session cannot dismiss it
	bob.PostForm("/settings/security/notice?_method=DELETE", nil).Status(http.StatusSeeOther)
	c.Get("/").Has(stolen)
	c.PostForm("/settings/security/notice?_method=DELETE", nil).Status(http.StatusSeeOther)
	c.Get("/").HasNot(stolen)
	again := site.SignIn("alice")
	again.Get("/").HasNot(stolen)
	if site.SignIn("bob").JSON("GET", whoAmI, nil); count(again, "token_reuse") != 1 {
		t.Error("the log forgot the theft")
	}
}

func TestNewPasswordAnswersTheNotice(t *testing.T) {
	site := testsite.New(t)
	steal(t, site, site.User("alice"))
	c := site.SignIn("alice")
	c.Get("/").Has(stolen)
	const next = "an even better battery staple"
	answer := c.JSON("PATCH", "/api/v1/users/update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": next, "confirmPassword": next})
	if answer.Status(200).Data()["notice"] != nil {
		t.Error("the notice is still told")
	}
	c.Get("/").HasNot(stolen)
}

// Within the grace period a copy gets a response, and the use is logged, many uses in a single line.
func TestRenewalFromElsewhereIsLogged(t *testing.T) {
	site := testsite.New(t)
	owner := site.User("alice")
	copied := owner.Copy()
	site.Clock.Advance(16 * time.Minute)
	renew(owner)
	for range 4 {
		other := site.Client()
		other.Header.Set("User-Agent", "curl/8.5.0")
		other.JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": copied.Cookies["RefreshToken"]}).Status(200)
	}
	if lines(owner, "token_elsewhere") > 2 || count(owner, "token_elsewhere") != 4 { // two, if the test runs across the hour
		t.Errorf("%d entries for %d renewals", lines(owner, "token_elsewhere"), count(owner, "token_elsewhere"))
	}
}

func TestEventsGoWithTheAccount(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	alice, err := site.Users.ByLogin(context.Background(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	c.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
	site.DB.WaitRemovals()
	if left, err := site.Events.Page(context.Background(), alice.ID, store.Paging{}); err != nil || len(left.Items) != 0 {
		t.Errorf("%d events left, %v", len(left.Items), err)
	}
}
