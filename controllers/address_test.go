package controllers_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/utils/mail"
)

// changeTo requests a change of address and returns the link's token.
func changeTo(t *testing.T, c *testsite.Client, deliver func() []mail.Message, address string) (token string) {
	t.Helper()
	c.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": address, "password": testsite.Password}).Status(200)
	messages := deliver()
	if len(messages) == 1 && messages[0].To != address {
		t.Fatalf("sent to %s", messages[0].To)
	}
	_, token = tokenIn(t, messages)
	return token
}

func confirmEmail(c *testsite.Client, token string) *testsite.Answer {
	return c.JSON("POST", "/api/v1/users/confirm-email", testsite.M{"token": token})
}

func TestAnAddressIsConfirmed(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice")
	if me := alice.JSON("GET", whoAmI, nil).Data(); me["emailConfirmed"] != false || me["email"] != "alice@example.com" {
		t.Errorf("%v", me)
	}
	alice.Get("/settings/account").Status(200).Has("haven’t confirmed", "alice@example.com", `action="/settings/email/link"`)
	path, token := tokenIn(t, deliver())
	alice.PostForm("/settings/email/link", nil).Status(303)
	_, again := tokenIn(t, deliver())

	other := site.Client() // another browser, logged out
	for range 2 {          // a mail scanner's visit doesn't use up the link
		page := other.Get(path).Status(200).Has("alice@example.com", token, `action="/confirm-email"`)
		if policy, cache := page.Header.Get("Referrer-Policy"), page.Header.Get("Cache-Control"); policy != "strict-origin" || !strings.Contains(cache, "no-store") {
			t.Errorf("Referrer-Policy %q, Cache-Control %q", policy, cache)
		}
	}
	if to := other.PostForm("/confirm-email", url.Values{"token": {token}}).Status(303).Header.Get("Location"); to != "/login" {
		t.Errorf("leads to %s", to)
	}
	if me := alice.JSON("GET", whoAmI, nil).Data(); me["emailConfirmed"] != true {
		t.Errorf("%v", me)
	}
	for _, used := range []string{token, again} {
		other.PostForm("/confirm-email", url.Values{"token": {used}}).Status(422).Has("already used")
	}
	other.Get(path).Status(422).Has("already used")
	alice.Get("/settings/account").Status(200).HasNot("haven’t confirmed")
	alice.JSON("POST", "/api/v1/users/new-email/link", nil).Status(409)
	if sent := deliver(); len(sent) != 0 {
		t.Errorf("%v", sent)
	}
}

// Resetting the password through a link also proves the address.
func TestAResetProvesTheAddress(t *testing.T) {
	site, _, deliver := withMail(t)
	site.User("alice")
	deliver()
	site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
	_, token := tokenIn(t, deliver())
	site.Client().JSON("POST", "/api/v1/users/reset-password", testsite.M{"token": token, "newPassword": chosen, "confirmPassword": chosen}).Status(200)
	login := site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": chosen}).Status(200)
	if user := login.Data()["user"].(testsite.M); user["emailConfirmed"] != true {
		t.Errorf("%v", user)
	}
}

func TestAChangeOfAddressIsConfirmedAndCanBeCancelled(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := member(t, site, deliver, "alice")
	site.User("bob")
	deliver()
	alice.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "bob@example.com", "password": testsite.Password}).Status(409)

	token := changeTo(t, alice, deliver, "new@example.com")
	if me := alice.JSON("GET", whoAmI, nil).Data(); me["email"] != "alice@example.com" || me["newEmail"] != "new@example.com" {
		t.Errorf("%v", me)
	}
	alice.Get("/settings/account").Status(200).Has("new@example.com", "Cancel the change", "alice@example.com")
	site.Client().Get("/confirm-email?token="+token).Status(200).Has("in place of", "alice", "new@example.com")
	alice.PostForm("/settings/email/new?_method=DELETE", nil).Status(303)
	alice.JSON("DELETE", "/api/v1/users/new-email", nil).Status(200) // again
	confirmEmail(site.Client(), token).Status(422)
	alice.Get("/settings/account").Status(200).HasNot("new@example.com")

	token = changeTo(t, alice, deliver, "new@example.com")
	alice.PostForm("/settings/email/link", nil).Status(303)
	tokenIn(t, deliver())
	confirmEmail(site.Client(), token).Status(200)
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "new@example.com", "password": testsite.Password}).Status(200)
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice@example.com", "password": testsite.Password}).Status(401)

	// A new password cancels what somebody who knew the old one requested.
	site.Clock.Advance(time.Hour)
	deliver()
	token = changeTo(t, alice, deliver, "newer@example.com")
	alice.JSON("PATCH", "/api/v1/users/update-user-password",
		testsite.M{"oldPassword": testsite.Password, "newPassword": chosen, "confirmPassword": chosen}).Status(200)
	confirmEmail(site.Client(), token).Status(422)
	if me := alice.JSON("GET", whoAmI, nil).Data(); me["newEmail"] != nil {
		t.Errorf("%v", me)
	}
}

