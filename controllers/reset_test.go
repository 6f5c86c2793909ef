package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/utils/mail"
)

// mailbox receives what the site sends. It can be made to fail first.
type mailbox struct {
	mu       sync.Mutex
	messages []mail.Message
	fail     []error
}

func (b *mailbox) Send(_ context.Context, m mail.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fail) > 0 {
		err := b.fail[0]
		b.fail = b.fail[1:]
		return err
	}
	b.messages = append(b.messages, m)
	return nil
}

// withMail is a site that sends to the mailbox when deliver is called.
func withMail(t *testing.T, change ...func(*config.Config)) (site *testsite.Site, box *mailbox, deliver func() []mail.Message) {
	site, box = testsite.New(t, change...), &mailbox{}
	site.SendWith(box)
	return site, box, func() []mail.Message {
		t.Helper()
		box.messages = nil
		if _, err := site.DeliverDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		return box.messages
	}
}

// member is a user who has confirmed their address.
func member(t *testing.T, site *testsite.Site, deliver func() []mail.Message, name string) *testsite.Client {
	t.Helper()
	c := site.User(name)
	_, token := tokenIn(t, deliver())
	site.Client().JSON("POST", "/api/v1/users/confirm-email", testsite.M{"token": token}).Status(200)
	return c
}

var linkIn = regexp.MustCompile(`https://localhost(/(?:reset-password|confirm-email|not-me)\?token=([A-Z0-9]+))\n`)

// tokenIn finds the link in the only message.
func tokenIn(t *testing.T, messages []mail.Message) (path, token string) {
	t.Helper()
	if len(messages) != 1 {
		t.Fatalf("%d mails: %v", len(messages), messages)
	}
	found := linkIn.FindStringSubmatch(messages[0].Text)
	if found == nil {
		t.Fatalf("no link in %s", messages[0].Text)
	}
	return found[1], found[2]
}

const chosen = "seven green umbrellas"

func TestAForgottenPasswordIsReplaced(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := member(t, site, deliver, "alice")

	forgetful := site.Client() // another browser, logged out
	forgetful.Get("/login").Status(200).Has(`href="/forgot-password"`)
	known := forgetful.PostForm("/forgot-password", url.Values{"email": {" Alice@Example.com "}}).Status(303)
	messages := deliver()
	path, token := tokenIn(t, messages)
	if to := messages[0].To; to != "alice@example.com" {
		t.Errorf("sent to %s", to)
	}
	unknown := site.Client().PostForm("/forgot-password", url.Values{"email": {"nobody@example.com"}}).Status(303)
	if known.Header.Get("Location") != unknown.Header.Get("Location") || len(deliver()) != 0 {
		t.Error("the response, or a mail, tells which address has an account")
	}

	page := forgetful.Get(path).Status(200).Has("alice", token)
	forgetful.Get(path).Status(200) // a mail scanner's visit doesn't use up the link
	if policy := page.Header.Get("Referrer-Policy"); policy != "strict-origin" {
		t.Errorf("Referrer-Policy %q would pass the token on", policy)
	}
	if cache := page.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control %q keeps the token", cache)
	}
	form := func(password, again string) url.Values {
		return url.Values{"token": {token}, "newPassword": {password}, "confirmPassword": {again}}
	}
	forgetful.PostForm("/reset-password", form("short", "short")).Status(422).Has(token)
	forgetful.PostForm("/reset-password", form(chosen, "another")).Status(422).Has("match")
	forgetful.PostForm("/reset-password", form(chosen, chosen)).Status(303)
	forgetful.PostForm("/reset-password", form(chosen, chosen)).Status(422).Has("already used")
	forgetful.Get(path).Status(422).Has("already used", "Send the link")

	alice.JSON("GET", "/api/v1/users/get-current-user", nil).Status(401) // every session has ended
	login := func(password string) *testsite.Answer {
		return forgetful.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": password})
	}
	login(testsite.Password).Status(401)
	login(chosen).Status(200)
	forgetful.Get("/settings/security").Status(200).Has("emailed link")
	if notice := deliver(); len(notice) != 1 || !strings.Contains(notice[0].Subject, "password was changed") {
		t.Errorf("the owner is not told: %v", notice)
	}
}

func TestLinksAreBoundAndEnd(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := member(t, site, deliver, "alice")
	ask := func() (path, token string) {
		site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
		return tokenIn(t, deliver())
	}
	useless := func(why, token string) {
		t.Helper()
		site.Client().JSON("POST", "/api/v1/users/reset-password", testsite.M{"token": token, "newPassword": chosen, "confirmPassword": chosen}).
			Status(422).Has("expired")
		if t.Failed() {
			t.Fatal(why)
		}
	}
	_, late := ask()
	site.Clock.Advance(31 * time.Minute)
	useless("after half an hour", late)

	_, first := ask()
	moveTo := func(address string) {
		t.Helper()
		alice.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": address, "password": testsite.Password}).Status(200)
		_, token := tokenIn(t, deliver())
		alice.JSON("POST", "/api/v1/users/confirm-email", testsite.M{"token": token}).Status(200)
	}
	moveTo("a@example.com")
	useless("for another address", first)
	if told := deliver(); len(told) != 1 || told[0].To != "alice@example.com" {
		t.Errorf("the address before is not told: %v", told)
	}
	moveTo("alice@example.com")
	deliver()
	site.Clock.Advance(time.Hour) // an address only gets a few mails per hour

	_, second := ask()
	_, third := ask() // both are valid, until one is used
	alice.JSON("PATCH", "/api/v1/users/update-user-password",
		testsite.M{"oldPassword": testsite.Password, "newPassword": chosen + "!", "confirmPassword": chosen + "!"}).Status(200)
	useless("for another password", second)
	useless("for another password", third)
	deliver()

	for _, token := range []string{"", "x", "' or 1=1", strings.Repeat("A", 5000), first[:10]} {
		useless("made up", token)
	}
}

