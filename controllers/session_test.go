package controllers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models/store"
)

const whoAmI = "/api/v1/users/get-current-user"

func TestLogin(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	for _, fields := range []testsite.M{
		{"identifier": "alice"}, {"identifier": "ALICE"}, {"username": "alice"}, {"email": "alice@example.com"},
		{"identifier": " Alice@Example.COM "},
	} {
		c := site.Client()
		fields["password"] = testsite.Password
		c.JSON("POST", "/api/v1/users/login", fields).Status(http.StatusOK)
		if got := c.JSON("GET", whoAmI, nil).Status(http.StatusOK).Data()["email"]; got != "alice@example.com" {
			t.Errorf("%v: email = %v", fields, got)
		}
	}
}

func TestLoginByFormGoesWhereOneWanted(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	for next, want := range map[string]string{
		"/settings/account": "/settings/account", "/@alice?kind=photo": "/@alice?kind=photo", "": "/",
		"//evil.example": "/", `/\evil.example`: "/", "https://evil.example": "/", "javascript:alert(1)": "/",
		"/\t/evil.example": "/", "evil": "/", "///evil.example": "/",
	} {
		answer := site.Client().PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}, "next": {next}})
		if got := answer.Status(http.StatusSeeOther).Header.Get("Location"); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
	}
}

func TestWrongLoginsLookAlike(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	c := site.Client()
	wrong := c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": "wrong"}).Status(401)
	unknown := c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "nobody", "password": "wrong"}).Status(401)
	if a, b := wrong.Envelope(), unknown.Envelope(); a["message"] != b["message"] || a["code"] != b["code"] {
		t.Errorf("%v and %v differ", a, b)
	}
	c.PostForm("/login", url.Values{"identifier": {"al<b>ice"}, "password": {"secret words"}}).
		Status(401).Has("al&lt;b&gt;ice").HasNot("secret words")
}

func TestLoginRefusesWhatIsNoText(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	c := site.Client()
	for field, body := range map[string]testsite.M{
		"identifier": {"identifier": testsite.M{"$gt": ""}, "password": testsite.Password},
		"password":   {"identifier": "alice", "password": testsite.M{"$ne": ""}},
		"remember":   {"identifier": "alice", "password": testsite.Password, "remember": "perhaps"},
	} {
		if fault := c.JSON("POST", "/api/v1/users/login", body).Status(422).Fault(field); fault == "" {
			t.Errorf("no fault of %s", field)
		}
	}
	c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": []string{"alice", "bob"}, "password": testsite.Password}).Status(422)
	c.PostForm("/login", url.Values{"identifier[$ne]": {"x"}, "password[$ne]": {"x"}}).Status(422)
	c.JSON("POST", "/api/v1/users/login", nil).Status(422)
}

// Scripts in a page must not be able to read tokens: only clients that are not browsers get them in the body.
func TestTokensInTheBodyAreForProgramsOnly(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	body := testsite.M{"identifier": "alice", "password": testsite.Password}
	if site.Client().JSON("POST", "/api/v1/users/login", body).Data()["refreshToken"] == nil {
		t.Error("a program was not given its tokens")
	}
	browser := site.Client()
	browser.Header.Set("Sec-Fetch-Site", "same-origin")
	data := browser.JSON("POST", "/api/v1/users/login", body).Status(200).Data()
	if data["accessToken"] != nil || data["refreshToken"] != nil {
		t.Error("a page could read the tokens")
	}
	if browser.JSON("POST", "/api/v1/users/regenerate-tokens", nil).Status(200).Data()["accessToken"] != nil {
		t.Error("a page could read the renewed tokens")
	}
}

