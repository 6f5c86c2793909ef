package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
)

// TestTabsRace lets the tabs of one browser find at the same moment that the
// access token has run out. All stay signed in, by one rotation.
func TestTabsRace(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Go("/login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	tabs := []*tab{p, p.Tab(), p.Tab(), p.Tab()}
	for _, other := range tabs[1:] {
		other.Go("/settings/account")
	}

	for range 5 {
		old := claims(t, p.Cookie("RefreshToken"))
		s.Clock.Advance(16 * time.Minute)
		reloadAll(t, tabs)
		for _, one := range tabs {
			one.until("a signed-in page", named("button", "Your menu")+" !== undefined")
		}
		now := claims(t, p.Cookie("RefreshToken"))
		id, err := bson.ObjectIDFromHex(now.Session)
		check(t, err)
		session, err := s.Sessions.Fresh(t.Context(), id)
		check(t, err)
		if session.Current.ID != now.ID || now.ID == old.ID {
			t.Errorf("the cookie holds %s after %s, the session %s", now.ID, old.ID, session.Current.ID)
		}
		if last := session.Recent[len(session.Recent)-1].ID; last != old.ID {
			t.Errorf("before the present token came %s, not %s: more than one rotation", last, old.ID)
		}
	}
}

func reloadAll(t *testing.T, tabs []*tab) {
	t.Helper()
	var all sync.WaitGroup
	for _, one := range tabs {
		all.Go(func() {
			if err := chromedp.Do(one.ctx, chromedp.Reload()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

type refreshClaims struct {
	ID      string `json:"jti"`
	Session string `json:"sid"`
}

// claims reads a token as anybody can.
func claims(t *testing.T, token string) refreshClaims {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	check(t, err)
	var c refreshClaims
	check(t, json.Unmarshal(payload, &c))
	return c
}