// The owner of the account's original mailbox recovers the account from a thief who has the password and changed the
// address twice.
func TestThisWasntMe(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := member(t, site, deliver, "alice")
	thief := site.SignIn("alice")
	confirmEmail(site.Client(), changeTo(t, thief, deliver, "thief@example.com")).Status(200)
	notice := deliver()
	if len(notice) != 1 || notice[0].To != "alice@example.com" || !strings.Contains(notice[0].Text, "puts this address back") {
		t.Fatalf("%v", notice)
	}
	path, token := tokenIn(t, notice)
	confirmEmail(site.Client(), changeTo(t, thief, deliver, "thief2@example.com")).Status(200)
	_, thiefs := tokenIn(t, deliver())
	waiting := changeTo(t, thief, deliver, "thief3@example.com")

	owner := site.Client()
	for range 2 {
		owner.Get(path).Status(200).Has("alice@example.com", `action="/not-me"`)
	}
	location := owner.PostForm("/not-me", url.Values{"token": {token}}).Status(303).Header.Get("Location")
	if !strings.HasPrefix(location, "/reset-password?token=") {
		t.Fatalf("leads to %s", location)
	}
	for _, c := range []*testsite.Client{alice, thief} {
		c.JSON("GET", whoAmI, nil).Status(401)
	}
	for _, address := range []string{"alice", "alice@example.com", "thief2@example.com"} {
		thief.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": address, "password": testsite.Password}).Status(401)
	}
	for _, over := range []string{token, thiefs} {
		thief.JSON("POST", "/api/v1/users/not-me", testsite.M{"token": over}).Status(422)
	}
	confirmEmail(thief, waiting).Status(422)

	owner.Get(location).Status(200).Has("alice")
	reset := strings.TrimPrefix(location, "/reset-password?token=")
	owner.PostForm("/reset-password", url.Values{"token": {reset}, "newPassword": {chosen}, "confirmPassword": {chosen}}).Status(303)
	login := owner.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice@example.com", "password": chosen}).Status(200)
	if user := login.Data()["user"].(testsite.M); user["email"] != "alice@example.com" || user["newEmail"] != nil || user["emailConfirmed"] != true {
		t.Errorf("%v", user)
	}
	owner.Get("/settings/security").Status(200).Has("“This wasn’t me”")
}

// A second factor that a thief may have added is removed; one that existed before keeps out anyone who can read the
// mailbox.
func TestThisWasntMyFactor(t *testing.T) {
	for name, test := range map[string]struct {
		age   time.Duration
		stays bool
	}{
		"new": {models.UndoTime - time.Hour, false},
		"old": {models.UndoTime + time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			site, _, deliver := withMail(t)
			alice := member(t, site, deliver, "alice")
			user := userOf(t, site, alice)
			alice.JSON("PUT", "/api/v1/users/factors/authenticator", nil).Status(200)
			site.Clock.Advance(models.UndoTime) // a pending setup doesn't become old with time
			site.SignIn("alice").TurnOnTwoSteps()
			deliver()
			site.Clock.Advance(test.age)
			token, err := site.Links.Make(t.Context(), user, models.NotMe, user.Email)
			if err != nil {
				t.Fatal(err)
			}
			c := site.Client()
			reset := c.JSON("POST", "/api/v1/users/not-me", testsite.M{"token": token}).Status(200).Data()["token"]
			c.JSON("POST", "/api/v1/users/reset-password", testsite.M{"token": reset, "newPassword": chosen, "confirmPassword": chosen}).Status(200)
			login := c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": chosen}).Status(200).Data()
			if asked := login["methods"] != nil; asked != test.stays {
				t.Errorf("the login answers %v", login)
			}
			if left, err := site.Factors.CodesLeft(t.Context(), user.ID); (left > 0) != test.stays || err != nil {
				t.Errorf("%d recovery codes are left, %v", left, err)
			}
			if !test.stays {
				c.Get("/settings/security").Status(200).Has("Removed from two-step login")
			}
		})
	}
}

