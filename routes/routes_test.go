package routes_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// public are the routes that anybody may call, and why, unless that is obvious. All others must refuse: the tests find
// them in the engine.
const public = `
GET    /
GET    /.well-known/jwks.json               other services verify our tokens with these keys
GET    /@:username
GET    /@:username/feed.atom
GET    /api/docs
GET    /api/openapi.json
GET    /api/v1/comments/:id                 the action asks who may see the post
GET    /api/v1/comments/c/:id               the action asks who may see the comment
GET    /api/v1/feed
GET    /api/v1/healthcheck
GET    /api/v1/photos/:id
GET    /api/v1/playlist/:id                 private ones are their owner's alone
GET    /api/v1/playlist/user/:id
GET    /api/v1/search
GET    /api/v1/tweets
GET    /api/v1/tweets/:id
GET    /api/v1/tweets/user/:userId
GET    /api/v1/users/channel/:username
GET    /api/v1/videos
GET    /api/v1/videos/:id
GET    /comments/:id                        the action asks who may see the post
GET    /comments/c/:id                      the action asks who may see the comment
GET    /confirm-email                       the link's token is the proof
GET    /dev/mail                            for this machine alone, in development
GET    /forgot-password
GET    /healthz
GET    /learn
GET    /learn/
GET    /learn/:slug
GET    /learn/from-express
GET    /login
GET    /login/code                          the token of the first step is the proof
GET    /media/posts/:id                     the action asks who may see the post
GET    /media/posts/:id/preview             the action asks who may see the post
GET    /media/posts/:id/thumbnail           the action asks who may see the post
GET    /media/public/:name                  avatars, under names that nobody can guess
GET    /not-me                              the link's token is the proof
GET    /photos/:id
GET    /playlists/:id                       private ones are their owner's alone
GET    /posts/:id
GET    /readyz
GET    /register
GET    /reset-password                      the link's token is the proof
GET    /robots.txt
GET    /search
GET    /sitemap.xml
GET    /static/*name
GET    /token-lab                           visitors play with a throwaway identity
GET    /token-lab/decoder                   sends nothing: it works in the page
GET    /token-lab/editor                    visitors play with a throwaway identity
GET    /token-lab/events                    of the lab's session that its cookies name
GET    /watch/:id
POST   /api/v1/users/confirm-email          the link's token is the proof
POST   /api/v1/users/forgot-password
POST   /api/v1/users/login
POST   /api/v1/users/login/passkey          what the passkey signed is the proof
POST   /api/v1/users/login/passkey/challenge
POST   /api/v1/users/login/second           the token of the first step is the proof
POST   /api/v1/users/login/second/challenge the token of the first step is the proof
POST   /api/v1/users/logout                 an expired token ends its session too
POST   /api/v1/users/not-me                 the link's token is the proof
POST   /api/v1/users/regenerate-tokens      the refresh token it takes is the proof
POST   /api/v1/users/register
POST   /api/v1/users/reset-password         the link's token is the proof
POST   /confirm-email                       the link's token is the proof
POST   /forgot-password
POST   /login
POST   /login/code                          the token of the first step is the proof
POST   /login/passkey                       what the passkey signed is the proof
POST   /logout                              an expired token ends its session too
POST   /not-me                              the link's token is the proof
POST   /register
POST   /reset-password                      the link's token is the proof
POST   /sample-content                      from this machine alone, in development, on an empty site
POST   /token-lab/editor                    visitors play with a throwaway identity
POST   /token-lab/experiments/:name         visitors play with a throwaway identity
POST   /token-lab/session                   visitors play with a throwaway identity
POST   /token-lab/target/logout             the lab's logout
POST   /token-lab/target/renew              the lab's renewal
POST   /token-lab/visitor/logout            the lab's logout, of a visitor
POST   /token-lab/visitor/renew             the lab's renewal, of a visitor
`

type route struct{ method, path string }

func (r route) String() string { return r.method + " " + r.path }

// safe reports whether a route only reads.
func (r route) safe() bool { return r.method == http.MethodGet || r.method == http.MethodHead }

// isAPI reports whether a route always responds with JSON.
func (r route) isAPI() bool { return strings.HasPrefix(r.path, "/api/v1/") }

// params counts the route's parameters.
func (r route) params() int {
	return strings.Count(r.path, "/:") + strings.Count(r.path, "/*") + strings.Count(r.path, "@:")
}

