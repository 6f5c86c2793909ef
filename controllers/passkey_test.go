package controllers_test

import (
	"fmt"
	"net/http"
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
	passkeysAPI     = "/api/v1/users/factors/passkeys"
	passkeyLoginAPI = "/api/v1/users/login/passkey"
	confirmAPI      = "/api/v1/users/confirm"
)

func challenge(c *testsite.Client, at string) string {
	return c.JSON("POST", at+"/challenge", nil).Challenge()
}

// byPasskey logs in without a password.
func byPasskey(c *testsite.Client, p *testsite.Passkey) *testsite.Answer {
	return c.JSON("POST", passkeyLoginAPI, testsite.M{"passkey": p.Get(challenge(c, passkeyLoginAPI))})
}

// In pages, as filled in by the script: added, used in each place, renamed and removed; and the owner is notified.
func TestPasskeysInPages(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := member(t, site, deliver, "alice")
	alice.Get("/settings/factors").Status(http.StatusOK).Has("It’s off", "Add a passkey", "needs JavaScript", `data-passkey="/api/v1/users/factors/passkeys/challenge"`)
	asked := alice.JSON("POST", passkeysAPI+"/challenge", nil).AskedKey()
	user, _ := site.Users.ByLogin(t.Context(), "alice")
	p := testsite.NewPasskey(t, "https://localhost", "localhost")
	p.Owner = user.ID[:]
	add := func(name, passkey string) *testsite.Answer {
		return alice.PostForm("/settings/factors/passkeys", url.Values{"name": {name}, "passkey": {passkey}, "idempotencyKey": {"one"}})
	}
	add("Phone", "").Status(http.StatusUnprocessableEntity).Has("need JavaScript", `value="Phone"`)
	add(strings.Repeat("x", 51), "").Status(http.StatusUnprocessableEntity).Has("Please fix the highlighted fields")
	alice.PostForm("/settings/factors/passkeys", url.Values{"name": {""}}).Status(http.StatusUnprocessableEntity).Has(`id="name-error"`)
	shown := alice.PostForm("/settings/factors/passkeys", url.Values{"name": {" <Phone> "}, "passkey": {p.Create(asked["challenge"].(string))}, "idempotencyKey": {"two"}}).
		Status(http.StatusOK).Has("Two-step login is on")
	if n := strings.Count(shown.Body, "<li><code>"); n != 10 {
		t.Errorf("%d recovery codes are shown", n)
	}
	list := alice.Get("/settings/factors").Status(http.StatusOK).Has("It’s on", "<bdi>&lt;Phone&gt;</bdi>", "not yet", "10 unused codes")
	page := "/settings/factors/passkeys/" + strings.Split(strings.Split(list.Body, `href="/settings/factors/passkeys/`)[1], `"`)[0]

	// A login without a password.
	c := site.Client()
	c.Get("/login").Status(http.StatusOK).Has("Use a passkey", `action="/login/passkey"`)
	c.PostForm("/login/passkey", url.Values{"probe": {"true"}, "next": {"/liked"}}).Status(http.StatusUnprocessableEntity).Has("need JavaScript", `value="/liked"`)
	wrong := testsite.NewPasskey(t, "https://localhost", "localhost")
	c.PostForm("/login/passkey", url.Values{"probe": {"true"}, "passkey": {wrong.Get(challenge(c, passkeyLoginAPI))}}).Status(http.StatusUnauthorized).Has("wasn’t accepted", `action="/login"`)
	done := c.PostForm("/login/passkey", url.Values{"probe": {"true"}, "next": {"/settings/factors"}, "remember": {"true"}, "passkey": {p.Get(challenge(c, passkeyLoginAPI))}}).Status(http.StatusSeeOther)
	if to := done.Header.Get("Location"); to != "/settings/factors" {
		t.Errorf("led to %s", to)
	}
	c.Get("/settings/factors").Status(http.StatusOK).HasNot("not yet")

	// The second step.
	second := site.Client()
	second.Get("/login")
	second.PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}}).Status(http.StatusSeeOther)
	second.Get("/login/code").Status(http.StatusOK).Has("Use a passkey", "Recovery code").HasNot("authenticator app")
	answer := p.Get(challenge(second, secondAPI))
	second.PostForm("/login/code", url.Values{"method": {"passkey"}}).Status(http.StatusUnprocessableEntity).Has("need JavaScript")
	second.PostForm("/login/code", url.Values{"method": {"passkey"}, "passkey": {answer}}).Status(http.StatusSeeOther)
	second.Get("/settings/sessions").Status(http.StatusOK).Has("this device")

	// Confirm it's you.
	site.Clock.Advance(11 * time.Minute)
	second.Get("/settings/factors").Status(http.StatusSeeOther)
	second.Get("/confirm?next=/settings/factors").Status(http.StatusOK).Has("Use a passkey").HasNot("Confirm with the code")
	second.PostForm("/confirm", url.Values{"passkey": {p.Get(challenge(second, confirmAPI))}, "next": {"/settings/factors"}}).Status(http.StatusSeeOther)

	second.Get(page).Status(http.StatusOK).Has("Remove passkey", `value="&lt;Phone&gt;"`)
	second.PostForm(page+"?_method=PATCH", url.Values{"name": {"a\nb"}}).Status(http.StatusUnprocessableEntity)
	second.PostForm(page+"?_method=PATCH", url.Values{"name": {"Old phone"}}).Status(http.StatusSeeOther)
	second.Get("/settings/factors").Status(http.StatusOK).Has("<bdi>Old phone</bdi>")
	deliver()
	second.PostForm(page+"?_method=DELETE", nil).Status(http.StatusSeeOther)
	second.Get("/settings/factors").Status(http.StatusOK).Has("It’s off").HasNot("unused code")
	second.Get(page).Status(http.StatusNotFound)
	if told := deliver(); len(told) != 1 || !strings.Contains(told[0].Subject, "removed") || strings.Contains(told[0].Text, "Old phone") {
		t.Errorf("the owner is told %v", told)
	}
	second.Get("/settings/security").Status(http.StatusOK).Has("Added to two-step login: a passkey, “&lt;Phone&gt;”", "Removed from two-step login: a passkey, “Old phone”")
	byPasskey(site.Client(), p).Status(http.StatusUnauthorized)
}

