package middlewares_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/middlewares"
	"tokentube/utils/respond"
)

func TestMethodOverride(t *testing.T) {
	for _, test := range []struct{ method, query, want string }{
		{"POST", "_method=PUT", "PUT"},
		{"POST", "_method=PATCH", "PATCH"},
		{"POST", "a=1&_method=DELETE", "DELETE"},
		{"POST", "", "POST"},
		{"POST", "method=DELETE", "POST"},
		{"GET", "_method=DELETE", "GET"},
		{"HEAD", "_method=DELETE", "HEAD"},
		{"PUT", "_method=DELETE", "PUT"},
		{"POST", "x_method=1", "POST"},
		{"POST", "_method=", "POST"},
		{"POST", "_method=delete", "UNKNOWN"}, // no route accepts it
		{"POST", "_method=GET", "UNKNOWN"},
		{"POST", "_method=CONNECT", "UNKNOWN"},
	} {
		var got string
		h := middlewares.MethodOverride(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Method }))
		r := httptest.NewRequest(test.method, "/x?"+test.query, strings.NewReader("_method=PATCH"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != test.want {
			t.Errorf("%s with %q becomes %s, want %s", test.method, test.query, got, test.want)
		}
	}
}

func TestHeaderToken(t *testing.T) {
	for _, test := range []struct {
		header, token string
		ok            bool
	}{
		{"", "", false},
		{"Bearer x", "x", true},
		{"bearer x", "x", true},
		{"BEARER   x  ", "x", true},
		{"Bearer a.b.c", "a.b.c", true},
		{"a.b.c", "a.b.c", true},
		{" a.b.c ", "a.b.c", true},
		{"a.b", "", false},
		{"a.b.c.d", "", false},
		{"Bearer", "", false},
		{"Bearer ", "", false},
		{"Basic YWxpY2U6c2VjcmV0", "", false},
		{"Basic a.b.c", "", false},
		{"Digest username=alice", "", false},
		{"Bearerx a.b.c", "", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", test.header)
		token, ok := middlewares.HeaderToken(r)
		if ok != test.ok || ok && token != test.token {
			t.Errorf("%q: %q, %v", test.header, token, ok)
		}
	}
}

func TestPassive(t *testing.T) {
	for _, test := range []struct {
		method, header, value string
		want                  bool
	}{
		{"GET", "", "", false},
		{"POST", "", "", false},
		{"HEAD", "", "", true},
		{"GET", "Sec-Purpose", "prefetch", true},
		{"GET", "Sec-Purpose", "prefetch;prerender", true},
		{"GET", "Sec-Purpose", "other", false},
		{"GET", "Purpose", "prefetch", true},
		{"GET", "Purpose", "other", false},
	} {
		r := httptest.NewRequest(test.method, "/", nil)
		if test.header != "" {
			r.Header.Set(test.header, test.value)
		}
		if got := middlewares.Passive(r); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func request(method, path string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "https://localhost"+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// A link on another site must not make a user's browser download their private data.
func TestDownloadsAreForThisSitesOwnPages(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.CORSOrigins = []string{"https://app.localhost"} })
	alice := site.User("alice")
	access := middlewares.NewAccess(site.Engine, site.Auth, nil)
	file := func(c *gin.Context) error { c.String(http.StatusOK, "all of it"); return nil }
	access.Private.Download().Both(http.MethodGet, "/export", file)
	access.Public.Download().Page(http.MethodGet, "/picture", file)
	for name, test := range map[string]struct {
		header []string
		code   int
	}{
		"a program":                  {nil, 200},
		"own page":                   {[]string{"Sec-Fetch-Site", "same-origin"}, 200},
		"typed in":                   {[]string{"Sec-Fetch-Site", "none"}, 200},
		"another site":               {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"another host of the domain": {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"something new":              {[]string{"Sec-Fetch-Site", "fenced"}, 403},
		"an allowed origin":          {[]string{"Sec-Fetch-Site", "same-site", "Origin", "https://app.localhost"}, 200},
		"old browser, own page":      {[]string{"Referer", "https://localhost/settings/data"}, 200},
		"old browser, another site":  {[]string{"Referer", "https://evil.example/"}, 403},
		"old browser, other port":    {[]string{"Referer", "https://localhost:8443/"}, 403},
		"a Referer that is none":     {[]string{"Referer", "://"}, 403},
	} {
		for _, path := range []string{"/export", "/api/v1/export"} {
			if answer := alice.Do(request("GET", path, test.header...)); answer.Code != test.code || (test.code == 403) != strings.Contains(answer.Body, "another site") {
				t.Errorf("%s, %s: %s", name, path, answer)
			}
		}
		alice.Do(request("GET", "/picture", test.header...)).Status(200)
		site.Client().Do(request("GET", "/api/v1/export", test.header...)).Status(401)
	}
}

func TestCrossSitePostIsRefused(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	for name, header := range map[string][]string{
		"cross-site":          {"Sec-Fetch-Site", "cross-site"},
		"same-site":           {"Sec-Fetch-Site", "same-site"},
		"foreign origin":      {"Origin", "https://evil.example"},
		"null origin":         {"Origin", "null"},
		"own host, port":      {"Origin", "https://localhost:8443"},
		"own host, user":      {"Origin", "https://alice@localhost"},
		"own host, path":      {"Origin", "https://localhost/"},
		"own host, query":     {"Origin", "https://localhost?x"},
		"own host, fragment":  {"Origin", "https://localhost#x"},
		"own host, dot":       {"Origin", "https://localhost."},
		"own host, capitals":  {"Origin", "https://LOCALHOST"},
		"own host, no port":   {"Origin", "https://localhost:"},
		"own host, no scheme": {"Origin", "//localhost"},
		"own host, ftp":       {"Origin", "ftp://localhost"},
		"same-site, own form": {"Sec-Fetch-Site", "same-site", "Origin", "https://sub.localhost"},
	} {
		for _, path := range []string{"/logout", "/logout?_method=DELETE", "/posts", "/unknown"} {
			page := alice.Do(request("POST", path, header...)).Status(403).Has("came from another site", "<html")
			if len(page.Cookies()) != 0 {
				t.Errorf("%s, %s: cookies %v", name, path, page.Cookies())
			}
		}
		answer := alice.Do(request("POST", "/api/v1/users/logout", header...)).Status(403)
		if answer.Envelope()["code"] != "forbidden" {
			t.Errorf("%s: %s", name, answer)
		}
		alice.Do(request("GET", "/", header...)).Status(200) // links from other sites work
	}
	alice.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", "https://localhost"}, {},
	} {
		alice.Copy().Do(request("POST", "/api/v1/likes/toggle/v/0", header...)).Status(404) // passed on to the action
	}
}

func TestScriptsOfListedOriginsMayCall(t *testing.T) {
	const friend = "https://app.localhost"
	site := testsite.New(t, func(c *config.Config) { c.CORSOrigins = []string{friend} })
	alice := site.User("alice")
	preflight := alice.Do(request("OPTIONS", "/api/v1/tweets", "Origin", friend, "Access-Control-Request-Method", "POST")).Status(204)
	post := alice.Do(request("POST", "/api/v1/likes/toggle/v/0", "Origin", friend, "Sec-Fetch-Site", "same-site")).Status(404)
	refused := alice.Do(request("POST", "/api/v1/users/get-current-user", "Origin", friend)).Status(405)
	for name, answer := range map[string]*testsite.Answer{"preflight": preflight, "post": post, "error": refused} {
		if h := answer.Header; h.Get("Access-Control-Allow-Origin") != friend || h.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: %v", name, h)
		}
	}
	if h := preflight.Header; !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %v", h)
	}
	for _, origin := range []string{"https://evil.example", "https://app.localhost.evil.example", "http://app.localhost", "null"} {
		answer := alice.Do(request("OPTIONS", "/api/v1/tweets", "Origin", origin, "Access-Control-Request-Method", "POST"))
		if answer.Code < 400 || answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %s, %v", origin, answer, answer.Header)
		}
	}
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	for _, r := range []*http.Request{
		request("GET", "/"), request("HEAD", "/"), request("GET", "/api/v1/videos"), request("GET", "/settings/profile"), request("GET", "/healthz"),
		request("GET", "/unknown"), request("GET", "/api/v1/unknown"), request("PUT", "/"), request("POST", "/posts", "Sec-Fetch-Site", "cross-site"),
		request("GET", "/static/css/base.css"), request("GET", "/static/unknown"), request("GET", "/login"),
	} {
		answer := alice.Do(r)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Permissions-Policy": "camera=()", "Strict-Transport-Security": "max-age=", "X-Request-Id": "",
		} {
			if got := answer.Header.Get(name); got == "" || !strings.Contains(got, want) {
				t.Errorf("%s %s, %d: %s is %q", r.Method, r.URL.Path, answer.Code, name, got)
			}
		}
		policy := answer.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "base-uri 'none'") {
			t.Errorf("the policy allows too much: %s", policy)
		}
	}
	plain := testsite.New(t, func(c *config.Config) { c.BaseURL = "http://localhost" })
	if got := plain.Client().Get("/").Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("without HTTPS: Strict-Transport-Security %q", got)
	}
}

