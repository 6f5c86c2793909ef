package routes_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// No channel can be named like a path of the site (the first segment of any route of a page or of the API), nor like
// somebody who runs it.
func TestNamesOfAddressesAreReserved(t *testing.T) {
	site := testsite.New(t)
	words := map[string]bool{"admin": true, "adm1n": true, "support.": true}
	for _, r := range site.Engine.Routes() {
		for _, path := range []string{r.Path, strings.TrimPrefix(r.Path, "/api/v1")} {
			first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			words[first] = true
		}
	}
	name, n := regexp.MustCompile(`^[a-z0-9_.-]{3,30}$`), 0
	for word := range words {
		if !name.MatchString(word) {
			continue
		}
		n++
		answer := site.Client().JSON("POST", "/api/v1/users/register", testsite.M{
			"username": word, "email": word + "@example.com", "fullName": "Somebody", "password": testsite.Password,
		})
		if answer.Code != http.StatusUnprocessableEntity || !strings.Contains(answer.Body, `"field":"username"`) {
			t.Errorf("somebody can be called %s, which is an address of the site (siteWords in models/reserved.go): %s", word, answer)
		}
	}
	if n < 15 {
		t.Errorf("only %d words were tried", n)
	}
	alice := site.User("alice")
	alice.JSON("PATCH", "/api/v1/users/update-user-username", testsite.M{"username": "settings", "currentPassword": testsite.Password}).Status(http.StatusUnprocessableEntity)
	alice.JSON("PATCH", "/api/v1/users/update-user-username", testsite.M{"username": "alicia", "currentPassword": testsite.Password}).Status(http.StatusOK)
}