// Through the API: the responses to programs and browsers, and that a login with a passkey takes no second step.
func TestPasskeysByTheAPI(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice")
	alice.TurnOnTwoSteps()
	deliver()
	p, id, codes := alice.AddPasskey("Phone")
	if len(codes) != 0 {
		t.Errorf("new recovery codes come with the second factor: %v", codes)
	}
	if told := deliver(); len(told) != 1 || !strings.Contains(told[0].Text, "a passkey") || strings.Contains(told[0].Text, "Phone") {
		t.Errorf("the owner is told %v", told)
	}
	state := alice.JSON("GET", "/api/v1/users/factors", nil).Status(http.StatusOK).Data()
	first := state["passkeys"].([]any)[0].(testsite.M)
	if len(state["passkeys"].([]any)) != 1 || first["_id"] != id || first["name"] != "Phone" || first["lastUsedAt"] != nil {
		t.Errorf("the passkeys are %v", state)
	}
	p.Count = 4
	program := site.Client()
	if data := byPasskey(program, p).Status(http.StatusOK).Data(); data["accessToken"] == nil || data["user"].(testsite.M)["username"] != "alice" {
		t.Errorf("the login answers %v", data)
	}
	p.Count++
	browser := site.Client()
	browser.Header.Set("Sec-Fetch-Site", "same-origin")
	if data := byPasskey(browser, p).Status(http.StatusOK).Data(); data["accessToken"] != nil || browser.Cookies["RefreshToken"] == "" {
		t.Errorf("a script of a page reads the tokens: %v", data)
	}
	half := site.Client()
	step := firstStep(half, "alice").Status(http.StatusOK).Data()
	if methods := step["methods"].([]any); len(methods) != 3 || methods[0] != "passkey" {
		t.Errorf("the second step can be done by %v", methods)
	}
	clean, token := site.Client(), step["secondStepToken"]
	p.Count++
	answer := p.Get(clean.JSON("POST", secondAPI+"/challenge", testsite.M{"token": token}).Challenge())
	clean.JSON("POST", secondAPI, testsite.M{"token": token, "passkey": answer}).Status(http.StatusOK)
	renamed := alice.JSON("PATCH", passkeysAPI+"/"+id, testsite.M{"name": "New"}).Status(http.StatusOK).Data()
	if renamed["name"] != "New" || renamed["lastUsedAt"] == nil {
		t.Errorf("renamed: %v", renamed)
	}
	alice.JSON("PATCH", passkeysAPI+"/"+id, testsite.M{"name": ""}).Status(http.StatusUnprocessableEntity)
	alice.JSON("DELETE", passkeysAPI+"/"+id, nil).Status(http.StatusOK)
	alice.JSON("DELETE", passkeysAPI+"/"+id, nil).Status(http.StatusNotFound)
	if state := alice.JSON("GET", "/api/v1/users/factors", nil).Data(); state["isOn"] != true || state["recoveryCodesLeft"] != 10.0 {
		t.Errorf("with the app alone: %v", state)
	}
}

