package controllers_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

func TestLoginThenReadWhoAmI(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	for _, identifier := range []string{"alice", "ALICE", " alice@example.com ", "Alice@Example.com"} {
		c := site.Client()
		c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": identifier, "password": testsite.Password}).Status(200)
		if got := c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).Data()["email"]; got != "alice@example.com" {
			t.Errorf("%s: email = %v", identifier, got)
		}
	}
	c := site.Client()
	c.PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}, "next": {"/settings/account"}}).Status(http.StatusSeeOther)
	c.Get("/settings/account").Status(200).Has("alice@example.com")
}

func TestExpiredAccessTokenIsRenewedWithinTheRequest(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	before := c.Cookies["AccessToken"]
	site.Clock.Advance(16 * time.Minute)
	c.Get("/settings/profile").Status(200).Has("The alice")
	if c.Cookies["AccessToken"] == before {
		t.Error("the access token was not renewed")
	}
}

func TestSixtyFourRenewalsAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	clients := make([]*testsite.Client, 64)
	var all sync.WaitGroup
	for i := range clients {
		clients[i] = alice.Copy()
		all.Go(func() {
			answer := clients[i].JSON("GET", "/api/v1/users/get-current-user", nil)
			if answer.Code != 200 {
				t.Errorf("%s", answer)
			}
		})
	}
	all.Wait()
	for _, c := range clients {
		if c.Cookies["RefreshToken"] != clients[0].Cookies["RefreshToken"] || c.Cookies["RefreshToken"] == alice.Cookies["RefreshToken"] {
			t.Fatal("the clients did not all get the same new refresh token")
		}
	}
}
