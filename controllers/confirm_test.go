package controllers_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

const export = "/api/v1/users/export"

// A login counts as a confirmation for ten minutes; after that the user must confirm again, once for the next ten
// minutes.
func TestSensitiveRoutesAskAgain(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	c.JSON("HEAD", export, nil).Status(http.StatusOK)
	site.Clock.Advance(10 * time.Minute)
	c.JSON("GET", export, nil).Status(http.StatusForbidden).Has(`"code":"confirmation_required"`)
	page := c.Get("/settings/data").Status(http.StatusSeeOther)
	if to := page.Header.Get("Location"); to != "/confirm?next=%2Fsettings%2Fdata" {
		t.Errorf("led to %s", to)
	}
	c.Get("/confirm?next=%2Fsettings%2Fdata").Status(http.StatusOK).Has("download your data", `name="password"`, `value="/settings/data"`)
	c.PostForm("/confirm", url.Values{"password": {"wrong words"}, "next": {"/settings/data"}}).
		Status(http.StatusUnprocessableEntity).Has("incorrect", `value="/settings/data"`).HasNot("wrong words")
	c.JSON("POST", "/api/v1/users/confirm", nil).Status(http.StatusUnprocessableEntity)
	c.JSON("GET", export, nil).Status(http.StatusForbidden)
	done := c.PostForm("/confirm", url.Values{"password": {testsite.Password}, "next": {"/settings/data"}}).Status(http.StatusSeeOther)
	if to := done.Header.Get("Location"); to != "/settings/data" {
		t.Errorf("led back to %s", to)
	}
	c.Get("/settings/data").Status(http.StatusOK)
	c.JSON("HEAD", export, nil).Status(http.StatusOK)
	for what, want := range map[string]int{"confirmed": 1, "confirm_failed": 1} {
		if n := count(c, what); n != want {
			t.Errorf("%d entries of %s in the log, want %d", n, what, want)
		}
	}

	site.Clock.Advance(11 * time.Minute)
	answer := c.JSON("POST", "/api/v1/users/confirm", testsite.M{"password": testsite.Password}).Status(http.StatusOK).Data()
	if until, _ := time.Parse(time.RFC3339, answer["confirmedUntil"].(string)); until.Sub(site.Clock.Now()).Round(time.Second) != 10*time.Minute {
		t.Errorf("confirmed until %s", until)
	}
	site.Clock.Advance(9 * time.Minute) // the access token expires in between: a renewal keeps the proof
	c.JSON("HEAD", export, nil).Status(http.StatusOK)
}

// A form that asks for the password itself is a confirmation: nobody is asked twice.
func TestAFormWithThePasswordConfirms(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	site.Clock.Advance(time.Hour)
	c.JSON("GET", export, nil).Status(http.StatusForbidden)
	c.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "new@example.com", "password": testsite.Password}).Status(http.StatusOK)
	c.JSON("HEAD", export, nil).Status(http.StatusOK)
	site.Clock.Advance(time.Hour)
	c.JSON("PATCH", "/api/v1/users/update-user-password", passwordChange()).Status(http.StatusOK)
	c.JSON("HEAD", export, nil).Status(http.StatusOK)
}

// A stolen token of either kind confirms nothing without the secret, and doesn't benefit from another device's proof.
func TestAStolenTokenConfirmsNothing(t *testing.T) {
	site := testsite.New(t)
	owner := site.User("alice")
	thief := site.Client()
	other := site.SignIn("alice")
	thief.Header.Set("Authorization", "Bearer "+other.Cookies["AccessToken"])
	site.Clock.Advance(11 * time.Minute)
	owner.JSON("POST", "/api/v1/users/confirm", testsite.M{"password": testsite.Password}).Status(http.StatusOK)
	thief.JSON("GET", export, nil).Status(http.StatusForbidden).Has("confirmation_required")
	for _, body := range []testsite.M{{}, {"password": ""}, {"password": other.Cookies["AccessToken"]}, {"password": "guess"}} {
		thief.JSON("POST", "/api/v1/users/confirm", body).Status(http.StatusUnprocessableEntity)
	}
	thief.JSON("GET", export, nil).Status(http.StatusForbidden)
	site.Client().JSON("POST", "/api/v1/users/confirm", testsite.M{"password": testsite.Password}).Status(http.StatusUnauthorized)
}

// The thief of a session must not be able to guess the password here instead of at the login.
func TestGuessingAtTheConfirmationIsLimited(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	c := site.User("alice")
	delete(c.Cookies, "Device")
	for range 10 {
		c.JSON("POST", "/api/v1/users/confirm", testsite.M{"password": "guess"}).Status(http.StatusUnprocessableEntity)
	}
	c.JSON("POST", "/api/v1/users/confirm", testsite.M{"password": testsite.Password}).Status(http.StatusTooManyRequests)
	c.PostForm("/settings/account?_method=DELETE", url.Values{"password": {testsite.Password}}).Status(http.StatusTooManyRequests)
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(http.StatusTooManyRequests)
}

func TestConfirmationsLeadNowhereElse(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	for _, next := range []string{"//evil.example", `/\evil.example`, "https://evil.example/", "javascript:alert(1)"} {
		c.Get("/confirm?next="+url.QueryEscape(next)).Status(http.StatusOK).HasNot("evil", "alert(1)")
		answer := c.PostForm("/confirm", url.Values{"password": {testsite.Password}, "next": {next}}).Status(http.StatusSeeOther)
		if to := answer.Header.Get("Location"); to != "/" {
			t.Errorf("%s leads to %s", next, to)
		}
	}
}