func TestCookiesAreForTheServerAlone(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	for _, remember := range []bool{true, false} {
		answer := site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password, "remember": remember})
		cookies := answer.Cookies()
		if len(cookies) != 2 {
			t.Fatalf("%d cookies", len(cookies))
		}
		for _, k := range cookies {
			if !k.HttpOnly || !k.Secure || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" {
				t.Errorf("%s: %s", k.Name, k.Raw)
			}
			if want := map[bool]int{true: 864000, false: 0}[remember]; k.MaxAge > want || k.MaxAge < want-2 {
				t.Errorf("remember %v: %s lives %d s, want %d", remember, k.Name, k.MaxAge, want)
			}
		}
	}
}

func TestExpiredAccessTokenIsRenewedWithinTheRequest(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	before := c.Copy()
	site.Clock.Advance(16 * time.Minute)
	c.Get("/settings/profile").Status(200).Has("The alice")
	for _, name := range []string{"AccessToken", "RefreshToken"} {
		if c.Cookies[name] == before.Cookies[name] {
			t.Errorf("the %s was not renewed", name)
		}
	}
}

func TestTamperedAccessCookieLeavesTheDecisionToTheRefreshToken(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	c.Cookies["AccessToken"] += "x"
	c.Get("/settings/profile").Status(200)
	program := site.Client()
	program.Header.Set("Authorization", "Bearer "+c.Cookies["AccessToken"]+"x")
	program.JSON("GET", whoAmI, nil).Status(401)
	program.JSON("GET", "/api/v1/feed", nil).Status(401) // it claims to be somebody
}

func TestBearerTokens(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	data := site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Data()
	access, refresh := data["accessToken"].(string), data["refreshToken"].(string)
	for header, want := range map[string]int{
		"Bearer " + access: 200, "bearer " + access: 200, access: 200,
		"Bearer " + refresh: 401, "Bearer nonsense": 401, "Basic YWxpY2U6eA==": 401,
	} {
		c := site.Client()
		c.Header.Set("Authorization", header)
		c.JSON("GET", whoAmI, nil).Status(want)
	}
	c := site.Client() // the header takes precedence over the cookies
	c.Cookies["AccessToken"] = "nonsense"
	c.Header.Set("Authorization", "Bearer "+access)
	c.JSON("GET", whoAmI, nil).Status(200)
}

// renew requests a page that requires a login and reports whether it succeeded.
func renew(c *testsite.Client) bool { return c.JSON("GET", whoAmI, nil).Code == http.StatusOK }

// One rotation and one successor, nobody is served as a stranger, and no cookie is cleared: on private and public
// routes, for pages and the API.
func TestSixtyFourRenewalsAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	paths := []string{whoAmI, "/settings/profile", "/", "/@alice"}
	answers := make([]*testsite.Answer, 64)
	var all sync.WaitGroup
	for i := range answers {
		tab, path := alice.Copy(), paths[i%len(paths)]
		all.Go(func() { answers[i] = tab.Get(path) })
	}
	all.Wait()
	successors, fresh := map[string]int{}, site.Client()
	for i, answer := range answers {
		path := paths[i%len(paths)]
		if answer.Code != http.StatusOK || strings.Contains(answer.Body, `href="/login`) || !strings.Contains(answer.Body, "alice") {
			t.Errorf("%s was answered to a stranger: %s", path, answer)
		}
		set := map[string]bool{}
		for _, cookie := range answer.Cookies() {
			if cookie.MaxAge < 0 || cookie.Value == "" || set[cookie.Name] {
				t.Errorf("%s clears or sets twice: %v", path, cookie)
			}
			set[cookie.Name] = true
			if cookie.Name == "RefreshToken" {
				successors[cookie.Value]++
			}
			fresh.Cookies[cookie.Name] = cookie.Value
		}
		if !set["AccessToken"] || !set["RefreshToken"] {
			t.Errorf("%s sets %v, want both tokens", path, set)
		}
	}
	if len(successors) != 1 || successors[alice.Cookies["RefreshToken"]] != 0 {
		t.Errorf("%d successors, want a new one for all", len(successors))
	}
	if n := sessions(fresh)[0]["renewals"]; n != 1.0 {
		t.Errorf("%v rotations, want one", n)
	}
}