// A passkey's signature is valid once, for a short time, for one purpose, one user and one site.
func TestPasskeyChallenges(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	p, _, _ := alice.AddPasskey("Phone")
	other, _, _ := bob.AddPasskey("Key")
	c := site.Client()
	used := p.Get(challenge(c, passkeyLoginAPI))
	c.JSON("POST", passkeyLoginAPI, testsite.M{"passkey": used}).Status(http.StatusOK)
	site.Client().JSON("POST", passkeyLoginAPI, testsite.M{"passkey": used}).Status(http.StatusConflict) // replayed

	late := p.Get(challenge(site.Client(), passkeyLoginAPI))
	half := site.Client()
	firstStep(half, "alice").Status(http.StatusOK)
	halfOfBob := site.Client()
	firstStep(halfOfBob, "bob").Status(http.StatusOK)
	elsewhere := site.Client()
	byPasskey(elsewhere, p).Status(http.StatusOK)
	for name, try := range map[string]func() *testsite.Answer{
		"made up": func() *testsite.Answer {
			return site.Client().JSON("POST", passkeyLoginAPI, testsite.M{"passkey": p.Get("bWFkZSB1cCBoZXJl")})
		},
		"of a login, for a confirmation": func() *testsite.Answer {
			return alice.JSON("POST", confirmAPI, testsite.M{"passkey": p.Get(challenge(site.Client(), passkeyLoginAPI))})
		},
		"of a login, for a second step": func() *testsite.Answer {
			return half.JSON("POST", secondAPI, testsite.M{"passkey": p.Get(challenge(site.Client(), passkeyLoginAPI))})
		},
		"of a confirmation, for a login": func() *testsite.Answer {
			return site.Client().JSON("POST", passkeyLoginAPI, testsite.M{"passkey": p.Get(challenge(alice, confirmAPI))})
		},
		"of a confirmation, for a second step": func() *testsite.Answer {
			return half.JSON("POST", secondAPI, testsite.M{"passkey": p.Get(challenge(alice, confirmAPI))})
		},
		"of another session": func() *testsite.Answer {
			return alice.JSON("POST", confirmAPI, testsite.M{"passkey": p.Get(challenge(elsewhere, confirmAPI))})
		},
		"of another's confirmation": func() *testsite.Answer {
			return alice.JSON("POST", confirmAPI, testsite.M{"passkey": p.Get(challenge(bob, confirmAPI))})
		},
		"of another's second step": func() *testsite.Answer {
			return half.JSON("POST", secondAPI, testsite.M{"passkey": p.Get(challenge(halfOfBob, secondAPI))})
		},
		"of another's new one": func() *testsite.Answer {
			return alice.JSON("POST", passkeysAPI, testsite.M{"name": "x", "passkey": p.Create(challenge(bob, passkeysAPI))})
		},
		"of a confirmation, for a new one": func() *testsite.Answer {
			return alice.JSON("POST", passkeysAPI, testsite.M{"name": "x", "passkey": p.Create(challenge(alice, confirmAPI))})
		},
	} {
		if answer := try(); answer.Code != http.StatusConflict {
			t.Errorf("a challenge %s: %s", name, answer)
		}
	}
	if n := count(alice, "second_step_failed") + count(alice, "confirm_failed"); n != 0 {
		t.Errorf("%d failures in the log, for challenges that are nobody's", n)
	}
	// Somebody else's passkey, for a challenge that was issued to her.
	half.JSON("POST", secondAPI, testsite.M{"passkey": other.Get(challenge(half, secondAPI))}).Status(http.StatusUnprocessableEntity)
	alice.JSON("POST", confirmAPI, testsite.M{"passkey": other.Get(challenge(alice, confirmAPI))}).Status(http.StatusUnprocessableEntity)
	if count(alice, "second_step_failed") != 1 || count(alice, "confirm_failed") != 1 {
		t.Error("somebody else's passkey is not noted")
	}
	half.JSON("POST", secondAPI, testsite.M{"passkey": p.Get(challenge(half, secondAPI))}).Status(http.StatusOK)
	site.Clock.Advance(5 * time.Minute)
	site.Client().JSON("POST", passkeyLoginAPI, testsite.M{"passkey": late}).Status(http.StatusConflict)
	site.Client().JSON("POST", secondAPI+"/challenge", nil).Status(http.StatusUnauthorized)
	site.User("carol").JSON("POST", confirmAPI+"/challenge", nil).Status(http.StatusConflict) // has none
}

