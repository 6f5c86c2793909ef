package routes_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
)

// public are the routes that anybody may call. Every other one must refuse.
const public = `
GET    /
GET    /.well-known/jwks.json
GET    /@:username
GET    /api/v1/feed
GET    /api/v1/healthcheck
GET    /api/v1/photos/:id
GET    /api/v1/tweets
GET    /api/v1/tweets/:id
GET    /api/v1/tweets/user/:userId
GET    /api/v1/users/channel/:username
GET    /api/v1/videos
GET    /api/v1/videos/:id
GET    /healthz
GET    /learn
GET    /learn/:slug
GET    /login
GET    /media/posts/:id
GET    /media/public/:name
GET    /photos/:id
GET    /posts/:id
GET    /readyz
GET    /register
GET    /static/*name
GET    /watch/:id
POST   /api/v1/users/login
POST   /api/v1/users/logout
POST   /api/v1/users/regenerate-tokens
POST   /api/v1/users/register
POST   /login
POST   /logout
POST   /register
POST   /token-lab/target/logout
POST   /token-lab/target/renew
`

// private are the routes that only users may call.
const private = `
DELETE /api/v1/likes/t/:id
DELETE /api/v1/likes/v/:id
DELETE /api/v1/photos/:id
DELETE /api/v1/tweets/:id
DELETE /api/v1/users/me
DELETE /api/v1/users/security-log/notice
DELETE /api/v1/users/sessions
DELETE /api/v1/users/sessions/:id
DELETE /api/v1/videos/:id
DELETE /likes/v/:id
DELETE /photos/:id
DELETE /posts/:id
DELETE /settings/account
DELETE /settings/security/notice
DELETE /settings/sessions
DELETE /settings/sessions/:id
DELETE /watch/:id
GET    /api/v1/admin/backup
GET    /api/v1/admin/metrics
GET    /api/v1/users/get-current-user
GET    /api/v1/users/security-log
GET    /api/v1/users/sessions
GET    /create
GET    /photos/:id/delete
GET    /photos/:id/edit
GET    /posts/:id/delete
GET    /posts/:id/edit
GET    /settings
GET    /settings/account
GET    /settings/delete
GET    /settings/password
GET    /settings/profile
GET    /settings/security
GET    /settings/sessions
GET    /token-lab
GET    /token-lab/events
GET    /token-lab/target
GET    /watch/:id/delete
GET    /watch/:id/edit
PATCH  /api/v1/photos/:id
PATCH  /api/v1/tweets/:id
PATCH  /api/v1/users/update-user-avatar
PATCH  /api/v1/users/update-user-bio
PATCH  /api/v1/users/update-user-coverImage
PATCH  /api/v1/users/update-user-email
PATCH  /api/v1/users/update-user-fullname
PATCH  /api/v1/users/update-user-password
PATCH  /api/v1/users/update-user-username
PATCH  /api/v1/videos/:id
PATCH  /api/v1/videos/toggle/:id
PATCH  /photos/:id
PATCH  /posts/:id
PATCH  /settings/avatar
PATCH  /settings/cover
PATCH  /settings/email
PATCH  /settings/password
PATCH  /settings/profile
PATCH  /settings/username
PATCH  /watch/:id
POST   /api/v1/likes/toggle/t/:id
POST   /api/v1/likes/toggle/v/:id
POST   /api/v1/photos
POST   /api/v1/tweets
POST   /api/v1/videos/publish-video
POST   /photos
POST   /posts
POST   /token-lab/experiments/:name
POST   /token-lab/session
POST   /watch
PUT    /api/v1/likes/t/:id
PUT    /api/v1/likes/v/:id
PUT    /likes/v/:id
`

type route struct{ method, path string }

func parse(list string) []route {
	var all []route
	for line := range strings.Lines(strings.TrimSpace(list)) {
		fields := strings.Fields(line)
		all = append(all, route{fields[0], fields[1]})
	}
	return all
}

// to fills in the route's parameters.
func (r route) to(id string) string {
	return strings.NewReplacer(":slug", "jwt", ":id", id, ":userId", id, ":username", id, ":name", id, "*name", id).Replace(r.path)
}

func TestRoutesAreTheOnesThatWeKnow(t *testing.T) {
	site := testsite.New(t)
	engine, err := routes.NewEngine(site.App, templates.FS, static.FS, testsite.Code(t))
	if err != nil {
		t.Fatal(err)
	}
	known := append(parse(public), parse(private)...)
	found := map[route]bool{}
	for _, r := range engine.Routes() {
		found[route{r.Method, r.Path}] = true
	}
	for r := range found {
		if r.method == http.MethodHead {
			r.method = http.MethodGet
		}
		if !slices.Contains(known, r) {
			t.Errorf("%s %s is on neither list", r.method, r.path)
		}
	}
	for _, r := range known {
		if !found[r] {
			t.Errorf("%s %s is gone", r.method, r.path)
		}
		if r.method == http.MethodGet && !found[route{http.MethodHead, r.path}] {
			t.Errorf("%s has no HEAD", r.path)
		}
	}
}

