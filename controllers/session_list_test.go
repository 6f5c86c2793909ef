package controllers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// signInAs logs in from a browser with the given user agent.
func signInAs(site *testsite.Site, name, agent string) *testsite.Client {
	c := site.Client()
	c.Header.Set("User-Agent", agent)
	c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": name, "password": testsite.Password, "remember": true}).Status(http.StatusOK)
	return c
}

func sessions(c *testsite.Client) []testsite.M {
	list := c.JSON("GET", "/api/v1/users/sessions", nil).Status(http.StatusOK).Data()["sessions"].([]any)
	all := make([]testsite.M, 0, len(list))
	for _, entry := range list {
		all = append(all, entry.(testsite.M))
	}
	return all
}

// own is the id of the current session.
func own(c *testsite.Client) string { return sessions(c)[0]["_id"].(string) }

func TestSessionsAreListed(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	site.User("bob")
	laptop, phone := signInAs(site, "alice", firefox), signInAs(site, "alice", safari)
	all := sessions(phone)
	if len(all) != 3 { // including the one from the registration
		t.Fatalf("%d sessions", len(all))
	}
	for i, s := range all {
		if s["current"] != (i == 0) {
			t.Errorf("session %d: current is %v", i, s["current"])
		}
		for _, field := range []string{"_id", "device", "browser", "ip", "createdAt", "lastSeenAt", "expiresAt", "renewals"} {
			if s[field] == nil || s[field] == "" {
				t.Errorf("session %d has no %s", i, field)
			}
		}
	}
	if all[0]["device"] != "iPhone" || all[0]["browser"] != "Safari" || sessions(laptop)[0]["browser"] != "Firefox" {
		t.Errorf("the phone is %v with %v", all[0]["device"], all[0]["browser"])
	}
	phone.Get("/settings/sessions").Status(200).Has("Safari, iPhone", "Firefox, Linux computer", "Unknown browser, Unknown device", "this device", "not yet").HasNot("Mozilla")
}

func TestRenewalsAreCounted(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	for range 3 {
		site.Clock.Advance(16 * time.Minute)
		renew(c)
	}
	s := sessions(c)[0]
	if s["renewals"] != 3.0 || s["lastSeenAt"] == s["createdAt"] {
		t.Errorf("%v renewals, last seen %v", s["renewals"], s["lastSeenAt"])
	}
	c.Get("/settings/sessions").Status(200).Has("3 times")
	if entries(c)[0]["type"] != "login" {
		t.Error("renewals are listed in the security log")
	}
}

func TestEndOneSession(t *testing.T) {
	site := testsite.New(t)
	keeper := site.User("alice")
	lost := signInAs(site, "alice", safari)
	replay, bearer := lost.Copy(), site.Client()
	bearer.Header.Set("Authorization", "Bearer "+lost.Cookies["AccessToken"])
	id := own(lost)
	keeper.PostForm("/settings/sessions/"+id+"?_method=DELETE", nil).Status(http.StatusSeeOther)
	keeper.Get("/settings/sessions").Status(200).Has("Device signed out.")
	if renew(lost) || renew(replay) || renew(bearer) {
		t.Error("the tokens of the ended session live")
	}
	delete(replay.Cookies, "AccessToken")
	if renew(replay) || !renew(keeper) {
		t.Error("the refresh token lives, or the wrong session ended")
	}
	keeper.JSON("DELETE", "/api/v1/users/sessions/"+id, nil).Status(http.StatusNotFound) // it has already ended
	replay.Get("/settings/sessions").Status(http.StatusSeeOther)
	if e := entries(keeper)[0]; e["type"] != "session_ended" || e["ended"].(testsite.M)["device"] != "iPhone" || e["device"] != "Unknown device" {
		t.Errorf("the log says %v", e)
	}
}

func TestEndAllOtherSessions(t *testing.T) {
	site := testsite.New(t)
	keeper, bob := site.User("alice"), site.User("bob")
	others := []*testsite.Client{site.SignIn("alice"), site.SignIn("alice")}
	if n := keeper.JSON("DELETE", "/api/v1/users/sessions", nil).Status(200).Data()["ended"]; n != 2.0 {
		t.Errorf("%v ended", n)
	}
	for _, c := range others {
		if renew(c) {
			t.Error("another session lives")
		}
	}
	if !renew(keeper) || !renew(bob) || len(sessions(keeper)) != 1 {
		t.Error("more ended than the others")
	}
	keeper.PostForm("/settings/sessions?_method=DELETE", nil).Status(http.StatusSeeOther)
	if n := count(keeper, "session_ended"); n != 2 {
		t.Errorf("%d entries in the log, want 2", n)
	}
}

func TestEndThisSessionIsLogout(t *testing.T) {
	site := testsite.New(t)
	other := site.User("alice")
	c := site.SignIn("alice")
	replay := c.Copy()
	answer := c.PostForm("/settings/sessions/"+own(c)+"?_method=DELETE", nil).Status(http.StatusSeeOther)
	if answer.Header.Get("Location") != "/" || answer.Header.Get("Clear-Site-Data") != "" || c.Cookies["RefreshToken"] != "" || renew(replay) {
		t.Error("the device is not logged out")
	}
	if e := entries(other)[0]; e["type"] != "logout" {
		t.Errorf("the log says %v", e)
	}
}

func TestForeignSessions(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	for _, id := range []string{own(alice), "0123456789abcdef01234567", "nonsense", strings.Repeat("0", 25), "$ne"} {
		bob.JSON("DELETE", "/api/v1/users/sessions/"+id, nil).Status(http.StatusNotFound)
		bob.PostForm("/settings/sessions/"+id+"?_method=DELETE", nil).Status(http.StatusNotFound)
	}
	if !renew(alice) {
		t.Error("bob ended the session of alice")
	}
	for _, path := range []string{"/api/v1/users/sessions", "/api/v1/users/security-log", "/settings/sessions", "/settings/security"} {
		bob.Get(path).Status(200).HasNot("alice")
	}
}

func TestTheAgentIsNeverShownAsItCame(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	c := signInAs(site, "alice", `<script>alert(1)</script> Firefox/1"><img src=x>`)
	for _, path := range []string{"/settings/sessions", "/settings/security"} {
		c.Get(path).Status(200).HasNot("alert(1)", "<img src=x")
	}
}

func TestTooManySessions(t *testing.T) {
	site := testsite.New(t, unlimited)
	oldest := site.User("alice")
	var c *testsite.Client
	for range 50 {
		site.Clock.Advance(time.Second)
		c = site.SignIn("alice")
	}
	if renew(oldest) || len(sessions(c)) != 50 {
		t.Errorf("%d sessions live", len(sessions(c)))
	}
	if count(c, "session_ended") != 1 {
		t.Error("the log does not tell")
	}
	form := url.Values{"identifier": {"alice"}, "password": {testsite.Password}}
	c.PostForm("/login", form).Status(http.StatusSeeOther) // it replaces its own session: no other ends
	if count(c, "session_ended") != 1 {
		t.Error("one more ended")
	}
}