// to fills in the route's parameters, whatever their names; the last value is used for all remaining ones.
func (r route) to(values ...string) string {
	segments := strings.Split(r.path, "/")
	for i, segment := range segments {
		at := strings.IndexAny(segment, ":*")
		if at < 0 {
			continue
		}
		segments[i] = segment[:at] + values[0]
		if len(values) > 1 {
			values = values[1:]
		}
	}
	return strings.Join(segments, "/")
}

func publicRoutes() []route {
	var all []route
	for line := range strings.Lines(strings.TrimSpace(public)) {
		fields := strings.Fields(line)
		all = append(all, route{fields[0], fields[1]})
	}
	return all
}

// allRoutes are the engine's routes, sorted by path.
func allRoutes(site *testsite.Site) []route {
	var all []route
	for _, r := range site.Engine.Routes() {
		all = append(all, route{r.Method, r.Path})
	}
	slices.SortFunc(all, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// privateRoutes are the given routes except those in the public list, in which GET includes HEAD.
func privateRoutes(all []route) []route {
	open := publicRoutes()
	return slices.DeleteFunc(slices.Clone(all), func(r route) bool {
		if r.method == http.MethodHead {
			r.method = http.MethodGet
		}
		return slices.Contains(open, r)
	})
}

const someID = "0123456789abcdef01234567"

func TestPublicRoutesAreTheOnesThatWeKnow(t *testing.T) {
	known, found := publicRoutes(), allRoutes(testsite.New(t))
	lines := strings.Split(strings.TrimSpace(public), "\n")
	if !slices.IsSorted(lines) || len(slices.Compact(lines)) != len(known) {
		t.Error("the list is not sorted, or names a route twice")
	}
	for _, r := range known {
		if !slices.Contains(found, r) {
			t.Errorf("%s is gone", r)
		}
	}
	for _, r := range found {
		if r.method == http.MethodGet && !slices.Contains(found, route{http.MethodHead, r.path}) {
			t.Errorf("%s has no HEAD", r.path)
		}
	}
}

// checks must hold for every route of any site. Each reports the faults of the given routes.
var checks = map[string]func(testing.TB, *testsite.Site, []route) []string{
	"the anonymous are refused":               letTheAnonymousIn,
	"other sites are refused":                 letOtherSitesIn,
	"no other site's link does anything":      letOtherSitesLink,
	"administrators' routes are theirs":       letUsersAdminister,
	"what is private stays private":           givePrivateThings,
	"what is public is its owner's to change": changePublicThings,
}

func TestRoutes(t *testing.T) {
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := testsite.New(t)
			for _, fault := range check(t, site, allRoutes(site)) {
				t.Error(fault)
			}
		})
	}
}

// letTheAnonymousIn reports routes that are not on the public list and let in somebody who is not logged in, or who has
// the tokens of a session that has ended. Pages must redirect to the login; the API must return 401.
func letTheAnonymousIn(_ testing.TB, site *testsite.Site, routes []route) (faults []string) {
	loggedOut := site.User("alice")
	replay := loggedOut.Copy()
	loggedOut.PostForm("/logout", nil).Status(http.StatusSeeOther)
	bearer := site.Client()
	bearer.Header.Set("Authorization", "Bearer "+replay.Cookies["AccessToken"])
	for name, client := range map[string]*testsite.Client{"nobody": site.Client(), "a cookie that was logged out": replay, "a header that was logged out": bearer} {
		for _, r := range privateRoutes(routes) {
			asked := site.Client()
			asked.Cookies, asked.Header = client.Copy().Cookies, client.Header.Clone()
			asked.Header.Set("Accept", "application/json")
			answer := asked.Do(httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil))
			if answer.Code != http.StatusUnauthorized || answer.Header.Get("WWW-Authenticate") == "" {
				faults = append(faults, r.String()+" lets in "+name+": "+brief(answer))
			}
			if r.isAPI() {
				continue
			}
			asked.Cookies, asked.Header = client.Copy().Cookies, client.Header
			answer = asked.Do(httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil))
			if to := answer.Header.Get("Location"); answer.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/login") {
				faults = append(faults, r.String()+" as a page does not lead "+name+" to the login: "+brief(answer))
			}
		}
	}
	return faults
}