const someID = "0123456789abcdef01234567"

// Whoever is not logged in, or comes with a token that opens nothing, is refused
// everywhere but on the public routes: pages lead to the login, the API says 401.
func TestPrivateRoutesRefuseTheAnonymous(t *testing.T) {
	site := testsite.New(t)
	loggedOut := site.User("alice")
	replay := loggedOut.Copy()
	loggedOut.PostForm("/logout", nil).Status(http.StatusSeeOther)
	bearer := site.Client()
	bearer.Header.Set("Authorization", "Bearer "+replay.Cookies["AccessToken"])
	for name, client := range map[string]*testsite.Client{"anonymous": site.Client(), "logged out": replay, "by header": bearer} {
		for _, r := range parse(private) {
			request := httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil)
			answer := client.Copy().Do(request)
			request = httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil)
			request.Header.Set("Accept", "application/json")
			asJSON := client.Do(request)
			if asJSON.Code != http.StatusUnauthorized || asJSON.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %s %s as JSON: %s", name, r.method, r.path, asJSON)
			}
			if strings.HasPrefix(r.path, "/api/") {
				continue
			}
			if to := answer.Header.Get("Location"); answer.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/login") {
				t.Errorf("%s: %s %s: %d to %q", name, r.method, r.path, answer.Code, to)
			}
		}
	}
}

func TestUnsafeRoutesRefuseOtherSites(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	for _, r := range append(parse(public), parse(private)...) {
		if r.method == http.MethodGet {
			continue
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			request := httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil)
			request.Header.Set(name, value)
			if answer := alice.Do(request); answer.Code != http.StatusForbidden {
				t.Errorf("%s %s with %s: %s", r.method, r.path, name, answer)
			}
		}
	}
	alice.Get("/settings/profile").Status(http.StatusOK)
}

// What is private to somebody is not there for anybody else; what is public may
// be read, and changed by its owner alone.
func TestForeignPostsCannotBeChanged(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	draft := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "not yet", "visibility": "draft"}).Status(201).ID()
	published := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	// What others may do with a post that they see (like it, say) is for its feature's tests.
	ofPosts := regexp.MustCompile(`^(/api/v1)?/(watch|photos|posts|videos|videos/toggle|tweets)/:id`)
	ownersOnly := func(r route) bool {
		return strings.Contains(r.path, "/sessions/") || ofPosts.MatchString(r.path)
	}
	for _, r := range parse(private) {
		if !strings.Contains(r.path, ":id") {
			continue
		}
		for _, id := range []string{draft, someID, "nonsense", "..%2f", strings.Repeat("a", 25)} {
			if answer := bob.JSON(r.method, r.to(id), testsite.M{"content": "mine"}); answer.Code != http.StatusNotFound {
				t.Errorf("%s %s with %s: %s", r.method, r.path, id, answer)
			}
		}
		answer := bob.JSON(r.method, r.to(published), testsite.M{"content": "mine"})
		ofOtherKind := strings.Contains(r.path, "/sessions/") || strings.Contains(r.path, "/watch") || strings.Contains(r.path, "/videos") || strings.Contains(r.path, "/photos")
		switch {
		case ownersOnly(r) && ofOtherKind && answer.Code != http.StatusNotFound:
			t.Errorf("%s %s of another kind: %s", r.method, r.path, answer)
		case ownersOnly(r) && !ofOtherKind && answer.Code != http.StatusForbidden:
			t.Errorf("%s %s: %s", r.method, r.path, answer)
		}
	}
	for _, path := range []string{"/posts/", "/api/v1/tweets/", "/media/posts/"} {
		bob.Get(path + draft).Status(http.StatusNotFound)
		site.Client().Get(path + draft).Status(http.StatusNotFound)
	}
	alice.Get("/posts/" + draft).Status(http.StatusOK).Has("not yet")
	bob.Get("/posts/" + published).Status(http.StatusOK).Has("hello")
}

func TestWhatIsNotThere(t *testing.T) {
	site := testsite.New(t)
	c := site.Client()
	c.Get("/nowhere").Status(http.StatusNotFound).Has("<h1")
	c.JSON("GET", "/nowhere", nil).Status(http.StatusNotFound).Has(`"code":"not_found"`)
	c.Get("/api/v1/nowhere").Status(http.StatusNotFound).Has(`"code":"not_found"`)
	c.PostForm("/watch/"+someID, nil).Status(http.StatusMethodNotAllowed).Has("<h1")
	c.JSON("PUT", "/api/v1/feed", nil).Status(http.StatusMethodNotAllowed).Has(`"code":"method_not_allowed"`)
	c.PostForm("/?_method=BREW", nil).Status(http.StatusMethodNotAllowed)
}