// Of several simultaneous uses of one link, or of two links of one account, one succeeds.
func TestALinkIsUsedOnceAtOnce(t *testing.T) {
	site, _, deliver := withMail(t)
	member(t, site, deliver, "alice")
	var tokens []string
	for range 2 {
		site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
		_, token := tokenIn(t, deliver())
		tokens = append(tokens, token)
	}
	var all sync.WaitGroup
	codes := make(chan int, 8)
	for i := range 8 {
		all.Go(func() {
			password := fmt.Sprint(chosen, i)
			codes <- site.Client().JSON("POST", "/api/v1/users/reset-password",
				testsite.M{"token": tokens[i%2], "newPassword": password, "confirmPassword": password}).Code
		})
	}
	all.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if count[200] != 1 || count[422] != 7 {
		t.Errorf("%v", count)
	}
}

func TestMailsAreTriedAgain(t *testing.T) {
	site, box, deliver := withMail(t)
	member(t, site, deliver, "alice")
	site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
	box.fail = []error{errors.New("greylisted"), errors.New("greylisted")}
	for _, pause := range []time.Duration{0, time.Minute, 2 * time.Minute} {
		if messages := deliver(); len(messages) != 0 {
			t.Fatalf("sent before: %v", messages)
		}
		site.Clock.Advance(pause + time.Second)
	}
	if _, token := tokenIn(t, deliver()); token == "" {
		t.Error("never sent")
	}
	if messages := deliver(); len(messages) != 0 {
		t.Errorf("sent twice: %v", messages)
	}

	site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
	box.fail = []error{fmt.Errorf("%w: no such user", mail.ErrRefused)}
	deliver()
	site.Clock.Advance(2 * time.Hour)
	if messages := deliver(); len(messages) != 0 {
		t.Errorf("tried again after a refusal: %v", messages)
	}
}

// No mailbox can be flooded, whatever strangers request, and dropping mails isn't reported to them. Notices are still
// sent.
func TestMailsAreFew(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := site.User("alice") // one mail
	for range 8 {
		site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
	}
	alice.JSON("POST", "/api/v1/users/new-email/link", nil).Status(429)
	if n := len(deliver()); n != 5 {
		t.Errorf("%d mails in an hour", n)
	}
	alice.JSON("PATCH", "/api/v1/users/update-user-password",
		testsite.M{"oldPassword": testsite.Password, "newPassword": chosen, "confirmPassword": chosen}).Status(200)
	if n := len(deliver()); n != 1 {
		t.Errorf("%d notices", n)
	}
	site.Clock.Advance(time.Hour)
	alice.JSON("POST", "/api/v1/users/new-email/link", nil).Status(200)
	tokenIn(t, deliver())
}

func TestForgottenPasswordInput(t *testing.T) {
	site, _, deliver := withMail(t)
	for _, email := range []any{"", " ", "alice", "a@b@c", strings.Repeat("a", 300) + "@example.com", "a@example.com\r\nBcc: b@example.com", 5, nil} {
		site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": email}).Status(422).Has("email")
	}
	site.Client().PostForm("/forgot-password", url.Values{"email": {"alice"}}).Status(422).Has(`value="alice"`)
	if n := len(deliver()); n != 0 {
		t.Errorf("%d mails", n)
	}
}

// A disabled account gets no link, and links issued before don't work.
func TestDisabledAccountsAreNotReset(t *testing.T) {
	site, _, deliver := withMail(t)
	alice := mustID(t, idOf(t, member(t, site, deliver, "alice")))
	ask := func() {
		site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
	}
	ask()
	_, token := tokenIn(t, deliver())
	if err := site.Moderation.Disable(t.Context(), models.Moderator{}, alice); err != nil {
		t.Fatal(err)
	}
	site.Client().JSON("POST", "/api/v1/users/reset-password", testsite.M{"token": token, "newPassword": chosen, "confirmPassword": chosen}).Status(422)
	ask()
	if n := len(deliver()); n != 0 {
		t.Errorf("%d mails", n)
	}
}

// A site that can't send mail says so. Only in development, and only to this machine, it shows what it would send.
func TestSitesWithoutMail(t *testing.T) {
	production := testsite.New(t, func(c *config.Config) { c.Env = "production" })
	production.Client().Get("/forgot-password").Status(200).Has("can’t send email")
	production.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(503)
	production.Client().Get("/dev/mail").Status(404)

	site := testsite.New(t)
	site.User("alice")
	site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(200)
	if _, err := site.DeliverDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	site.Client().Get("/dev/mail").Status(404) // httptest's requests come from elsewhere
	here := httptest.NewRequest("GET", "https://localhost/dev/mail", nil)
	here.RemoteAddr = "127.0.0.1:1234"
	site.Client().Do(here).Status(200).Has("/reset-password?token=")
}
