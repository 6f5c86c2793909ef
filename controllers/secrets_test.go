package controllers_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/utils/logs"
	"tokentube/utils/mail"
)

// journal is a log that a test can read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// secretive is a site that records every secret it reveals to anybody.
type secretive struct {
	*testsite.Site
	t       *testing.T
	box     *mailbox
	log     *journal
	secrets map[string]string // what each of them is
}

func newSecretive(t *testing.T, format string, change ...func(*config.Config)) *secretive {
	cfg := testsite.Config(t)
	for _, f := range change {
		f(&cfg)
	}
	log := new(journal)
	s := &secretive{testsite.Logged(t, cfg, nil, logs.New(log, format, "debug")), t, &mailbox{}, log, map[string]string{}}
	s.SendWith(s.box)
	return s
}

// link returns the link from the only mail that contains one.
func (s *secretive) link(what string) (path, token string) {
	s.t.Helper()
	s.box.messages = nil
	if _, err := s.DeliverDue(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	with := slices.DeleteFunc(slices.Clone(s.box.messages), func(m mail.Message) bool { return linkIn.FindString(m.Text) == "" })
	if len(with) == 0 {
		s.t.Fatalf("no link for %s in %v", what, s.box.messages)
	}
	path, token = tokenIn(s.t, with[len(with)-1:])
	s.secrets[token] = what
	return path, token
}

// spill sends a secret to places where it doesn't belong, in every part of a request.
func (s *secretive) spill(secret string) {
	query := "?token=" + url.QueryEscape(secret) + "&code=" + url.QueryEscape(secret)
	for _, path := range []string{"/", "/login", "/login/code", "/confirm-email", "/reset-password", "/not-me", "/" + url.PathEscape(secret), "/api/v1/users/confirm-email"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			c := s.Client()
			c.Cookies["SecondStep"] = secret
			c.Header.Set("Referer", "https://localhost/reset-password"+query)
			c.JSON(method, path+query, testsite.M{"token": secret, "code": secret, "password": []string{secret}})
		}
		s.Client().PostForm(path, url.Values{"token": {secret}, "code": {secret}})
		s.Client().PostForm(path+query+"%zz", url.Values{"token": {secret + "\x00"}})
	}
}

// opens checks a page linked from a mail: it doesn't leak its URL, loads nothing from elsewhere, and contains the token
// only in its form. A used link shows the same page.
func (s *secretive) opens(path, token string) {
	s.t.Helper()
	page := s.Client().Get(path)
	if policy, cache := page.Header.Get("Referrer-Policy"), page.Header.Get("Cache-Control"); policy != "strict-origin" || cache != "no-store" {
		s.t.Errorf("%s: Referrer-Policy %q, Cache-Control %q", path, policy, cache)
	}
	for n := range page.Page().Descendants() {
		if n.Type == html.TextNode && strings.Contains(n.Data, token) {
			s.t.Errorf("%s shows its token", path)
		}
		for _, a := range n.Attr {
			hidden := n.Data == "input" && a.Key == "value"
			if strings.Contains(a.Val, token) && !hidden {
				s.t.Errorf("%s passes its token on in %s of %s", path, a.Key, n.Data)
			}
			if address, err := url.Parse(a.Val); slices.Contains([]string{"src", "srcset", "href", "action", "data", "poster"}, a.Key) && (err != nil || address.IsAbs() && address.Host != "localhost" || !address.IsAbs() && address.Host != "") {
				s.t.Errorf("%s leads to %s", path, a.Val)
			}
		}
	}
}

// Nothing that gives temporary access to an account, in mails, apps or pages, appears in the log: neither when it is
// used correctly, nor when it is already used or sent to the wrong place.
func TestSecretsOfTheLoginAreNotLogged(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			s := newSecretive(t, format)
			alice := s.confirmsAnAddress()
			s.changesTheAddress(alice)
			s.resetsThePassword()
			alice = s.Client()
			alice.JSON("POST", loginAPI, testsite.M{"identifier": "alice", "password": chosen}).Status(http.StatusOK)
			s.logsInByTwoSteps(alice)
			s.wasNotMe()
			for secret := range maps.Clone(s.secrets) {
				s.spill(secret)
			}
			text := s.log.String()
			if lines := strings.Count(text, "\n"); lines < 100 || len(s.secrets) < 12 {
				t.Fatalf("only %d lines, and %d secrets", lines, len(s.secrets))
			}
			for secret, what := range s.secrets {
				pattern := `(?m)^.*` + regexp.QuoteMeta(secret) + `.*$`
				if _, err := strconv.Atoi(secret); err == nil { // not as part of a longer number
					pattern = `(?m)^(?:.*[^0-9.])?` + secret + `(?:[^0-9.].*)?$`
				}
				if found := regexp.MustCompile(pattern).FindString(text); found != "" {
					t.Errorf("the %s is in the log: %s", what, found)
				}
			}
		})
	}
}

