package middlewares_test

import (
	"crypto/ed25519"
	"net/http"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/controllers"
	"tokentube/e2e/testsite"
)

const (
	nextAccess  = "next access secret of the tests 0123456789 abcdefg"
	nextRefresh = "next refresh secret of the tests 0123456789 abcdefg"
)

// rekey restarts the site with other keys.
func rekey(t *testing.T, site *testsite.Site, change func(*config.Config)) {
	t.Helper()
	change(&site.Config)
	app, err := controllers.New(site.Config, site.Site, site.Media, site.Log, site.Clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	site.Auth.Tokens = app.Auth.Tokens
}

// Secrets can be changed without anyone noticing, as docs/tokens.md explains: the previous ones are kept until the last
// token that they signed has expired.
func TestSecretsAreRotatedWithNobodyLoggedOut(t *testing.T) {
	site := testsite.New(t)
	alice, bob, idle := site.User("alice"), site.User("bob"), site.User("carol")
	rekey(t, site, func(c *config.Config) {
		c.AccessTokenSecretPrevious, c.AccessTokenSecret = c.AccessTokenSecret, nextAccess
		c.RefreshTokenSecretPrevious, c.RefreshTokenSecret = c.RefreshTokenSecret, nextRefresh
	})
	if alice.Get(whoAmI).Status(http.StatusOK); setsCookies(alice.Get(private).Status(http.StatusOK)) {
		t.Error("a good access token of before was renewed")
	}
	site.Clock.Advance(16 * time.Minute) // the access tokens have expired
	if !setsCookies(alice.Get(private).Status(http.StatusOK)) {
		t.Error("nothing was renewed")
	}
	old := bob.Copy()
	bob.JSON("POST", "/api/v1/users/regenerate-tokens", nil).Status(http.StatusOK)
	old.Get(private).Status(http.StatusOK) // within the grace period: the same successor
	rekey(t, site, func(c *config.Config) { c.AccessTokenSecretPrevious, c.RefreshTokenSecretPrevious = "", "" })
	for name, c := range map[string]*testsite.Client{"renewed": alice, "by the API": bob, "in the grace": old} {
		if a := c.Get(private); a.Code != http.StatusOK || setsCookies(a) {
			t.Errorf("%s: %d", name, a.Code)
		}
	}
	idle.Get(private).Status(http.StatusSeeOther) // was away: the secret was dropped too early for carol
}

// The access tokens' key may even be changed without a previous one: browsers are given a new token within the request,
// and programs are told to request one.
func TestAccessKeyChangesAtOnce(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"another secret": func(c *config.Config) { c.AccessTokenSecret = nextAccess },
		"a private key":  func(c *config.Config) { c.JWTPrivateKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) },
	} {
		site := testsite.New(t)
		alice := site.User("alice")
		program := site.Client()
		program.Header.Set("Authorization", "Bearer "+alice.Cookies["AccessToken"])
		program.JSON("GET", whoAmI, nil).Status(http.StatusOK)
		rekey(t, site, change)
		program.JSON("GET", whoAmI, nil).Status(http.StatusUnauthorized)
		if !setsCookies(alice.Get(private).Status(http.StatusOK)) {
			t.Errorf("%s: nothing was renewed", name)
		}
		program.Header.Set("Authorization", "Bearer "+alice.Cookies["AccessToken"])
		program.JSON("GET", whoAmI, nil).Status(http.StatusOK)
	}
}