func TestLostResponseIsAnsweredAgain(t *testing.T) {
	site := testsite.New(t)
	lost := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	arrived := lost.Copy()
	renew(arrived) // its response never reaches "lost"
	site.Clock.Advance(time.Minute)
	if !renew(lost) {
		t.Fatal("a lost response logged the user out")
	}
	if lost.Cookies["RefreshToken"] != arrived.Cookies["RefreshToken"] {
		t.Error("the retry was given another successor")
	}
}

func TestTwoRotationsWithAThirdTabBehind(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.AccessTokenExpiry = 10 * time.Second })
	tab := site.User("alice")
	behind := tab.Copy()
	for range 2 {
		site.Clock.Advance(11 * time.Second)
		if !renew(tab) {
			t.Fatal("the first tab was refused")
		}
	}
	if !renew(behind) {
		t.Fatal("the tab that is two tokens behind, within the grace, was refused")
	}
	if behind.Cookies["RefreshToken"] != tab.Cookies["RefreshToken"] {
		t.Error("the tabs did not converge")
	}
}

func TestReplayAfterTheGraceEndsTheSession(t *testing.T) {
	site := testsite.New(t)
	owner := site.User("alice")
	elsewhere := site.SignIn("alice")
	thief := owner.Copy()
	delete(thief.Cookies, "AccessToken")
	site.Clock.Advance(16 * time.Minute)
	renew(owner)
	renew(owner) // the successor is in use: the old token's grace period begins
	site.Clock.Advance(29 * time.Second)
	if !renew(thief.Copy()) {
		t.Error("within the grace the old token must still be answered")
	}
	site.Clock.Advance(2 * time.Second)
	if renew(thief) {
		t.Fatal("a replaced token was taken after its grace")
	}
	if renew(owner) {
		t.Error("the session did not end for both")
	}
	if !renew(elsewhere) {
		t.Error("another session of the user ended too")
	}
	alice, err := site.Users.ByLogin(context.Background(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	events, err := site.Events.Page(context.Background(), alice.ID, store.Paging{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	reuse := 0
	for _, e := range events.Items {
		if e.Type == "token_reuse" {
			reuse++
		}
	}
	if reuse != 1 {
		t.Errorf("%d token_reuse events, want 1", reuse)
	}
}

func TestLogout(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	replay := c.Copy()
	answer := c.PostForm("/logout", nil).Status(http.StatusSeeOther)
	delete(c.Cookies, "Changed")
	if len(c.Cookies) > 1 || c.Cookies["AccessToken"] != "" || c.Cookies["RefreshToken"] != "" { // the flash remains
		t.Errorf("cookies left: %v", c.Cookies)
	}
	if answer.Header.Get("Clear-Site-Data") != "" {
		t.Error("Clear-Site-Data stalls Chromium for seconds; private pages are no-store")
	}
	if renew(replay) {
		t.Error("the tokens live on after logout")
	}
	replay.PostForm("/logout", nil).Status(http.StatusSeeOther)
	site.Client().JSON("POST", "/api/v1/users/logout", nil).Status(http.StatusOK)
}

func TestLogoutWithAnExpiredTokenEndsTheSession(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	onlyAccess, keeper := c.Copy(), c.Copy()
	delete(onlyAccess.Cookies, "RefreshToken")
	site.Clock.Advance(time.Hour)
	onlyAccess.JSON("POST", "/api/v1/users/logout", nil).Status(200)
	if renew(keeper) {
		t.Error("the session lives on")
	}
}

func TestLoginEndsTheSessionThatItReplaces(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	before := c.Copy()
	c.PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}}).Status(http.StatusSeeOther)
	if renew(before) {
		t.Error("the session before lives on (fixation)")
	}
	if !renew(c) {
		t.Error("the new session does not live")
	}
}

func TestSessionsEnd(t *testing.T) {
	for _, c := range []struct {
		name     string
		remember bool
		step     time.Duration
		want     time.Duration
	}{
		{"unused for as long as a refresh token lives", true, 10*24*time.Hour + time.Second, 0},
		{"after a day without keep me signed in", false, 5 * time.Hour, 20 * time.Hour},
		{"after ninety days", true, 9 * 24 * time.Hour, 81 * 24 * time.Hour},
	} {
		site := testsite.New(t)
		site.User("alice")
		client := site.Client()
		client.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password, "remember": c.remember}).Status(200)
		lived := time.Duration(0)
		for site.Clock.Advance(c.step); renew(client) && lived < 100*24*time.Hour; site.Clock.Advance(c.step) {
			lived += c.step
		}
		if lived != c.want {
			t.Errorf("%s: lived %s, want %s", c.name, lived, c.want)
		}
	}
}

