package controllers_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tokentube/e2e/testsite"
	"tokentube/models"
)

// The queries behind pages have their indexes; administrators can see that this remains so.
func TestMetricsAreForAdministrators(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	user, err := site.Users.ByUsername(t.Context(), "alice")
	if err == nil {
		_, err = site.Users.SetRoles(t.Context(), user.ID, []string{models.Admin})
	}
	if err != nil {
		t.Fatal(err)
	}
	bob.Get("/").Status(http.StatusOK)
	bob.JSON("GET", "/api/v1/admin/metrics", nil).Status(http.StatusForbidden)
	metrics := alice.JSON("GET", "/api/v1/admin/metrics", nil).Status(http.StatusOK).Has(`"scans":0`)
	if database, ok := metrics.Data()["database"].(map[string]any); ok == (site.Config.MongoURI != "") || ok && database["freeBytes"].(float64) >= database["bytes"].(float64) {
		t.Errorf("the space of the database: %v", metrics.Data())
	}
}

// Machines learn it before people do: a site that cannot be written to is alive, but not ready.
func TestReadyTellsThatNothingCanBeWritten(t *testing.T) {
	site := testsite.New(t)
	c := site.Client()
	c.Get("/readyz").Status(http.StatusOK)
	private := filepath.Join(site.Config.MediaDir(), "private")
	if err := errors.Join(os.RemoveAll(private), os.WriteFile(private, nil, 0o600)); err != nil { // root could write to any other place
		t.Fatal(err)
	}
	c.Get("/readyz").Status(http.StatusOK) // cached for five seconds
	site.Clock.Advance(5 * time.Second)
	for _, path := range []string{"/readyz", "/api/v1/healthcheck"} {
		if a := c.Get(path); a.Code < 500 {
			t.Errorf("%s is %d", path, a.Code)
		}
	}
	c.Get("/healthz").Status(http.StatusOK)
	if err := errors.Join(os.Remove(private), os.Mkdir(private, 0o700)); err != nil {
		t.Fatal(err)
	}
	site.Clock.Advance(5 * time.Second)
	c.Get("/readyz").Status(http.StatusOK)
}
