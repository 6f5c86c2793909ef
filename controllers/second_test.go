package controllers_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models"
)

const (
	loginAPI  = "/api/v1/users/login"
	secondAPI = "/api/v1/users/login/second"
)

func firstStep(c *testsite.Client, name string) *testsite.Answer {
	return c.JSON("POST", loginAPI, testsite.M{"identifier": name, "password": testsite.Password})
}

// twoSteps is a site with an account whose login takes two steps.
func twoSteps(t *testing.T, change ...func(*config.Config)) (site *testsite.Site, alice *testsite.Client, code func() string, recovery []string) {
	site = testsite.New(t, change...)
	alice = site.User("alice")
	secret, recovery := alice.TurnOnTwoSteps()
	return site, alice, func() string { return testsite.OneTimeCode(secret, site.Clock.Now()) }, recovery
}

// In a browser without scripts: the password, the code, and then the requested page.
func TestLoginInTwoSteps(t *testing.T) {
	site, alice, code, _ := twoSteps(t)
	c := site.Client()
	c.Get("/login")
	first := c.PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}, "next": {"/settings/sessions"}, "remember": {"true"}}).Status(http.StatusSeeOther)
	if to := first.Header.Get("Location"); to != "/login/code?next=%2Fsettings%2Fsessions" {
		t.Fatalf("led to %s", to)
	}
	if c.Cookies["AccessToken"] != "" || c.Cookies["RefreshToken"] != "" || c.Cookies["Device"] != "" || len(sessions(alice)) != 1 {
		t.Fatalf("half a login has a session, or cookies of one: %v", c.Cookies)
	}
	c.Get("/settings/sessions").Status(http.StatusSeeOther)
	c.Get(first.Header.Get("Location")).Status(http.StatusOK).Has("authenticator app", "recovery codes", `autocomplete="one-time-code"`, `value="/settings/sessions"`)
	wrong := c.PostForm("/login/code", url.Values{"code": {"000000"}, "next": {"/settings/sessions"}}).Status(http.StatusUnprocessableEntity)
	wrong.Has("wrong or was already used", `value="/settings/sessions"`).HasNot("000000")
	done := c.PostForm("/login/code", url.Values{"code": {code()}, "next": {"/settings/sessions"}}).Status(http.StatusSeeOther)
	if to := done.Header.Get("Location"); to != "/settings/sessions" {
		t.Errorf("led to %s", to)
	}
	if c.Cookies["SecondStep"] != "" {
		t.Error("the cookie of the second step stays")
	}
	c.Get("/settings/sessions").Status(http.StatusOK).Has("this device")
	for _, cookie := range done.Cookies() {
		if cookie.Name == "RefreshToken" && cookie.MaxAge < 9*24*3600 {
			t.Errorf("what was asked for in the first step, to stay logged in, is forgotten: %d s", cookie.MaxAge)
		}
	}
	if n := count(c, "second_step_failed"); n != 1 {
		t.Errorf("%d wrong codes in the log", n)
	}
	c.PostForm("/login/code", url.Values{"code": {code()}}).Status(http.StatusUnauthorized).Has("Start again with your password", `action="/login"`)
	site.Client().Get("/login/code?next=/liked").Status(http.StatusSeeOther)
}

// Through the API: the format of the first response, for programs and browsers.
func TestLoginInTwoStepsByTheAPI(t *testing.T) {
	site, _, code, recovery := twoSteps(t)
	program := site.Client()
	first := firstStep(program, "alice").Status(http.StatusOK).Data()
	raw, _ := first["secondStepToken"].(string)
	if first["user"] != nil || first["accessToken"] != nil || raw == "" || len(first["methods"].([]any)) != 2 {
		t.Fatalf("the first step answers %v", first)
	}
	clean := site.Client()
	second := clean.JSON("POST", secondAPI, testsite.M{"token": raw, "code": code()}).Status(http.StatusOK).Data()
	if second["accessToken"] == "" || second["user"].(testsite.M)["username"] != "alice" {
		t.Errorf("the second step answers %v", second)
	}
	browser := site.Client()
	browser.Header.Set("Sec-Fetch-Site", "same-origin")
	if data := firstStep(browser, "alice").Status(http.StatusOK).Data(); data["secondStepToken"] != nil || browser.Cookies["SecondStep"] == "" {
		t.Errorf("a script of a page reads the token: %v", data)
	}
	data := browser.JSON("POST", secondAPI, testsite.M{"method": "recoveryCode", "code": recovery[0]}).Status(http.StatusOK).Data()
	if data["accessToken"] != nil {
		t.Errorf("a script of a page reads the tokens: %v", data)
	}
	firstStep(program, "alice").Status(http.StatusOK)
	program.JSON("POST", secondAPI, testsite.M{"method": "magic", "code": code()}).Status(http.StatusUnprocessableEntity)
	program.JSON("POST", secondAPI, nil).Status(http.StatusUnprocessableEntity)
	// An account without a second step logs in as usual.
	site.User("bob")
	if data := firstStep(site.Client(), "bob").Status(http.StatusOK).Data(); data["accessToken"] == "" || data["methods"] != nil {
		t.Errorf("bob's login answers %v", data)
	}
}