// A link only works for its own purpose.
func TestALinkHasOnePurpose(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice")
	tokens := map[string]string{}
	_, tokens["confirm-email"] = tokenIn(t, deliver())
	site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
	_, tokens["reset-password"] = tokenIn(t, deliver())
	secret, err := site.Links.Make(t.Context(), userOf(t, site, alice), models.NotMe, "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	tokens["not-me"] = secret
	for made, token := range tokens {
		for page := range tokens {
			site.Client().Get("/" + page + "?token=" + token).Status(map[bool]int{true: 200, false: 422}[made == page])
			if made != page {
				body := testsite.M{"token": token, "newPassword": chosen, "confirmPassword": chosen}
				if page != "reset-password" {
					body = testsite.M{"token": token}
				}
				site.Client().JSON("POST", "/api/v1/users/"+page, body).Status(422)
			}
		}
	}
	for _, odd := range []string{"", "x", strings.Repeat("A", 5000), tokens["not-me"][:20], "' or 1=1"} {
		for page := range tokens {
			if odd != "" {
				site.Client().Get("/" + page + "?token=" + url.QueryEscape(odd)).Status(422)
			}
		}
		confirmEmail(site.Client(), odd).Status(422)
		site.Client().JSON("POST", "/api/v1/users/not-me", testsite.M{"token": odd}).Status(422)
	}
	// After the account is deleted, none of its links works.
	alice.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
	for page, token := range tokens {
		site.Client().Get("/" + page + "?token=" + token).Status(422)
	}
	confirmEmail(site.Client(), tokens["confirm-email"]).Status(422)
	site.Client().JSON("POST", "/api/v1/users/not-me", testsite.M{"token": tokens["not-me"]}).Status(422)
}

// Of several simultaneous uses of one link, one succeeds.
func TestLinksAreUsedOnceAtOnce(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice")
	_, confirm := tokenIn(t, deliver())
	secret, err := site.Links.Make(t.Context(), userOf(t, site, alice), models.NotMe, "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range [][2]string{{"confirm-email", confirm}, {"not-me", secret}} {
		page, token := link[0], link[1]
		var all sync.WaitGroup
		codes := make(chan int, 6)
		for range 6 {
			all.Go(func() { codes <- site.Client().JSON("POST", "/api/v1/users/"+page, testsite.M{"token": token}).Code })
		}
		all.Wait()
		close(codes)
		count := map[int]int{}
		for code := range codes {
			count[code]++
		}
		if count[200] != 1 || count[422] != 5 {
			t.Errorf("%s: %v", page, count)
		}
	}
}

// An address that nobody confirms within a week can be claimed by anyone who registers with it. The account remains.
func TestAnUnconfirmedAddressIsClaimed(t *testing.T) {
	site, _, deliver := withMail(t)
	early := site.User("early")
	deliver()
	claim := testsite.M{"username": "late", "email": "early@example.com", "fullName": "Late", "password": testsite.Password}
	taken := site.Client().JSON("POST", "/api/v1/users/register", claim).Status(409)
	site.Clock.Advance(models.ClaimAfter + time.Minute)
	late := site.Client()
	late.JSON("POST", "/api/v1/users/register", claim).Status(201)
	if messages := deliver(); len(messages) != 1 || messages[0].To != "early@example.com" || !strings.Contains(messages[0].Text, "late") {
		t.Errorf("%v", messages)
	}
	taken.HasNot("confirm") // the state of the other account must not be revealed

	login := early.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "early", "password": testsite.Password}).Status(200)
	if notice, _ := login.Data()["notice"].(string); !strings.Contains(notice, "email address") {
		t.Errorf("%v", login.Data())
	}
	early.Get("/").Status(200).Has("Your account has no email address", `href="/settings/account"`)
	early.Get("/settings/account").Status(200).HasNot("lost.invalid")
	early.Get("/settings/security").Status(200).Has("Someone else registered with your email address")
	if me := early.JSON("GET", whoAmI, nil).Data(); me["email"] != nil || me["emailConfirmed"] != false {
		t.Errorf("%v", me)
	}
	site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "early@example.com"}).Status(200)
	if messages := deliver(); len(messages) != 1 || !strings.Contains(messages[0].Text, "account late") {
		t.Errorf("%v", messages)
	}
	confirmEmail(site.Client(), changeTo(t, early, deliver, "early2@example.com")).Status(200)
	early.Get("/").Status(200).HasNot("Your account has no email address")
}