func TestRegenerateTokens(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	data := site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Data()
	refresh := data["refreshToken"].(string)

	program := site.Client()
	renewed := program.JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": refresh}).Status(200).Data()
	if renewed["refreshToken"] == refresh || renewed["accessToken"] == data["accessToken"] {
		t.Error("nothing was renewed")
	}
	again := site.Client()
	again.Header.Set("Authorization", "Bearer "+refresh)
	if got := again.JSON("POST", "/api/v1/users/regenerate-tokens", nil).Status(200).Data(); got["refreshToken"] != renewed["refreshToken"] {
		t.Error("a retry was given another successor")
	}
	for body, want := range map[string]int{"": 401, "nonsense": 401, data["accessToken"].(string): 401} {
		site.Client().JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": body}).Status(want)
	}
}

// A slow response must not overwrite newer cookies with its old ones.
func TestUploadsAndFilesRenewNothing(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	before := c.Copy()
	c.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills"}, testsite.File{Field: "photo", Name: "a.png", Content: png(t, 8, 8)}).Status(201)
	r := httptest.NewRequest(http.MethodHead, "https://localhost/settings/profile", nil)
	c.Do(r).Status(200)
	for name, value := range before.Cookies {
		if c.Cookies[name] != value {
			t.Errorf("%s was renewed", name)
		}
	}
}

func TestLoginSaysWhyTheBrowserWouldForgetIt(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.BaseURL = "http://localhost:8000" })
	site.User("alice")
	for host, want := range map[string]int{
		"localhost:8000": 303, "127.0.0.1:8000": 303, "[::1]:8000": 303, "a.localhost": 303, "192.168.1.5:8000": 422, "tube.example": 422,
	} {
		form := url.Values{"identifier": {"alice"}, "password": {testsite.Password}}.Encode()
		r := httptest.NewRequest(http.MethodPost, "http://"+host+"/login", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+host)
		answer := site.Client().Do(r).Status(want)
		if want == 422 {
			answer.Has("Open the site at http://localhost:8000")
		}
	}
}

func TestFormAfterTheSessionEndedComesBackToItsPage(t *testing.T) {
	site := testsite.New(t)
	for referer, want := range map[string]string{
		"https://localhost/posts/1?a=b": "/login?next=%2Fposts%2F1%3Fa%3Db", "https://evil.example/x": "/login", "": "/login", "%": "/login",
	} {
		r := httptest.NewRequest(http.MethodPost, "https://localhost/posts", nil)
		r.Header.Set("Referer", referer)
		if got := site.Client().Do(r).Status(http.StatusSeeOther).Header.Get("Location"); got != want {
			t.Errorf("from %q to %q, want %q", referer, got, want)
		}
	}
}

func TestRegisterNamesBothThatAreTaken(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	answer := site.Client().JSON("POST", "/api/v1/users/register", registration(nil)).Status(409)
	if answer.Fault("username") == "" || answer.Fault("email") == "" {
		t.Error(answer)
	}
}