// Before the correct password, nothing reveals whether an account has a second step.
func TestWrongPasswordsTellNothingOfTheSecondStep(t *testing.T) {
	site, _, _, _ := twoSteps(t)
	site.User("bob")
	var answers []string
	for _, name := range []string{"alice", "bob", "nobody"} {
		answer := site.Client().JSON("POST", loginAPI, testsite.M{"identifier": name, "password": "wrong"}).Status(http.StatusUnauthorized)
		answers = append(answers, answer.Envelope()["message"].(string)+strings.Join(answer.Header.Values("Set-Cookie"), ""))
	}
	if answers[0] != answers[1] || answers[1] != answers[2] {
		t.Errorf("%q", answers)
	}
}

// The token between the steps is only valid for the second step, and no other token is valid there.
func TestTheTokenBetweenTheSteps(t *testing.T) {
	site, alice, code, _ := twoSteps(t)
	c := site.Client()
	raw := firstStep(c, "alice").Data()["secondStepToken"].(string)
	thief := site.Client()
	thief.Header.Set("Authorization", "Bearer "+raw)
	thief.JSON("GET", whoAmI, nil).Status(http.StatusUnauthorized)
	delete(thief.Header, "Authorization")
	thief.Cookies["AccessToken"], thief.Cookies["RefreshToken"] = raw, raw
	thief.JSON("GET", whoAmI, nil).Status(http.StatusUnauthorized)
	site.Client().JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": raw}).Status(http.StatusUnauthorized)
	claims, err := site.Auth.Tokens.Second.Verify(raw)
	if err != nil || claims.SessionID != "" || claims.Email != "" || claims.Roles != nil {
		t.Fatalf("%+v, %v", claims, err)
	}
	site.Client().PostForm("/reset-password", url.Values{"token": {claims.ID}, "newPassword": {chosen}, "confirmPassword": {chosen}}).Status(http.StatusUnprocessableEntity)
	user, _ := site.Users.ByLogin(t.Context(), "alice")
	link, err := site.Links.Make(t.Context(), user, models.ResetPassword, user.Email)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]string{"none": "", "an access token": alice.Cookies["AccessToken"], "a refresh token": alice.Cookies["RefreshToken"], "a link": link, "a changed one": raw[:len(raw)-3] + "AAA"} {
		if answer := site.Client().JSON("POST", secondAPI, testsite.M{"token": other, "code": code()}); answer.Code != http.StatusUnauthorized {
			t.Errorf("%s opens the second step: %s", name, answer)
		}
	}
	c.JSON("POST", secondAPI, testsite.M{"code": code()}).Status(http.StatusOK)
	site.Clock.Advance(30 * time.Second)
	site.Client().JSON("POST", secondAPI, testsite.M{"token": raw, "code": code()}).Status(http.StatusUnauthorized) // used
}

