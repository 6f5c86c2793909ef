package routes_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// Every path that a form is sent to can be opened: after a rejected form it is in the address bar, after a login in
// "next".
func TestAFormsAddressLeadsToItsPage(t *testing.T) {
	site := testsite.New(t)
	clients := map[string]*testsite.Client{"a user": site.User("alice"), "a visitor": site.Client()}
	for _, r := range allRoutes(site) {
		if r.safe() || r.isAPI() {
			continue
		}
		path := r.to(someID)
		for name, client := range clients {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				answer := client.Do(httptest.NewRequest(method, "https://localhost"+path+"?_method=PUT", nil))
				for range 5 {
					if answer.Code != http.StatusSeeOther {
						break
					}
					answer = client.Do(httptest.NewRequest(method, "https://localhost"+answer.Header.Get("Location"), nil))
				}
				// The id belongs to nothing, so the page may be "not found"; but it is a page.
				if answer.Code != http.StatusOK && answer.Code != http.StatusNotFound && answer.Code != http.StatusForbidden || strings.Contains(answer.Body, "no page at this address") {
					t.Errorf("%s %s as %s: %s", method, path, name, brief(answer))
				}
			}
		}
	}
	clients["a user"].JSON(http.MethodGet, "/likes/v/"+someID, nil).Status(http.StatusMethodNotAllowed) // programs get an error
}

func TestWhereFormsAre(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	for form, page := range map[string]string{
		"/watch": "/create?kind=video", "/photos": "/create?kind=photo", "/posts": "/create?kind=text",
		"/settings/email": "/settings/account", "/settings/username": "/settings/account", "/settings/avatar": "/settings/profile",
		"/settings/cover": "/settings/profile", "/settings/security/notice": "/settings/security", "/settings/sessions/" + someID: "/settings/sessions",
		"/likes/c/" + someID: "/comments/c/" + someID, "/likes/v/" + someID: "/comments/" + someID, "/history/" + someID: "/history",
		"/playlists/" + someID + "/items/1": "/playlists/" + someID, "/playlists/move/1/" + someID: "/playlists/" + someID,
		"/playlists/watch-later/" + someID: "/playlists/watch-later", "/users/blocks/" + someID: "/settings/blocks",
		"/notifications/read": "/notifications", "/logout": "/", "/token-lab/session": "/token-lab",
		"/likes/c/%0d%0aab": "/comments/c/%0D%0Aab",
	} {
		if to := alice.Get(form).Header.Get("Location"); to != page {
			t.Errorf("%s leads to %q, not to %s", form, to, page)
		}
	}
	if code := alice.PostForm("/learn", nil).Code; code != http.StatusMethodNotAllowed {
		t.Errorf("a form sent to a page that has none: %d", code)
	}
}
