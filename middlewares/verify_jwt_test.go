package middlewares_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/respond"
)

const (
	whoAmI  = "/api/v1/users/get-current-user" // private
	private = "/settings/profile"
	public  = "/api/v1/videos"
)

var testTemplates = fstest.MapFS{
	"layout.html": {Data: []byte(`{{.Message}}`)}, "partials/p.html": {Data: []byte("")}, "errors/show.html": {Data: []byte("")},
}

// session is the session that the client's refresh token belongs to, as stored in the database.
func session(t *testing.T, site *testsite.Site, c *testsite.Client) *models.Session {
	t.Helper()
	claims, err := site.Auth.Tokens.Refresh.Verify(c.Cookies["RefreshToken"])
	if err != nil {
		t.Fatal(err)
	}
	id, err := bson.ObjectIDFromHex(claims.SessionID)
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Sessions.ByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func setsCookies(a *testsite.Answer) bool {
	for _, cookie := range a.Cookies() {
		if strings.HasSuffix(cookie.Name, "Token") {
			return true
		}
	}
	return false
}

func TestCookiesAreKeptFromOthers(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	for _, remember := range []bool{true, false} {
		answer := site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password, "remember": remember}).Status(200)
		cookies := answer.Cookies()
		if len(cookies) != 2 {
			t.Fatalf("cookies %v", cookies)
		}
		for _, k := range cookies {
			if !k.HttpOnly || !k.Secure || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" {
				t.Errorf("%s", k)
			}
			if remember && (k.MaxAge < 863_990 || k.MaxAge > 864_000) || !remember && k.MaxAge != 0 {
				t.Errorf("remember %v: Max-Age of %s is %d", remember, k.Name, k.MaxAge)
			}
		}
	}
}

func TestQuietRequestsRenewNothing(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	before := session(t, site, alice).Current
	for name, r := range map[string]*http.Request{
		"NoRenew route":     request("GET", "/login"),
		"unknown address":   request("GET", "/unknown"),
		"wrong method":      request("PATCH", "/"),
		"HEAD":              request("HEAD", private),
		"prefetch":          request("GET", private, "Sec-Purpose", "prefetch"),
		"old prefetch":      request("GET", private, "Purpose", "prefetch"),
		"prefetch of a nav": request("GET", private, "Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate"),
	} {
		answer := alice.Do(r)
		if setsCookies(answer) || session(t, site, alice).Current != before {
			t.Errorf("%s renews: %v", name, answer.Cookies())
		}
		if r.URL.Path == private && answer.Code != 200 {
			t.Errorf("%s: the refresh token is no proof: %s", name, answer)
		}
	}
	alice.Get("/login").Status(303) // logged in, by the refresh token
	if !setsCookies(alice.Get(private).Status(200)) || session(t, site, alice).Current == before {
		t.Error("nothing was renewed on a page")
	}
}

func TestTwoCookiesOfOneNameAreAsNone(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	access, refresh := "AccessToken="+alice.Cookies["AccessToken"], "RefreshToken="+alice.Cookies["RefreshToken"]
	nobody := site.Client()
	for name, test := range map[string]struct {
		cookies string
		status  int
	}{
		"one of each":         {access + "; " + refresh, 200},
		"two access":          {access + "; AccessToken=x", 401},
		"twice the same":      {access + "; " + access, 401},
		"two refresh":         {refresh + "; RefreshToken=x", 401},
		"two access, refresh": {access + "; " + access + "; " + refresh, 200}, // by the refresh token
		"all twice":           {access + "; " + access + "; " + refresh + "; " + refresh, 401},
		"other case":          {strings.ToLower(access[:11]) + access[11:], 401},
	} {
		if answer := nobody.Copy().Do(request("GET", whoAmI, "Cookie", test.cookies)); answer.Code != test.status {
			t.Errorf("%s: %s, want %d", name, answer, test.status)
		}
	}
}

