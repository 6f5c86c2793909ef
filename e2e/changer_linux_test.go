package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"tokentube/e2e/testsite"
)

// changer is a user who keeps changing their password, with two logins, and knows which of these each change must have
// ended.
type changer struct {
	t        *testing.T
	name, id string
	current  int  // how many times the password has been changed
	doubt    bool // it may have been changed once more
	logins   []*heldLogin
}

// heldLogin is a login that was acknowledged.
type heldLogin struct {
	tokens
	session  string
	password int // the change before it
}

func newChanger(p *process, name string) *changer {
	p.t.Helper()
	first := p.register(name)
	c := &changer{t: p.t, name: name, id: p.whoIs(first), logins: []*heldLogin{{tokens: first}}}
	c.once(p, 0) // ends the login that came with the registration
	if c.current != 1 {
		p.t.Fatal("the password cannot be changed")
	}
	return c
}

// secret is the password after n changes.
func (c *changer) secret(n int) string {
	if n == 0 {
		return testsite.Password
	}
	return fmt.Sprintf("correct horse %d battery staple", n)
}

// change changes the password until time is up, or until it disconnects before learning whether that succeeded.
func (c *changer) change(p *process, over *atomic.Bool) {
	for !over.Load() && !c.doubt && !c.t.Failed() {
		held := 0
		for _, l := range c.logins {
			if l.password == c.current && l.AccessToken != "" {
				held++
			}
		}
		if held < 2 {
			c.logIn(p)
			continue
		}
		leave := time.Duration(0)
		if rand.IntN(10) == 0 {
			leave = time.Duration(1 + rand.IntN(12_000_000))
		}
		c.once(p, leave)
	}
}

func (c *changer) logIn(p *process) {
	status, got := c.call(context.Background(), p, http.MethodPost, "/api/v1/users/login", "",
		testsite.M{"identifier": c.name, "password": c.secret(c.current)})
	switch {
	case status == http.StatusOK:
		c.logins = append(c.logins, &heldLogin{tokens: got, password: c.current})
	case !noRoom(status):
		c.t.Errorf("login of %s: %d", c.name, status)
	}
}

// once changes the password once, if all goes well, and disconnects after a while if that is not zero.
func (c *changer) once(p *process, leave time.Duration) {
	var with *heldLogin
	for _, l := range c.logins {
		if l.password == c.current && l.AccessToken != "" {
			with = l
		}
	}
	ctx := context.Background()
	if leave > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, leave)
		defer cancel()
	}
	next := c.secret(c.current + 1)
	status, got := c.call(ctx, p, http.MethodPatch, "/api/v1/users/update-user-password", with.AccessToken,
		testsite.M{"oldPassword": c.secret(c.current), "newPassword": next, "confirmPassword": next})
	switch {
	case status == http.StatusOK:
		c.current++
		c.logins = append(c.logins, &heldLogin{tokens: got, password: c.current})
	case status == 0 && ctx.Err() != nil:
		c.doubt = true
		return
	case !noRoom(status):
		c.t.Errorf("the password of %s: %d", c.name, status)
		return
	}
	c.checkLogins(p)
}

// checkLogins checks that exactly those logins are over that a change has ended.
func (c *changer) checkLogins(p *process) {
	for _, l := range c.logins {
		if l.AccessToken == "" || l.password < c.current-1 {
			continue
		}
		want := http.StatusOK
		if l.password != c.current {
			want = http.StatusUnauthorized
		}
		status, end := 0, time.Now().Add(patience)
		for status == 0 || noRoom(status) && time.Now().Before(end) { // the first use of a token is recorded, which takes space
			status, _ = c.call(context.Background(), p, http.MethodGet, whoAmI, l.AccessToken, nil)
		}
		if status != want {
			c.t.Errorf("%s has changed the password %d times; a login after change %d gets %d, want %d", c.name, c.current, l.password, status, want)
		}
	}
}

func (c *changer) call(ctx context.Context, p *process, method, path, token string, body any) (status int, got tokens) {
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(asJSON(body)))
	if err != nil {
		c.t.Error(err)
		return 0, got
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		if ctx.Err() == nil {
			c.t.Error(err)
		}
		return 0, got
	}
	text, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return 0, got
	}
	_ = json.Unmarshal(text, &struct{ Data *tokens }{&got}) // an error has none
	return answer.StatusCode, got
}

// compare checks that the password, the logins and the security log agree. Afterwards, everything that was in doubt is
// known.
func (c *changer) compare(s stored) (faults []string) {
	changed, known := c.doubt && c.isSecret(s, c.current+1), map[string]bool{}
	if changed {
		c.current++
	}
	c.doubt = false
	if !c.isSecret(s, c.current) {
		faults = append(faults, fmt.Sprintf("%s: after %d changes it is another one", c.name, c.current))
	}
	live := s.liveSessions(c.id)
	for _, l := range c.logins {
		if l.session == "" {
			l.session = claims(c.t, l.AccessToken).Session
		}
		known[l.session] = true
		if live[l.session] != (l.password == c.current) {
			faults = append(faults, fmt.Sprintf("%s: after %d changes a login after change %d lives: %v", c.name, c.current, l.password, live[l.session]))
		}
	}
	for session := range live {
		if known[session] {
			continue
		}
		if !changed {
			faults = append(faults, c.name+": nobody was told of a login that lives")
		}
		changed = false // the one that came with the change
		c.logins = append(c.logins, &heldLogin{session: session, password: c.current})
	}
	if n := s.passwordEvents(c.id); n != int64(c.current) {
		faults = append(faults, fmt.Sprintf("%s: %d changes, %d of them in the log", c.name, c.current, n))
	}
	return faults
}

func (c *changer) isSecret(s stored, n int) bool {
	for _, user := range s["users"] {
		if user.Lookup("_id").ObjectID().Hex() == c.id {
			return bcrypt.CompareHashAndPassword([]byte(user.Lookup("passwordHash").StringValue()), []byte(c.secret(n))) == nil
		}
	}
	return false
}

func (s stored) liveSessions(user string) map[string]bool {
	live := map[string]bool{}
	for _, doc := range s["sessions"] {
		if _, err := doc.LookupErr("revokedAt"); err != nil && doc.Lookup("user").ObjectID().Hex() == user {
			live[doc.Lookup("_id").ObjectID().Hex()] = true
		}
	}
	return live
}

// passwordEvents counts the changes in the security log, which from the fiftieth of a day counts them in a single
// entry.
func (s stored) passwordEvents(user string) (n int64) {
	for _, doc := range s["events"] {
		if doc.Lookup("user").ObjectID().Hex() == user && doc.Lookup("type").StringValue() == "password_changed" {
			count, _ := doc.Lookup("count").AsInt64OK()
			n += count
		}
	}
	return n
}