// What ends a login between its steps: five minutes, a new password, a removed factor, a disabled account.
func TestHalfALoginEnds(t *testing.T) {
	site, alice, code, _ := twoSteps(t)
	half := func() *testsite.Client {
		c := site.Client()
		firstStep(c, "alice").Status(http.StatusOK)
		return c
	}
	refused := func(what string, c *testsite.Client) {
		t.Helper()
		site.Clock.Advance(30 * time.Second)
		if answer := c.JSON("POST", secondAPI, testsite.M{"code": code()}); answer.Code != http.StatusUnauthorized || c.Cookies["RefreshToken"] != "" {
			t.Errorf("%s: %s", what, answer)
		}
		c.Get("/login/code").Status(http.StatusSeeOther)
	}
	late := half()
	site.Clock.Advance(5 * time.Minute)
	refused("after five minutes", late)
	changed := half()
	alice.JSON("PATCH", "/api/v1/users/update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": newPassword, "confirmPassword": newPassword}).Status(http.StatusOK)
	refused("after another password", changed)
	alice.JSON("PATCH", "/api/v1/users/update-user-password", testsite.M{"oldPassword": newPassword, "newPassword": testsite.Password, "confirmPassword": testsite.Password}).Status(http.StatusOK)
	removed := half()
	alice.JSON("DELETE", "/api/v1/users/factors/authenticator", nil).Status(http.StatusOK)
	refused("after the factor was removed", removed)
	if data := firstStep(site.Client(), "alice").Status(http.StatusOK).Data(); data["accessToken"] == nil {
		t.Errorf("one step is enough now, and the answer is %v", data)
	}
}