func TestPrefixIsPartOfTheName(t *testing.T) {
	site := testsite.New(t)
	site.Auth.Cookies.Prefix = "__Host-"
	alice := site.User("alice")
	if alice.Cookies["__Host-AccessToken"] == "" || alice.Cookies["__Host-RefreshToken"] == "" || alice.Cookies["AccessToken"] != "" {
		t.Errorf("cookies %v", alice.Cookies)
	}
	alice.JSON("GET", whoAmI, nil).Status(200)
	site.Client().Do(request("GET", whoAmI, "Cookie", "AccessToken="+alice.Cookies["__Host-AccessToken"])).Status(401)
}

// A late response in the background must not clear the cookies of a newer login.
func TestDeadCookiesGoOnlyWhenThePersonGoesToAPage(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	dead := alice.Copy()
	alice.JSON("POST", "/api/v1/users/logout", nil).Status(200)
	for name, test := range map[string]struct {
		r       *http.Request
		cleared bool
	}{
		"script":             {request("GET", whoAmI, "Sec-Fetch-Mode", "cors"), false},
		"no Fetch Metadata":  {request("GET", private), false},
		"picture":            {request("GET", "/", "Sec-Fetch-Mode", "no-cors"), false},
		"NoRenew page":       {request("GET", "/login", "Sec-Fetch-Mode", "navigate"), false},
		"unknown page":       {request("GET", "/unknown", "Sec-Fetch-Mode", "navigate"), false},
		"prefetch":           {request("GET", private, "Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"), false},
		"header, navigation": {request("GET", "/", "Sec-Fetch-Mode", "navigate", "Authorization", "Bearer x"), false},
		"private page":       {request("GET", private, "Sec-Fetch-Mode", "navigate"), true},
		"public page":        {request("GET", "/", "Sec-Fetch-Mode", "navigate"), true},
	} {
		if answer := dead.Copy().Do(test.r); setsCookies(answer) != test.cleared {
			t.Errorf("%s: cookies %v", name, answer.Cookies())
		}
	}
}

func TestDeadCredentials(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	good := alice.Cookies["AccessToken"]
	refresh := alice.Cookies["RefreshToken"]
	nobody := site.Client()
	revoked := site.SignIn("alice")
	dead := revoked.Copy()
	revoked.JSON("POST", "/api/v1/users/logout", nil).Status(200)
	for name, test := range map[string]struct {
		header      string
		public, who int
		invalid     bool
	}{
		"nothing":       {"", 200, 401, false},
		"good":          {"Bearer " + good, 200, 200, false},
		"good and bare": {good, 200, 200, false},
		"damaged":       {"Bearer " + good + "x", 401, 401, true},
		"garbage":       {"Bearer x", 401, 401, true},
		"refresh token": {"Bearer " + refresh, 401, 401, true},
		"revoked":       {"Bearer " + dead.Cookies["AccessToken"], 401, 401, true},
		"Basic":         {"Basic YWxpY2U6c2VjcmV0", 200, 401, false},
		"Bearer alone":  {"Bearer", 200, 401, false},
	} {
		for path, want := range map[string]int{public: test.public, whoAmI: test.who} {
			answer := nobody.Do(request("GET", path, "Authorization", test.header))
			challenge := answer.Header.Get("WWW-Authenticate")
			if answer.Code != want || (want == 401) != strings.HasPrefix(challenge, `Bearer realm="tokentube"`) ||
				(want == 401 && test.invalid) != strings.Contains(challenge, `error="invalid_token"`) {
				t.Errorf("%s, %s: %s, WWW-Authenticate %q", name, path, answer, challenge)
			}
		}
	}
	// With cookies, a public route is served as if nobody were logged in.
	for _, cookie := range []string{"AccessToken=" + dead.Cookies["AccessToken"], "RefreshToken=" + dead.Cookies["RefreshToken"], "AccessToken=" + dead.Cookies["AccessToken"] + "; RefreshToken=" + dead.Cookies["RefreshToken"]} {
		nobody.Do(request("GET", public, "Cookie", cookie)).Status(200)
		answer := nobody.Do(request("GET", whoAmI, "Cookie", cookie)).Status(401)
		if !strings.Contains(answer.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s: %v", cookie, answer.Header)
		}
		page := nobody.Do(request("GET", private, "Cookie", cookie)).Status(303)
		if got := page.Header.Get("Location"); got != "/login?next=%2Fsettings%2Fprofile" {
			t.Errorf("%s: Location %s", cookie, got)
		}
	}
	// The header takes precedence, whatever the cookies contain, and is never renewed.
	alice.Do(request("GET", whoAmI, "Authorization", "Bearer x")).Status(401)
	alice.Do(request("GET", whoAmI, "Authorization", "Basic x")).Status(200)
	site.Clock.Advance(16 * time.Minute)
	if answer := alice.Do(request("GET", whoAmI, "Authorization", "Bearer "+good)).Status(401); setsCookies(answer) {
		t.Error("a header's token was renewed")
	}
}