// Signatures that aren't for this site, or by somebody the device didn't verify, are refused (the other checks are in
// utils/passkey).
func TestForgedPasskeysOpenNothing(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	p, _, _ := alice.AddPasskey("Phone")
	other, _, _ := bob.AddPasskey("Key")
	for name, spoil := range map[string]func(*testsite.Passkey){
		"another origin":               func(d *testsite.Passkey) { d.Origin = "https://evil.example" },
		"another site's":               func(d *testsite.Passkey) { d.RPID = "evil.example" },
		"nobody checked who it was":    func(d *testsite.Passkey) { d.Flags = testsite.Present },
		"nobody was there":             func(d *testsite.Passkey) { d.Flags = testsite.Verified },
		"unknown":                      func(d *testsite.Passkey) { d.ID = []byte("nobody's") },
		"another's name":               func(d *testsite.Passkey) { d.Owner = other.Owner },
		"another's id, with her key":   func(d *testsite.Passkey) { d.ID = other.ID },
		"a new one instead of a login": func(d *testsite.Passkey) { d.Type = "webauthn.create" },
	} {
		bad := *p
		spoil(&bad)
		c := site.Client()
		if answer := byPasskey(c, &bad); answer.Code != http.StatusUnauthorized || c.Cookies["RefreshToken"] != "" {
			t.Errorf("%s: a login: %s", name, answer)
		}
		if answer := alice.JSON("POST", confirmAPI, testsite.M{"passkey": bad.Get(challenge(alice, confirmAPI))}); answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: a confirmation: %s", name, answer)
		}
	}
	for _, answer := range []string{"x", "null", "{}", "[]", "123", strings.Repeat("[", 5000), `{"id":"","rawId":"","type":"public-key","response":{}}`} {
		site.Client().JSON("POST", passkeyLoginAPI, testsite.M{"passkey": answer}).Status(http.StatusUnauthorized)
		alice.JSON("POST", confirmAPI, testsite.M{"passkey": answer}).Status(http.StatusUnprocessableEntity)
		alice.JSON("POST", passkeysAPI, testsite.M{"name": "x", "passkey": answer}).Status(http.StatusUnprocessableEntity)
	}
	for _, body := range []any{testsite.M{"passkey": testsite.M{}}, testsite.M{"passkey": 1}, testsite.M{"name": 1, "passkey": []string{}}, nil} {
		site.Client().JSON("POST", passkeyLoginAPI, body).Status(http.StatusUnprocessableEntity)
		alice.JSON("POST", passkeysAPI, body).Status(http.StatusUnprocessableEntity)
	}
	copied := *p // of alice's: nobody else can add it
	bob.JSON("POST", passkeysAPI, testsite.M{"name": "mine", "passkey": copied.Create(challenge(bob, passkeysAPI))}).Status(http.StatusConflict)
	byPasskey(site.Client(), p).Status(http.StatusOK)
}