// If the site can't send mail, nobody is asked to confirm, no address can be claimed, and an address changes
// immediately.
func TestWithoutMailAddressesAreAsTheyAre(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.Env = "production" })
	alice := site.User("alice")
	if me := alice.JSON("GET", whoAmI, nil).Data(); me["emailConfirmed"] != true {
		t.Errorf("%v", me)
	}
	alice.Get("/settings/account").Status(200).HasNot("Send the link again", "send a link")
	site.Clock.Advance(100 * models.ClaimAfter)
	claim := testsite.M{"username": "late", "email": "alice@example.com", "fullName": "Late", "password": testsite.Password}
	site.Client().JSON("POST", "/api/v1/users/register", claim).Status(409)
	alice = site.SignIn("alice")
	alice.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "new@example.com", "password": testsite.Password}).Status(200)
	if me := alice.JSON("GET", whoAmI, nil).Data(); me["email"] != "new@example.com" || me["newEmail"] != nil {
		t.Errorf("%v", me)
	}
}

func TestNewDevicesAreTold(t *testing.T) {
	site, _, deliver := withMail(t, func(c *config.Config) { c.RateLimit = true })
	member(t, site, deliver, "alice")
	browser := func() *testsite.Client {
		c := site.Client()
		c.Header.Set("Origin", "https://localhost")
		return c
	}
	first := browser()
	login := func(c *testsite.Client, told int) {
		t.Helper()
		c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(200)
		messages := deliver()
		if len(messages) != told {
			t.Fatalf("%d mails: %v", len(messages), messages)
		}
		if told == 1 && (!strings.Contains(messages[0].Subject, "New login") || !strings.Contains(messages[0].Text, "/not-me?token=")) {
			t.Errorf("%v", messages[0])
		}
	}
	login(first, 1)
	login(first, 0)
	login(browser(), 1)
	program := site.Client()
	program.Header.Set("User-Agent", "curl/8.1")
	login(program, 1)
	again := site.Client() // it keeps no cookies
	again.Header.Set("User-Agent", "curl/8.2")
	login(again, 0)
	first.Get("/settings/security").Status(200).Has("First login on a new device")
}

// In the security log, an owner who is logged in ends all other sessions and continues to a new password.
func TestThisWasntMeInTheLog(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := member(t, site, deliver, "alice")
	thief := site.SignIn("alice")
	waiting := changeTo(t, thief, deliver, "thief@example.com")
	alice.Get("/settings/security").Status(200).Has(`href="/settings/security/not-me"`)
	alice.Get("/settings/security/not-me").Status(200).Has(`action="/settings/security/not-me"`)
	if to := alice.PostForm("/settings/security/not-me", nil).Status(303).Header.Get("Location"); to != "/settings/password" {
		t.Errorf("leads to %s", to)
	}
	thief.JSON("GET", whoAmI, nil).Status(401)
	alice.JSON("GET", whoAmI, nil).Status(200)
	confirmEmail(thief, waiting).Status(422)
	if ended := alice.JSON("POST", "/api/v1/users/security-log/not-me", nil).Status(200).Data()["ended"]; ended != 0.0 {
		t.Errorf("ended %v", ended)
	}
}

func userOf(t *testing.T, site *testsite.Site, c *testsite.Client) *models.User {
	t.Helper()
	u, err := site.Users.ByID(t.Context(), mustID(t, idOf(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	return u
}