func (s *secretive) confirmsAnAddress() *testsite.Client {
	alice := s.User("alice")
	path, token := s.link("link that confirms an address")
	s.opens(path, token)
	s.Client().PostForm("/confirm-email", url.Values{"token": {token}}).Status(http.StatusSeeOther)
	s.opens(path, token)
	return alice
}

func (s *secretive) changesTheAddress(alice *testsite.Client) {
	alice.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "alice@example.org", "password": testsite.Password}).Status(http.StatusOK)
	path, token := s.link("link that confirms a new address")
	s.opens(path, token)
	alice.JSON("POST", "/api/v1/users/confirm-email", testsite.M{"token": token}).Status(http.StatusOK)
	s.secrets[testsite.Password] = "password"
}

func (s *secretive) resetsThePassword() {
	s.Client().PostForm("/forgot-password", url.Values{"email": {"alice@example.org"}}).Status(http.StatusSeeOther)
	path, token := s.link("link to a new password")
	s.opens(path, token)
	set := func(password string) *testsite.Answer {
		return s.Client().PostForm("/reset-password", url.Values{"token": {token}, "newPassword": {password}, "confirmPassword": {password}})
	}
	set("12345678").Status(http.StatusUnprocessableEntity)
	set(chosen).Status(http.StatusSeeOther)
	set(chosen).Status(http.StatusUnprocessableEntity)
	s.opens(path, token)
	s.secrets[chosen] = "new password"
}

func (s *secretive) logsInByTwoSteps(alice *testsite.Client) {
	secret, recovery := alice.TurnOnTwoSteps()
	s.secrets[secret] = "authenticator app's secret"
	for _, code := range recovery {
		s.secrets[code], s.secrets[strings.ReplaceAll(code, "-", "")] = "recovery code", "recovery code"
	}
	login := func() *testsite.Client {
		c := s.Client()
		data := c.JSON("POST", loginAPI, testsite.M{"identifier": "alice", "password": chosen}).Status(http.StatusOK).Data()
		s.secrets[data["secondStepToken"].(string)] = "token between the steps"
		return c
	}
	code := func() string {
		s.Clock.Advance(30 * time.Second)
		return testsite.OneTimeCode(secret, s.Clock.Now())
	}
	first := login()
	right := code()
	s.secrets[right] = "one-time code"
	first.JSON("POST", secondAPI, testsite.M{"code": "x" + right}).Status(http.StatusUnprocessableEntity)
	first.JSON("POST", secondAPI, testsite.M{"code": right}).Status(http.StatusOK)
	login().JSON("POST", secondAPI, testsite.M{"code": right}).Status(http.StatusUnprocessableEntity)
	login().JSON("POST", secondAPI, testsite.M{"code": recovery[0]}).Status(http.StatusOK)
	login().PostForm("/login/code", url.Values{"code": {recovery[0]}}).Status(http.StatusUnprocessableEntity)
}

func (s *secretive) wasNotMe() {
	path, token := s.link("link of “This wasn't me”")
	s.opens(path, token)
	answer := s.Client().PostForm("/not-me", url.Values{"token": {token}}).Status(http.StatusSeeOther)
	if policy := answer.Header.Get("Referrer-Policy"); policy != "strict-origin" {
		s.t.Errorf("Referrer-Policy %q", policy)
	}
	to := answer.Header.Get("Location")
	next, err := url.Parse(to)
	if err != nil || next.Query().Get("token") == "" {
		s.t.Fatalf("it leads to %s", to)
	}
	s.secrets[next.Query().Get("token")] = "link to a new password after “This wasn't me”"
	s.opens(to, next.Query().Get("token"))
	s.opens(path, token)
}
