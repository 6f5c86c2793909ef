package controllers_test

import (
	"net/http"
	"testing"

	"tokentube/e2e/testsite"
	"tokentube/models"
)

// The queries behind pages have their indexes; administrators see that it stays so.
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
	alice.JSON("GET", "/api/v1/admin/metrics", nil).Status(http.StatusOK).Has(`"scans":0`)
}
