package controllers_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// If the clock is set back, every recent token is from the future. It is renewed, and nobody is logged out.
func TestClockSetBackLogsNobodyOut(t *testing.T) {
	for _, by := range []time.Duration{time.Minute, 30 * 24 * time.Hour} {
		site := testsite.New(t)
		var log bytes.Buffer
		site.Auth.Log = slog.New(slog.NewTextHandler(&log, nil))
		alice, bob := site.User("alice"), site.User("bob")
		renewing := alice.Copy()
		before := alice.Cookies["AccessToken"]
		site.Clock.Advance(-by)
		alice.Get("/settings/account").Status(http.StatusOK)
		if alice.Cookies["AccessToken"] == before {
			t.Errorf("%s back: the token was not renewed", by)
		}
		bob.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK)
		alice.Get("/settings/account").Status(http.StatusOK)
		renewing.JSON("POST", "/api/v1/users/regenerate-tokens", nil).Status(http.StatusOK)

		program := site.Client()
		program.Header.Set("Authorization", "Bearer "+before)
		program.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusUnauthorized)
		if n := strings.Count(log.String(), "the clock was set back"); n != 1 {
			t.Errorf("%s back: the log says so %d times: %s", by, n, log.String())
		}
	}
}