// One code and one token in many simultaneous requests: one session.
func TestTheSecondStepIsDoneOnce(t *testing.T) {
	site, alice, code, _ := twoSteps(t)
	c := site.Client()
	firstStep(c, "alice").Status(http.StatusOK)
	var won atomic.Int32
	var all sync.WaitGroup
	body := testsite.M{"code": code()}
	for range 8 {
		tab := c.Copy()
		all.Go(func() {
			if tab.JSON("POST", secondAPI, body).Code == http.StatusOK {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || len(sessions(alice)) != 2 {
		t.Errorf("%d logins, %d sessions", won.Load(), len(sessions(alice)))
	}
	// The same code with another login's token is refused too.
	other := site.Client()
	firstStep(other, "alice").Status(http.StatusOK)
	other.JSON("POST", secondAPI, body).Status(http.StatusUnprocessableEntity)
}

// A session that was planted before the login doesn't survive it (session fixation).
func TestTheSecondStepEndsAPlantedSession(t *testing.T) {
	site, _, code, _ := twoSteps(t)
	mallory := site.User("mallory")
	victim := mallory.Copy()
	firstStep(victim, "alice").Status(http.StatusOK)
	if who := victim.JSON("GET", whoAmI, nil).Data()["username"]; who != "mallory" {
		t.Fatalf("the first step has already made them %v", who)
	}
	victim.JSON("POST", secondAPI, testsite.M{"code": code()}).Status(http.StatusOK)
	if who := victim.JSON("GET", whoAmI, nil).Data()["username"]; who != "alice" {
		t.Errorf("logged in as %v", who)
	}
	if renew(mallory) {
		t.Error("the planted session lives")
	}
}

func TestTheSecondStepLeadsNowhereElse(t *testing.T) {
	site, _, code, _ := twoSteps(t)
	for _, next := range []string{"//evil.example", `/\evil.example`, "https://evil.example/"} {
		c := site.Client()
		first := c.PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}, "next": {next}}).Status(http.StatusSeeOther)
		if to := first.Header.Get("Location"); to != "/login/code" {
			t.Errorf("%s leads to %s", next, to)
		}
		c.Get("/login/code?next=" + url.QueryEscape(next)).Status(http.StatusOK).HasNot("evil")
		c.PostForm("/login/code", url.Values{"code": {"000000"}, "next": {next}}).Status(http.StatusUnprocessableEntity).HasNot("evil")
		if to := c.PostForm("/login/code", url.Values{"code": {code()}, "next": {next}}).Status(http.StatusSeeOther).Header.Get("Location"); to != "/" {
			t.Errorf("%s leads to %s", next, to)
		}
		site.Clock.Advance(30 * time.Second)
	}
}

// Somebody who knows the password gets only a few guesses at the code per day, from however many networks; the owner
// can still log in, with a recovery code anywhere, and with the app in known browsers.
func TestGuessingCodesRunsOut(t *testing.T) {
	site, alice, code, recovery := twoSteps(t, func(c *config.Config) { c.RateLimit = true })
	known := alice.Copy()
	guess := func(network int, code string) int {
		thief := site.Client()
		thief.Change = func(r *http.Request) { r.RemoteAddr = "198.51." + string(rune('0'+network)) + ".7:1234" }
		firstStep(thief, "alice").Status(http.StatusOK)
		return thief.JSON("POST", secondAPI, testsite.M{"code": code}).Code
	}
	for i := range 20 {
		if status := guess(i%5, "000000"); status != http.StatusUnprocessableEntity {
			t.Fatalf("guess %d: %d", i, status)
		}
	}
	for network := range 7 {
		if status := guess(network, code()); status != http.StatusTooManyRequests {
			t.Errorf("network %d: %d", network, status)
		}
	}
	if status := guess(8, recovery[0]); status != http.StatusOK {
		t.Errorf("the owner is locked out with a recovery code: %d", status)
	}
	firstStep(known, "alice").Status(http.StatusOK)
	known.JSON("POST", secondAPI, testsite.M{"code": code()}).Status(http.StatusOK)
}

// Resetting the password by mail doesn't bypass the second step (ASVS 6.4.3).
func TestAResetLeavesTheSecondStep(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice")
	secret, _ := alice.TurnOnTwoSteps()
	deliver()
	c := site.Client()
	c.PostForm("/forgot-password", url.Values{"email": {"alice@example.com"}}).Status(http.StatusSeeOther)
	_, link := tokenIn(t, deliver())
	c.PostForm("/reset-password", url.Values{"token": {link}, "newPassword": {chosen}, "confirmPassword": {chosen}}).Status(http.StatusSeeOther)
	if c.Cookies["AccessToken"] != "" {
		t.Error("a reset logs in")
	}
	first := c.JSON("POST", loginAPI, testsite.M{"identifier": "alice", "password": chosen}).Status(http.StatusOK).Data()
	if first["methods"] == nil || c.Cookies["AccessToken"] != "" {
		t.Errorf("one step is enough after a reset: %v", first)
	}
	c.JSON("POST", secondAPI, testsite.M{"code": testsite.OneTimeCode(secret, site.Clock.Now())}).Status(http.StatusOK)
}

// In pages without scripts: an app is set up, its QR code is in the page, and recovery codes are shown once.
func TestTwoStepLoginIsTurnedOn(t *testing.T) {
	site, _, deliver := withMail(t)
	c := member(t, site, deliver, "alice")
	c.Get("/settings/factors/authenticator").Status(http.StatusSeeOther)
	c.Get("/settings/factors").Status(http.StatusOK).Has("It’s off", "Set up an app").HasNot("Recovery codes")
	c.PostForm("/settings/factors/authenticator?_method=PUT", nil).Status(http.StatusSeeOther)
	page := c.Get("/settings/factors/authenticator").Status(http.StatusOK).Has(`<svg class="qr"`, "Turn on")
	if cache := page.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control %q keeps the secret", cache)
	}
	user, _ := site.Users.ByLogin(t.Context(), "alice")
	pending, err := site.Factors.Authenticator(t.Context(), user.ID, false)
	if err != nil || !strings.Contains(page.Body, pending.Secret[:4]+" "+pending.Secret[4:8]) {
		t.Fatalf("the key is not in the page: %v", err)
	}
	c.PostForm("/settings/factors/authenticator?_method=PATCH", url.Values{"code": {"000000"}}).Status(http.StatusUnprocessableEntity).Has("code is wrong", `<svg class="qr"`)
	c.Get("/settings/factors").Status(http.StatusOK).Has("It’s off")
	form := url.Values{"code": {testsite.OneTimeCode(pending.Secret, site.Clock.Now())}, "idempotencyKey": {"one"}}
	shown := c.PostForm("/settings/factors/authenticator?_method=PATCH", form).Status(http.StatusOK).Has("Two-step login is on")
	if n := strings.Count(shown.Body, "<li><code>"); n != 10 {
		t.Errorf("%d recovery codes are shown", n)
	}
	first := shown.Body[strings.Index(shown.Body, "<li><code>")+10:][:29]
	c.Get("/settings/factors").Status(http.StatusOK).Has("It’s on", "10 unused codes").HasNot(first)
	renewed := c.PostForm("/settings/factors/recovery-codes?_method=PUT", nil).Status(http.StatusOK).HasNot(first)
	c.PostForm("/settings/factors/authenticator?_method=PUT", nil).Status(http.StatusConflict)
	for _, d := range site.Documents() { // no code is stored anywhere, not even with the results of requests
		for _, code := range []string{first, strings.ReplaceAll(first, "-", ""), renewed.Body[strings.Index(renewed.Body, "<li><code>")+10:][:29]} {
			if strings.Contains(string(d.Raw), code) {
				t.Errorf("%s holds a recovery code", d.Collection)
			}
		}
	}
	c.PostForm("/settings/factors/authenticator?_method=DELETE", nil).Status(http.StatusSeeOther)
	c.Get("/settings/factors").Status(http.StatusOK).Has("It’s off")
	c.PostForm("/settings/factors/authenticator?_method=DELETE", nil).Status(http.StatusSeeOther)
	var subjects []string
	for _, m := range deliver() {
		subjects = append(subjects, m.Subject)
	}
	if all := strings.Join(subjects, "; "); len(subjects) != 3 || !strings.Contains(all, "added") || !strings.Contains(all, "New recovery codes") || !strings.Contains(all, "removed") {
		t.Errorf("the owner is told %q", subjects)
	}
	c.Get("/settings/security").Status(http.StatusOK).Has("Added to two-step login: an authenticator app", "Removed from two-step login: an authenticator app", "New recovery codes made")
}