// Cookies ignore ports: what another program on this host has set under our names is ignored, and stays.
func TestCookiesThatWeDidNotSignAreLeftAlone(t *testing.T) {
	site := testsite.New(t)
	alice, other := site.User("alice"), testsite.New(t, func(c *config.Config) {
		c.AccessTokenSecret, c.RefreshTokenSecret = nextAccess, nextRefresh
	}).User("alice")
	good := alice.Cookies["RefreshToken"]
	for name, cookie := range map[string]string{
		"text":                 "AccessToken=x; RefreshToken=abc",
		"access alone":         "AccessToken=x.y.z",
		"refresh alone":        "RefreshToken=x.y.z",
		"of another site":      "AccessToken=" + other.Cookies["AccessToken"] + "; RefreshToken=" + other.Cookies["RefreshToken"],
		"changed ones of ours": "AccessToken=" + alice.Cookies["AccessToken"] + "x; RefreshToken=" + good + "x",
		"in the wrong place":   "AccessToken=" + good + "; RefreshToken=" + alice.Cookies["AccessToken"],
	} {
		who := site.Client().Do(request("GET", whoAmI, "Cookie", cookie)).Status(401)
		if challenge := who.Header.Get("WWW-Authenticate"); challenge != `Bearer realm="tokentube"` {
			t.Errorf("%s: %s", name, challenge)
		}
		for path, code := range map[string]int{"/": 200, private: 303, "/login": 200} {
			page := site.Client().Do(request("GET", path, "Cookie", cookie, "Sec-Fetch-Mode", "navigate")).Status(code)
			if setsCookies(page) {
				t.Errorf("%s, %s: cookies %v", name, path, page.Cookies())
			}
		}
	}
	// Next to a foreign access cookie, our refresh cookie works as usual.
	site.Client().Do(request("GET", whoAmI, "Cookie", "AccessToken=x; RefreshToken="+good)).Status(200)
}

// An unreachable database logs nobody out.
func TestFailingDatabaseKeepsTheCookies(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	r := request("GET", private, "Sec-Fetch-Mode", "navigate")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answer := alice.Do(r.WithContext(ctx)); setsCookies(answer) || answer.Code < 500 {
		t.Errorf("%s, cookies %v", answer, answer.Cookies())
	}
	alice.Get(private).Status(200)
}

// BenchmarkVerifyJWT measures the cost of VerifyJWT for a request with a valid access cookie and a warm cache: verified
// minus bare.
func BenchmarkVerifyJWT(b *testing.B) {
	site := testsite.New(b)
	alice := site.User("alice")
	alice.Get("/").Status(200) // the session records that its tokens have arrived
	gin.SetMode(gin.ReleaseMode)
	pages, err := respond.NewRenderer(testTemplates, nil)
	if err != nil {
		b.Fatal(err)
	}
	responder := respond.New(pages, site.Viewer, "", respond.Flash{Now: time.Now}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for _, test := range []struct {
		name  string
		chain []gin.HandlerFunc
	}{{"bare", nil}, {"verified", []gin.HandlerFunc{site.Auth.VerifyJWT, middlewares.RequireUser}}} {
		b.Run(test.name, func(b *testing.B) {
			engine := gin.New()
			engine.ContextWithFallback = true
			engine.Use(responder.Use)
			engine.GET("/", append(test.chain, func(c *gin.Context) { c.Status(http.StatusNoContent) })...)
			r := request("GET", "/", "Cookie", "AccessToken="+alice.Cookies["AccessToken"]+"; RefreshToken="+alice.Cookies["RefreshToken"])
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				engine.ServeHTTP(w, r)
				if w.Code != http.StatusNoContent {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