func TestBodyLimit(t *testing.T) {
	site := testsite.New(t)
	big := strings.NewReader(strings.Repeat("a", 100_000))
	r := httptest.NewRequest("POST", "https://localhost/api/v1/users/login", big)
	r.Header.Set("Content-Type", "application/json")
	answer := site.Client().Do(r).Status(413)
	if answer.Envelope()["code"] != "too_large" || big.Len() != 100_000 {
		t.Errorf("%s; %d bytes are unread", answer, big.Len())
	}
	r = httptest.NewRequest("POST", "https://localhost/api/v1/users/login", strings.NewReader(strings.Repeat("a", 100_000)))
	r.ContentLength = -1 // chunked: nothing declares the size up front
	r.Header.Set("Content-Type", "application/json")
	site.Client().Do(r).Status(413)
}

func TestPanicIsAnErrorLikeAnyOther(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	site.Auth.Users = nil // any access to it panics
	for _, path := range []string{"/", "/api/v1/videos"} {
		alice.Get(path).Status(500).Has("Something went wrong on our side").HasNot("nil pointer", "goroutine")
	}
}

func TestRequestIDs(t *testing.T) {
	site := testsite.New(t)
	seen := map[string]bool{}
	for range 20 {
		answer := site.Client().Get("/api/v1/unknown").Status(404)
		id := answer.Header.Get("X-Request-Id")
		if len(id) != 16 || seen[id] || answer.Envelope()["requestId"] != id {
			t.Errorf("id %q in %s", id, answer)
		}
		seen[id] = true
	}
}

func TestRequireRole(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	gin.SetMode(gin.TestMode)
	pages, err := respond.NewRenderer(testTemplates, nil)
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.Use(respond.New(pages, site.Viewer, "", respond.Flash{Now: time.Now}, site.Log).Use)
	reached := 0
	engine.GET("/api/admin", site.Auth.VerifyJWT, site.Auth.RequireRole("admin"), func(c *gin.Context) { reached++ })
	site.Handler = engine
	site.Client().Get("/api/admin").Status(401)
	alice.Get("/api/admin").Status(403)
	if reached != 0 {
		t.Error("the action ran")
	}
}