// The use of a recovery code is logged, and its owner is notified how many are left.
func TestAUsedRecoveryCodeIsTold(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice")
	_, recovery := alice.TurnOnTwoSteps()
	deliver()
	c := site.Client()
	firstStep(c, "alice").Status(http.StatusOK)
	c.JSON("POST", secondAPI, testsite.M{"code": strings.ToLower(recovery[4])}).Status(http.StatusOK)
	if told := deliver(); len(told) != 1 || !strings.Contains(told[0].Text, "left: 9") {
		t.Errorf("the owner is told %v", told)
	}
	alice.Get("/settings/security").Status(http.StatusOK).Has("Logged in with a recovery code; still unused: 9")
}

// Changing how to log in requires a confirmation, for which a code from the app is enough.
func TestFactorsAskAgain(t *testing.T) {
	site, alice, code, _ := twoSteps(t)
	site.Clock.Advance(time.Hour)
	alice.JSON("GET", whoAmI, nil).Status(http.StatusOK) // renewed
	for _, r := range [][2]string{{"PUT", "authenticator"}, {"PATCH", "authenticator"}, {"DELETE", "authenticator"}, {"PUT", "recovery-codes"}} {
		alice.JSON(r[0], "/api/v1/users/factors/"+r[1], testsite.M{"code": code()}).Status(http.StatusForbidden).Has("confirmation_required")
	}
	alice.JSON("GET", "/api/v1/users/factors", nil).Status(http.StatusOK)
	alice.Get("/settings/factors").Status(http.StatusSeeOther)
	alice.Get("/confirm").Status(http.StatusOK).Has("Confirm with the code")
	alice.PostForm("/confirm", url.Values{"code": {"000000"}}).Status(http.StatusUnprocessableEntity).Has("wrong or was already used")
	used := code()
	alice.PostForm("/confirm", url.Values{"code": {used}, "next": {"/settings/factors"}}).Status(http.StatusSeeOther)
	alice.Get("/settings/factors").Status(http.StatusOK)
	alice.JSON("POST", "/api/v1/users/confirm", testsite.M{"code": used}).Status(http.StatusUnprocessableEntity)
	// The code used for the confirmation isn't valid for a login either.
	thief := site.Client()
	firstStep(thief, "alice").Status(http.StatusOK)
	thief.JSON("POST", secondAPI, testsite.M{"code": used}).Status(http.StatusUnprocessableEntity)
}

// If there are two cookies of the same name, neither counts: another host may have set one of them.
func TestTwoCookiesOfTheSecondStep(t *testing.T) {
	site, _, code, _ := twoSteps(t)
	c := site.Client()
	firstStep(c, "alice").Status(http.StatusOK)
	r := httptest.NewRequest("POST", "https://localhost"+secondAPI, strings.NewReader(`{"code": "`+code()+`"}`))
	r.Header.Set("Content-Type", "application/json")
	r.AddCookie(&http.Cookie{Name: "SecondStep", Value: c.Cookies["SecondStep"]})
	c.Do(r).Status(http.StatusUnauthorized)
}
