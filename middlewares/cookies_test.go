package middlewares_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/middlewares"
)

// Nobody ends up in a redirect loop: the login page names the cookie that is sent twice, whether it is sent twice to
// the login page or only to the page that redirected there, and accepts no login until it is gone.
func TestTheLoginSaysThatACookieIsThereTwice(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	access, refresh := "AccessToken="+alice.Cookies["AccessToken"], "RefreshToken="+alice.Cookies["RefreshToken"]
	for name, test := range map[string]struct{ cookies, twice string }{
		"access":      {access + "; " + access + "x", "AccessToken"},
		"refresh":     {refresh + "; RefreshToken=x", "RefreshToken"},
		"both":        {access + "; AccessToken=x; " + refresh + "; RefreshToken=x", "AccessToken"},
		"another one": {"Other=1; Other=2", ""},
	} {
		nobody := site.Client()
		page := nobody.Do(request("GET", private, "Cookie", test.cookies)).Status(303)
		want := "/login?next=%2Fsettings%2Fprofile"
		if test.twice != "" {
			want += "&twice=" + test.twice
		}
		if to := page.Header.Get("Location"); to != want {
			t.Errorf("%s: leads to %s", name, to)
		}
		for _, path := range []string{"/login", "/register"} {
			answer := nobody.Do(request("GET", path, "Cookie", test.cookies)).Status(200)
			if strings.Contains(answer.Body, "two different cookies named "+test.twice) != (test.twice != "") {
				t.Errorf("%s: %s says %s", name, path, answer)
			}
		}
		api := nobody.Do(request("GET", whoAmI, "Cookie", test.cookies)).Status(401)
		if strings.Contains(api.Body, "two different cookies named "+test.twice) != (test.twice != "") {
			t.Errorf("%s: the API says %s", name, api)
		}
		login := nobody.Do(form("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}}, "Cookie", test.cookies))
		if (login.Code == 422) != (test.twice != "") || login.Code == 422 && setsCookies(login) {
			t.Errorf("%s: the login is %s", name, login)
		}
	}
	// The stale cookie has the path /settings: the login page gets only one cookie, a valid one, and must not redirect
	// back.
	alice.Get("/login?next=%2Fsettings%2Fprofile&twice=AccessToken").Status(200).Has("two different cookies named AccessToken")
	alice.Get("/login?twice=Words").Status(200).HasNot("Words", "two different")
	alice.Get("/login?next=%2Fsettings%2Fprofile").Status(303)
	posted := site.Client().Do(form(private+"?_method=PATCH", nil, "Cookie", access+"; AccessToken=x", "Referer", "https://localhost/settings/profile")).Status(303)
	if to := posted.Header.Get("Location"); to != "/login?next=%2Fsettings%2Fprofile&twice=AccessToken" {
		t.Errorf("a form leads to %s", to)
	}
	alone := site.Client().Do(form(private+"?_method=PATCH", nil, "Cookie", access+"; AccessToken=x")).Status(303)
	if to := alone.Header.Get("Location"); to != "/login?twice=AccessToken" {
		t.Errorf("a form from nowhere leads to %s", to)
	}
	bearer := site.Client().Do(request("GET", whoAmI, "Cookie", access+"; AccessToken=x", "Authorization", "Bearer "+alice.Cookies["AccessToken"]))
	bearer.Status(200) // what is sent on purpose counts
}

func form(path string, fields url.Values, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://localhost"+path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// Logging out, and opening a page with an ended session, clear each cookie that is ours, and no others.
func TestEachCookieIsClearedForItself(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	dead := alice.Copy()
	alice.JSON("POST", "/api/v1/users/logout", nil).Status(200)
	access, refresh := "AccessToken="+dead.Cookies["AccessToken"], "RefreshToken="+dead.Cookies["RefreshToken"]
	for name, test := range map[string]struct {
		cookies string
		cleared string
	}{
		"both ours":                  {access + "; " + refresh, "AccessToken RefreshToken"},
		"the refresh token is alien": {access + "; RefreshToken=alien", "AccessToken"},
		"the access token is alien":  {"AccessToken=alien; " + refresh, "RefreshToken"},
		"access alone":               {access, "AccessToken RefreshToken"},
		"refresh alone":              {refresh, "AccessToken RefreshToken"},
		"refresh, an alien twice":    {"AccessToken=alien; AccessToken=x; " + refresh, "RefreshToken"},
		"refresh, and one beside it": {"AccessToken=alien; " + access + "; " + refresh, "AccessToken RefreshToken"},
	} {
		for _, way := range []*http.Request{
			request("GET", private, "Sec-Fetch-Mode", "navigate"), request("GET", "/", "Sec-Fetch-Mode", "navigate"), form("/logout", nil), form("/api/v1/users/logout", nil),
		} {
			way.Header.Set("Cookie", test.cookies)
			var cleared []string
			for _, cookie := range site.Client().Do(way).Cookies() {
				if cookie.MaxAge < 0 && cookie.Path == "/" && strings.HasSuffix(cookie.Name, "Token") {
					cleared = append(cleared, cookie.Name)
				}
			}
			slices.Sort(cleared)
			if got := strings.Join(cleared, " "); got != test.cleared {
				t.Errorf("%s, %s %s: clears %q, want %q", name, way.Method, way.URL.Path, got, test.cleared)
			}
		}
	}
	// If no cookie is ours, none is cleared; and a cookie that was sent twice still ends its session.
	out := site.Client().Do(form("/logout", nil, "Cookie", "AccessToken=a; RefreshToken=b")).Status(303)
	if setsCookies(out) {
		t.Errorf("cookies %v", out.Cookies())
	}
	again := site.SignIn("alice")
	site.Client().Do(form("/logout", nil, "Cookie", "RefreshToken=x; RefreshToken="+again.Cookies["RefreshToken"]+"; AccessToken=y")).Status(303)
	again.JSON("GET", whoAmI, nil).Status(401)
}

const (
	safari   = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15"
	chromeI  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.0.0 Mobile/15E148 Safari/604.1"
	chromium = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
	firefox  = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
)

func TestSecureCookies(t *testing.T) {
	for _, test := range []struct {
		setting         string
		exception       bool
		address, agent  string
		secure, onHTTPS bool
	}{
		{"auto", true, "localhost:8000", safari, false, true},
		{"auto", true, "127.0.0.1:8000", safari, false, true},
		{"auto", true, "[::1]:8000", safari, false, true},
		{"auto", true, "tube.localhost", chromeI, false, true},
		{"auto", true, "localhost", chromium, true, true},
		{"auto", true, "localhost", firefox, true, true},
		{"auto", true, "localhost", "curl/8.5.0", true, true},
		{"auto", true, "localhost", "", true, true},
		{"auto", true, "192.168.1.2:8000", safari, true, true},
		{"auto", true, "localhost.example", safari, true, true},
		{"auto", false, "localhost:8000", safari, true, true}, // production, HTTPS or a prefix
		{"true", true, "localhost:8000", safari, true, true},
		{"false", true, "tube.example", chromium, false, false},
	} {
		rule := middlewares.SecureCookies(test.setting, test.exception)
		r := httptest.NewRequest("GET", "http://"+test.address+"/", nil)
		r.Header.Set("User-Agent", test.agent)
		if rule(r) != test.secure {
			t.Errorf("%+v: Secure is %v", test, !test.secure)
		}
		if r.TLS = new(tls.ConnectionState); rule(r) != test.onHTTPS {
			t.Errorf("%+v: over HTTPS, Secure is %v", test, !test.onHTTPS)
		}
	}
}

// Where Safari drops Secure cookies, it gets others; other browsers don't.
func TestSafariOnLocalhostKeepsALogin(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*config.Config)
		agent  string
		secure bool
	}{
		"Safari":               {func(*config.Config) {}, safari, false},
		"Chromium":             {func(*config.Config) {}, chromium, true},
		"Safari in production": {func(c *config.Config) { c.Env = "production" }, safari, true},
		"Safari, a prefix":     {func(c *config.Config) { c.CookiePrefix = "__Host-" }, safari, true},
		"Safari, forced":       {func(c *config.Config) { c.CookieSecure = "true" }, safari, true},
		"forced off":           {func(c *config.Config) { c.CookieSecure = "false" }, chromium, false},
	} {
		site := testsite.New(t, func(c *config.Config) { c.BaseURL = "http://localhost:8000" }, test.change)
		site.User("alice")
		r := form("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}}, "User-Agent", test.agent)
		r.TLS = nil
		answer := site.Client().Do(r).Status(303)
		if n := len(answer.Cookies()); n != 3 { // two tokens and the message
			t.Errorf("%s: %d cookies", name, n)
		}
		for _, cookie := range answer.Cookies() {
			if cookie.Secure != test.secure {
				t.Errorf("%s: %v", name, cookie)
			}
		}
	}
}

// A browser that keeps no cookies is told so in its form, however the form is sent, and gets no session that it
// couldn't use. Programs that never opened the form are not affected.
func TestALoginThatWouldNotLastSaysWhy(t *testing.T) {
	for name, test := range map[string]struct{ base, setting, why string }{
		"cookies are off":         {"https://localhost", "auto", "Allow cookies for this site"},
		"Secure ones are dropped": {"http://localhost:8000", "true", "COOKIE_SECURE=auto"},
	} {
		site := testsite.New(t, func(c *config.Config) { c.BaseURL, c.CookieSecure = test.base, test.setting })
		alice := site.User("alice")
		forms := map[string]url.Values{
			"/login":    {"identifier": {"alice"}, "password": {testsite.Password}, "remember": {"true"}},
			"/register": {"username": {"bob"}, "email": {"bob@example.com"}, "fullName": {"Bob"}, "password": {testsite.Password}},
		}
		for path, fields := range forms {
			browser := site.Client()
			browser.Get(path).Status(200).Has(`name="probe" value="true"`)
			if len(browser.Cookies) != 1 {
				t.Errorf("%s: %s sets %v", name, path, browser.Cookies)
			}
			fields.Set("probe", "true")
			send := func(c *testsite.Client) *testsite.Answer {
				r := form(path, fields)
				if test.base[:5] == "http:" {
					r.TLS = nil
				}
				return c.Do(r)
			}
			none := site.Client()
			refused := send(none).Status(422).Has(test.why, `name="probe"`, `role="alert"`)
			if setsCookies(refused) {
				t.Errorf("%s: %s logs in: %v", name, path, refused.Cookies())
			}
			send(none.Copy()).Status(303) // the cookie of the rejected form came back: the browser had just been closed
			forms[path] = fields
		}
		site.Client().PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}}).Status(303)
		alice.Get(private).Status(200)
	}
}
