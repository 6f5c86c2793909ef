package controllers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/password"
)

// halves is a site on which requests end after a given number of database calls.
type halves struct {
	*testsite.Site
	t     *testing.T
	box   *mailbox
	links map[models.Purpose]string // the newest link for each purpose
	left  atomic.Int64              // remaining calls
	end   atomic.Pointer[context.CancelFunc]
}

func newHalves(t *testing.T) *halves {
	site, box, _ := withMail(t)
	h := &halves{Site: site, t: t, box: box, links: map[models.Purpose]string{}}
	site.DB.Observe(func(string, string, string, time.Duration) {
		if end := h.end.Load(); end != nil && h.left.Add(-1) == 0 {
			(*end)()
		}
	})
	return h
}

// deliver sends the queued mails and returns their subjects, except for mails about a login from a new device. It keeps
// the links.
func (h *halves) deliver() (subjects string) {
	h.t.Helper()
	h.box.messages = nil
	if _, err := h.DeliverDue(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	for _, m := range h.box.messages {
		for purpose, page := range map[models.Purpose]string{models.ResetPassword: "/reset-password", models.ConfirmEmail: "/confirm-email", models.NotMe: "/not-me"} {
			if found := linkIn.FindStringSubmatch(m.Text); found != nil && strings.HasPrefix(found[1], page) {
				h.links[purpose] = found[2]
			}
		}
		if !strings.Contains(m.Subject, "New login") {
			subjects += m.Subject + "; "
		}
	}
	return subjects
}

// member is a user who has confirmed their address and received all pending mails.
func (h *halves) member(name string) *testsite.Client {
	h.t.Helper()
	c := h.User(name)
	h.deliver()
	confirmEmail(h.Client(), h.links[models.ConfirmEmail]).Status(http.StatusOK)
	h.deliver()
	return c
}

// told are the types of events in an account's security log that are among the given ones.
func (h *halves) told(u *models.User, among ...models.EventType) (all []models.EventType) {
	h.t.Helper()
	page, err := h.Events.Page(h.t.Context(), u.ID, store.Paging{Limit: store.MaxLimit})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range page.Items {
		if slices.Contains(among, e.Type) {
			all = append(all, e.Type)
		}
	}
	return all
}

// is describes everything about an account that a change may have affected.
func (h *halves) is(name string, link models.Purpose) string {
	h.t.Helper()
	ctx := h.t.Context()
	u, err := h.Users.ByUsername(ctx, name)
	if apperr.Is(err, apperr.NotFound) {
		return "nobody, mails: " + h.deliver()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	sessions, err := h.Sessions.OfUser(ctx, u.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	codes, err := h.Factors.CodesLeft(ctx, u.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	state := fmt.Sprintf("%s, new %q, confirmed %v, sessions %d, factors %d, codes %d, events %v", strings.TrimPrefix(u.Email, name), strings.TrimPrefix(u.NewEmail, name), u.UnconfirmedSince == nil,
		len(sessions), u.FactorsCount, codes, h.told(u, models.EventReset, models.EventPassword, models.EventEmail, models.EventFactorRemoved, models.EventNotMe))
	if link != "" {
		_, _, err := h.Links.Look(ctx, link, h.links[link])
		state += fmt.Sprintf(", link %v", err == nil)
	}
	state += ", password " + h.password(u)
	return state + ", mails: " + h.deliver()
}

func (h *halves) password(u *models.User) string {
	for name, given := range map[string]string{"old": testsite.Password, "new": chosen} {
		if right, err := h.Hasher.Matches(h.t.Context(), u.PasswordHash, given, password.Turn{}); err == nil && right {
			return name
		}
	}
	return "none"
}

// try sends the request, which ends after the given number of database calls (0: when it is complete). It returns
// whether it ended early.
func (h *halves) try(c *testsite.Client, method, path string, body testsite.M, calls int64) (code int, ended bool) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(ctx, method, "https://localhost"+path, bytes.NewReader(text))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	h.left.Store(calls)
	h.end.Store(&cancel)
	code = c.Do(r).Code
	h.end.Store(nil)
	return code, ctx.Err() != nil
}

// half is a change that may be interrupted. Begin prepares an account, and returns the request that changes it, and the
// account's name.
type half struct {
	link   models.Purpose // the kind of link whose state matters
	begin  func(h *halves, name string) (c *testsite.Client, method, path string, body testsite.M)
	before string // a part of the state before, and after
	after  string
}

var cutShort = map[string]half{
	"registration": {"", func(h *halves, name string) (*testsite.Client, string, string, testsite.M) {
		return h.Client(), "POST", "/api/v1/users/register", testsite.M{"username": name, "email": name + "@example.com", "fullName": name, "password": testsite.Password}
	}, "nobody, mails: ", "confirmed false, sessions 1, factors 0, codes 0, events [], password old, mails: Confirm"},
	"confirming the address": {models.ConfirmEmail, func(h *halves, name string) (*testsite.Client, string, string, testsite.M) {
		h.User(name)
		h.deliver()
		return h.Client(), "POST", "/api/v1/users/confirm-email", testsite.M{"token": h.links[models.ConfirmEmail]}
	}, "confirmed false, sessions 1, factors 0, codes 0, events [], link true", "confirmed true, sessions 1, factors 0, codes 0, events [], link false"},
	"confirming a new address": {models.ConfirmEmail, func(h *halves, name string) (*testsite.Client, string, string, testsite.M) {
		h.member(name).JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": name + "@example.org", "password": testsite.Password}).Status(http.StatusOK)
		h.deliver()
		return h.Client(), "POST", "/api/v1/users/confirm-email", testsite.M{"token": h.links[models.ConfirmEmail]}
	}, "events [], link true, password old, mails: ", `@example.org, new "", confirmed true, sessions 1, factors 0, codes 0, events [email_changed], link false, password old, mails: The email address`},
	"a new password by a link": {models.ResetPassword, func(h *halves, name string) (*testsite.Client, string, string, testsite.M) {
		h.member(name)
		h.Client().PostForm("/forgot-password", url.Values{"email": {name + "@example.com"}}).Status(http.StatusSeeOther)
		h.deliver()
		return h.Client(), "POST", "/api/v1/users/reset-password", testsite.M{"token": h.links[models.ResetPassword], "newPassword": chosen, "confirmPassword": chosen}
	}, "sessions 1, factors 0, codes 0, events [], link true, password old, mails: ", "sessions 0, factors 0, codes 0, events [password_reset], link false, password new, mails: Your"},
	"a new password in the settings": {"", func(h *halves, name string) (*testsite.Client, string, string, testsite.M) {
		return h.member(name), "PATCH", "/api/v1/users/update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": chosen, "confirmPassword": chosen}
	}, "sessions 1, factors 0, codes 0, events [], password old, mails: ", "sessions 1, factors 0, codes 0, events [password_changed], password new, mails: Your"},
	"removing a factor": {"", func(h *halves, name string) (*testsite.Client, string, string, testsite.M) {
		c := h.member(name)
		c.TurnOnTwoSteps()
		h.deliver()
		return c, "DELETE", "/api/v1/users/factors/authenticator", nil
	}, "factors 1, codes 10, events [], password old, mails: ", "factors 0, codes 0, events [factor_removed], password old, mails: "},
	"somebody else was there": {models.NotMe, func(h *halves, name string) (*testsite.Client, string, string, testsite.M) {
		c := h.member(name)
		c.JSON("PATCH", "/api/v1/users/update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": chosen, "confirmPassword": chosen}).Status(http.StatusOK)
		h.deliver()
		return h.Client(), "POST", "/api/v1/users/not-me", testsite.M{"token": h.links[models.NotMe]}
	}, "events [password_changed], link true, password new, mails: ", "sessions 0, factors 0, codes 0, events [not_me password_changed], link false, password none, mails: "},
}

// A change of an account that is interrupted after any database call has either happened completely, and then its owner
// is notified, or not at all, and then the same request succeeds. MongoDB without transactions can't guarantee that
// (docs/deployment.md).
func TestNoChangeOfAnAccountIsHalfDone(t *testing.T) {
	if !testsite.New(t).DB.Transactions() {
		t.Skip("this database has no transactions")
	}
	for name, change := range cutShort {
		t.Run(name, func(t *testing.T) {
			h := newHalves(t)
			c, method, path, body := change.begin(h, "model")
			before := h.is("model", change.link)
			if code, _ := h.try(c, method, path, body, 0); code >= 300 {
				t.Fatalf("it answers %d", code)
			}
			after := h.is("model", change.link)
			if !strings.Contains(before, change.before) || !strings.Contains(after, change.after) {
				t.Fatalf("before: %s\nafter: %s", before, after)
			}
			undone, done, rounds := 0, 0, 1
			for calls, n := int64(1), 0; ; calls++ {
				n++
				who := fmt.Sprint("person", n)
				c, method, path, body := change.begin(h, who)
				code, ended := h.try(c, method, path, body, calls)
				switch state := h.is(who, change.link); {
				case state == after && ended:
					done++
				case state == before && ended:
					undone++
					code, _ = h.try(c, method, path, body, 0)
					if again := h.is(who, change.link); code >= 300 || again != after {
						t.Fatalf("after %d calls, the same request answers %d, and there is\n%s", calls, code, again)
					}
				case state != after:
					t.Fatalf("after %d calls, with %d, there is\n%s\nnot\n%s\nor\n%s", calls, code, state, before, after)
				}
				if !ended && (done > 0 || rounds == 5) {
					break
				}
				if !ended { // it took fewer calls than before, when something conflicted: the last ones once more
					rounds++
					calls = max(0, calls-5)
				}
			}
			if undone < 3 || done < 1 {
				t.Errorf("it was broken off %d times before it was done, and %d times after", undone, done)
			}
		})
	}
}