// letOtherSitesIn reports unsafe routes that accept a request that a browser makes for another site. The request is an
// administrator's, whom no other guard keeps out.
func letOtherSitesIn(t testing.TB, site *testsite.Site, routes []route) (faults []string) {
	alice := admin(t, site, "alice")
	watched := watch(site, site.Documents(), func(before, after testsite.Document) bool { return bytes.Equal(before.Raw, after.Raw) })
	for _, r := range routes {
		if r.safe() {
			continue
		}
		for _, from := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			request := httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil)
			request.Header.Set(from[0], from[1])
			if answer := alice.Do(request); answer.Code != http.StatusForbidden || !strings.Contains(answer.Body, "another site") {
				faults = append(faults, r.String()+" takes "+from[0]+" "+from[1]+": "+brief(answer))
			}
		}
		faults = append(faults, watched.changes(r)...)
	}
	alice.Get("/settings/profile").Status(http.StatusOK)
	return faults
}

// letOtherSitesLink reports routes that, opened through a link on another site, make a user's browser save a file, or
// change something.
func letOtherSitesLink(t testing.TB, site *testsite.Site, routes []route) (faults []string) {
	alice := admin(t, site, "alice")
	alice.Get("/settings/profile").Status(http.StatusOK) // its session is in use from now on
	watched := watch(site, site.Documents(), func(before, after testsite.Document) bool { return bytes.Equal(before.Raw, after.Raw) })
	for _, r := range routes {
		if r.method != http.MethodGet {
			continue
		}
		for _, from := range []string{"cross-site", "same-site"} {
			request := httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil)
			request.Header.Set("Sec-Fetch-Site", from)
			request.Header.Set("Sec-Fetch-Mode", "navigate")
			if answer := alice.Do(request); strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment") {
				faults = append(faults, r.String()+" is saved for a "+from+" page: "+brief(answer))
			}
		}
		faults = append(faults, watched.changes(r)...)
	}
	return faults
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

// ofPosts matches the paths of posts themselves. What others may do with a post that they see (such as liking it) is
// tested with the feature.
var ofPosts = regexp.MustCompile(`^(/api/v1)?/(watch|photos|posts|videos|videos/toggle|tweets)/:id(/edit|/delete)?$`)

// Private posts don't exist for anybody else; public ones can be read by others, and only changed by their owner.
func TestForeignPostsCannotBeChanged(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	draft := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "not yet", "visibility": "draft"}).Status(201).ID()
	published := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	for _, r := range privateRoutes(allRoutes(site)) {
		if !ofPosts.MatchString(r.path) {
			continue
		}
		for _, id := range []string{draft, someID, "nonsense", "..%2f", strings.Repeat("a", 25)} {
			if answer := bob.JSON(r.method, r.to(id), testsite.M{"content": "mine"}); answer.Code != http.StatusNotFound {
				t.Errorf("%s with %s: %s", r, id, answer)
			}
		}
		want := http.StatusNotFound // a path for another kind of post
		if strings.Contains(r.path, "/posts/") || strings.Contains(r.path, "/tweets/") {
			want = http.StatusForbidden
		}
		if answer := bob.JSON(r.method, r.to(published), testsite.M{"content": "mine"}); answer.Code != want {
			t.Errorf("%s: %s", r, answer)
		}
	}
	for _, path := range []string{"/posts/", "/api/v1/tweets/", "/media/posts/"} {
		bob.Get(path + draft).Status(http.StatusNotFound)
		site.Client().Get(path + draft).Status(http.StatusNotFound)
	}
	alice.Get("/posts/" + draft).Status(http.StatusOK).Has("not yet")
	bob.Get("/posts/" + published).Status(http.StatusOK).Has("hello")
}

// An id that belongs to nothing is not found, on any route.
func TestMalformedIDsNameNothing(t *testing.T) {
	site := testsite.New(t)
	bob := site.User("bob")
	for _, r := range privateRoutes(allRoutes(site)) {
		for _, id := range []string{someID, "nonsense", "..%2f", strings.Repeat("a", 25), "%00", "%ff"} {
			if r.params() == 0 {
				continue
			}
			for _, answer := range tries(site.Client(), bob, r, []string{id}) {
				if !refused(r, answer) {
					t.Errorf("%s with %s: %s", r, id, brief(answer))
				}
			}
		}
	}
}