// Only their owner can see and change passkeys, and adding or removing one requires a confirmation.
func TestPasskeysAreTheirOwners(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	p, id, _ := alice.AddPasskey("Phone")
	for _, method := range []string{"PATCH", "DELETE"} {
		bob.JSON(method, passkeysAPI+"/"+id, testsite.M{"name": "bob's"}).Status(http.StatusNotFound)
		bob.JSON(method, passkeysAPI+"/nonsense", testsite.M{"name": "bob's"}).Status(http.StatusNotFound)
	}
	bob.Get("/settings/factors/passkeys/" + id).Status(http.StatusNotFound)
	site.Clock.Advance(11 * time.Minute)
	for _, r := range [][2]string{{"POST", ""}, {"POST", "/challenge"}, {"PATCH", "/" + id}, {"DELETE", "/" + id}} {
		alice.JSON(r[0], passkeysAPI+r[1], testsite.M{"name": "x"}).Status(http.StatusForbidden).Has("confirmation_required")
	}
	alice.JSON("POST", confirmAPI, testsite.M{"passkey": p.Get(challenge(alice, confirmAPI))}).Status(http.StatusOK)
	alice.JSON("DELETE", passkeysAPI+"/"+id, nil).Status(http.StatusOK)
	byPasskey(site.Client(), p).Status(http.StatusUnauthorized)
	if data := firstStep(site.Client(), "alice").Status(http.StatusOK).Data(); data["accessToken"] == nil {
		t.Errorf("one step is enough now, and the answer is %v", data)
	}
}

// A passkey whose counter goes backwards is refused everywhere, and its owner is notified.
func TestACopiedPasskeyIsTold(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice")
	p, _, _ := alice.AddPasskey("Phone")
	p.Count = 7
	byPasskey(site.Client(), p).Status(http.StatusOK)
	deliver()
	thief := site.Client()
	byPasskey(thief, p).Status(http.StatusUnauthorized).Has("may have been copied")
	p.Count = 6
	half := site.Client()
	firstStep(half, "alice").Status(http.StatusOK)
	half.JSON("POST", secondAPI, testsite.M{"passkey": p.Get(challenge(half, secondAPI))}).Status(http.StatusUnprocessableEntity).Has("may have been copied")
	p.Count = 0
	alice.JSON("POST", confirmAPI, testsite.M{"passkey": p.Get(challenge(alice, confirmAPI))}).Status(http.StatusUnprocessableEntity)
	if thief.Cookies["RefreshToken"] != "" || half.Cookies["RefreshToken"] != "" || count(alice, "passkey_copied") != 3 {
		t.Errorf("%d are noted", count(alice, "passkey_copied"))
	}
	if told := deliver(); len(told) != 3 || !strings.Contains(told[0].Subject, "may have been copied") || !strings.Contains(told[0].Text, "not-me") {
		t.Errorf("the owner is told %v", told)
	}
	alice.Get("/settings/security").Status(http.StatusOK).Has("it may have been copied: a passkey, “Phone”")
	p.Count = 8
	byPasskey(site.Client(), p).Status(http.StatusOK)
}

