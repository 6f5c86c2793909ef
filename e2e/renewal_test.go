package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
)

// TestTabsRace lets the tabs of one browser find at the same moment that the access token has expired. All stay logged
// in, through a single rotation.
func TestTabsRace(t *testing.T) {
	var start line
	s := open(t, start.holds)
	s.User("alice")
	p := s.Browser()
	p.Go("/login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	// Four different URLs, because the browser's cache requests each only once at a time.
	tabs := map[string]*tab{"profile": p, "account": p.Tab(), "password": p.Tab(), "delete": p.Tab()}
	for name, one := range tabs {
		one.Go("/settings/" + name)
	}

	for range 5 {
		old := claims(t, p.Cookie("RefreshToken"))
		s.Clock.Advance(16 * time.Minute)
		start.wait(len(tabs))
		reloadAll(t, tabs)
		for name, one := range tabs {
			one.At("/settings/" + name)
			one.Sees("Settings")
		}
		now := claims(t, p.Cookie("RefreshToken"))
		id, err := bson.ObjectIDFromHex(now.Session)
		check(t, err)
		session, err := s.Sessions.ByID(t.Context(), id)
		check(t, err)
		if session.Current.ID != now.ID || now.ID == old.ID {
			t.Errorf("the cookie holds %s after %s, the session %s", now.ID, old.ID, session.Current.ID)
		}
		if last := session.Recent[len(session.Recent)-1].ID; last != old.ID {
			t.Errorf("before the present token came %s, not %s: more than one rotation", last, old.ID)
		}
	}
}

func reloadAll(t *testing.T, tabs map[string]*tab) {
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

// line is where requests for settings wait until all of them have arrived.
type line struct {
	mu      sync.Mutex
	missing int
	start   chan struct{}
}

// wait makes the next n requests wait for each other.
func (l *line) wait(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missing, l.start = n, make(chan struct{})
}

func (l *line) holds(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/settings/") {
			l.arrive()
		}
		next.ServeHTTP(w, r)
	})
}

func (l *line) arrive() {
	l.mu.Lock()
	start := l.start
	if l.missing--; l.missing == 0 {
		close(start)
	}
	waits := l.missing > 0
	l.mu.Unlock()
	if waits {
		<-start
	}
}

type refreshClaims struct {
	ID      string `json:"jti"`
	Session string `json:"sid"`
}

// claims decodes a token, as anybody can.
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