// One signature in many simultaneous requests: one session. And one passkey from one response to one challenge.
func TestAPasskeyIsUsedOnceAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	p, _, _ := alice.AddPasskey("Phone")
	second := testsite.NewPasskey(t, "https://localhost", "localhost")
	login, made := p.Get(challenge(site.Client(), passkeyLoginAPI)), second.Create(challenge(alice, passkeysAPI))
	before := len(sessions(alice))
	for path, body := range map[string]testsite.M{passkeyLoginAPI: {"passkey": login}, passkeysAPI: {"name": "twice", "passkey": made}} {
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			tab := alice.Copy()
			if path == passkeyLoginAPI {
				tab = site.Client()
			}
			all.Go(func() {
				switch answer := tab.JSON("POST", path, body); answer.Code {
				case http.StatusOK:
					won.Add(1)
				case http.StatusConflict:
				default:
					t.Errorf("%s: %s", path, answer)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d succeed", path, won.Load())
		}
	}
	state := alice.JSON("GET", "/api/v1/users/factors", nil).Data()
	if n := len(sessions(alice)) - before; n != 1 || len(state["passkeys"].([]any)) != 2 {
		t.Errorf("%d new sessions, %v", n, state)
	}
}

func TestPasskeysAreAtMostTwenty(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	early := challenge(alice, passkeysAPI)
	for i := range 20 {
		alice.AddPasskey(fmt.Sprint("key ", i))
	}
	alice.JSON("POST", passkeysAPI+"/challenge", nil).Status(http.StatusConflict).Has("at most 20")
	one := testsite.NewPasskey(t, "https://localhost", "localhost")
	alice.JSON("POST", passkeysAPI, testsite.M{"name": "one more", "passkey": one.Create(early)}).Status(http.StatusConflict).Has("at most 20")
}

// A disabled account has no login of any kind, and a removed one has no passkeys.
func TestPasskeysOfAccountsThatMayNotLogIn(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	p, _, _ := alice.AddPasskey("Phone")
	other, _, _ := bob.AddPasskey("Key")
	user, _ := site.Users.ByLogin(t.Context(), "alice")
	if err := site.Moderation.Disable(t.Context(), models.Moderator{}, user.ID); err != nil {
		t.Fatal(err)
	}
	c := site.Client()
	byPasskey(c, p).Status(http.StatusForbidden).Has("disabled this account")
	bob.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(http.StatusOK)
	byPasskey(c, other).Status(http.StatusUnauthorized)
	if c.Cookies["RefreshToken"] != "" {
		t.Error("somebody is logged in")
	}
}

// “This wasn't me” removes the passkeys of the last week, which may be the thief's, and leaves the others.
func TestThisWasntMyPasskey(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := member(t, site, deliver, "alice")
	mine, _, _ := alice.AddPasskey("Mine")
	deliver()
	site.Clock.Advance(8 * 24 * time.Hour)
	thief := site.Client()
	byPasskey(thief, mine).Status(http.StatusOK)
	deliver()
	theirs, _, _ := thief.AddPasskey("Theirs")
	_, link := tokenIn(t, deliver())
	site.Client().PostForm("/not-me", url.Values{"token": {link}}).Status(http.StatusSeeOther)
	byPasskey(site.Client(), theirs).Status(http.StatusUnauthorized)
	owner := site.Client()
	byPasskey(owner, mine).Status(http.StatusOK)
	owner.Get("/settings/security").Status(http.StatusOK).Has("Removed from two-step login: a passkey, “Theirs”")
}

// A site at an IP address has none, and pages and the API explain why.
func TestASiteWithoutANameHasNoPasskeys(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.BaseURL = "https://192.0.2.7" })
	alice := site.User("alice")
	site.Client().Get("/login").Status(http.StatusOK).HasNot("passkey")
	alice.Get("/settings/factors").Status(http.StatusOK).Has("this one is open at an IP address").HasNot("Add a passkey")
	alice.Get("/confirm").Status(http.StatusOK).HasNot("passkey")
	if state := alice.JSON("GET", "/api/v1/users/factors", nil).Data(); state["passkeysOff"] == nil {
		t.Errorf("the API doesn't say it: %v", state)
	}
	for _, path := range []string{passkeysAPI + "/challenge", confirmAPI + "/challenge", passkeyLoginAPI + "/challenge", passkeyLoginAPI} {
		alice.JSON("POST", path, testsite.M{"passkey": "{}"}).Status(http.StatusConflict).Has("this one is open at an IP address")
	}
	alice.JSON("POST", passkeysAPI, testsite.M{"name": "x", "passkey": "{}"}).Status(http.StatusConflict)
}

func TestChallengesAreLimited(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	c := site.Client()
	for range 300 {
		challenge(c, passkeyLoginAPI)
	}
	c.JSON("POST", passkeyLoginAPI+"/challenge", nil).Status(http.StatusTooManyRequests)
	site.User("alice").JSON("POST", passkeysAPI+"/challenge", nil).Status(http.StatusOK) // users have separate quotas
}
