package e2e_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/e2e/testsite"
	"tokentube/utils/token"
)

const (
	whoAmI = "/api/v1/users/get-current-user"
	grace  = 2 * time.Second
)

// pair are two processes on one database.
type pair struct {
	t        *testing.T
	one, two *process
	database *mongo.Database
}

func (b binary) shareMongoDB(t *testing.T) {
	uri := os.Getenv("MONGODB_URI")
	if uri == "" {
		t.Skip("MONGODB_URI names no server")
	}
	shared := env{"MONGODB_URI": uri, "MONGODB_DATABASE": "test_" + bson.NewObjectID().Hex(), "DATA_DIR": t.TempDir(), "BCRYPT_COST": "4"}
	if out := b.fails(t, shared); !strings.Contains(out, "ACCESS_TOKEN_SECRET=") {
		t.Errorf("without secrets it says %q", out)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	check(t, err)
	p := pair{t: t, database: client.Database(shared["MONGODB_DATABASE"])}
	t.Cleanup(func() {
		check(t, p.database.Drop(context.Background()))
		check(t, client.Disconnect(context.Background()))
	})
	settings := shared.with(secrets).with(env{"REFRESH_TOKEN_GRACE": grace.String(), "COOKIE_SECURE": "false"})
	p.one = b.start(t, settings.with(env{"PORT": freePort(t)}))
	p.two = b.start(t, settings.with(env{"PORT": freePort(t)})) // both create the indexes at the same time
	p.one.ready()
	p.two.ready()
	p.two.is("alice", p.one.register("alice")) // a login in one process is valid in the other
	t.Run("renew at the same moment", p.renew)
	t.Run("end a session in both", p.end)
	t.Run("a replay in the other process", p.replay)
	t.Run("share the limit of logins", p.limitLogins)
	p.one.stop()
	p.two.stop()
}

// with is the same pair in a subtest.
func (p pair) with(t *testing.T) pair {
	p.t = t
	return p
}

// logIn is a browser that has logged in to the first process.
func (p pair) logIn() *visitor {
	p.t.Helper()
	v := newVisitor()
	answer, err := v.call(p.t.Context(), "POST", p.one.base+"/api/v1/users/login",
		testsite.M{"identifier": "alice", "password": testsite.Password, "remember": true})
	check(p.t, err)
	if answer.StatusCode != http.StatusOK || v.cookies["RefreshToken"] == "" {
		p.t.Fatal(answer)
	}
	return v
}

// asks returns the status with which a process responds to a browser.
func (p pair) asks(v *visitor, process *process) int {
	p.t.Helper()
	answer, err := v.call(p.t.Context(), "GET", process.base+whoAmI, nil)
	check(p.t, err)
	return answer.StatusCode
}

// runOut replaces an access token by the same one some time later.
func (p pair) runOut(v *visitor) {
	p.t.Helper()
	tokens, err := token.New(token.Config{
		AccessSecret: secrets["ACCESS_TOKEN_SECRET"], RefreshSecret: secrets["REFRESH_TOKEN_SECRET"],
		AccessTTL: time.Minute, RefreshTTL: time.Hour, Issuer: "tokentube", Now: time.Now,
	})
	check(p.t, err)
	claims, err := tokens.Access.Verify(v.cookies["AccessToken"])
	check(p.t, err)
	claims.IssuedAt = jwt.NewNumericDate(time.Now().Add(-time.Hour))
	claims.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-time.Minute))
	v.cookies["AccessToken"], err = tokens.Access.Sign(*claims)
	check(p.t, err)
}

// session reads the session of a browser from the database.
func (p pair) session(v *visitor) (s struct {
	Renewals int
	Current  struct{ JTI string }
	Recent   []struct{ JTI string }
}) {
	p.t.Helper()
	id, err := bson.ObjectIDFromHex(claims(p.t, v.cookies["RefreshToken"]).Session)
	check(p.t, err)
	check(p.t, p.database.Collection("sessions").FindOne(p.t.Context(), bson.D{{Key: "_id", Value: id}}).Decode(&s))
	return s
}

// 64 requests, split over both processes, find at the same moment that their access token has expired: one rotation,
// and all of them get the same successor.
func (p pair) renew(t *testing.T) {
	p = p.with(t)
	browser := p.logIn()
	for round := 1; round <= 3; round++ {
		old := claims(t, browser.cookies["RefreshToken"])
		p.runOut(browser)
		tabs := make([]*visitor, 64)
		codes := make([]int, len(tabs))
		start := make(chan struct{})
		var all sync.WaitGroup
		for i := range tabs {
			tabs[i] = browser.copied()
			all.Go(func() {
				<-start
				answer, err := tabs[i].call(t.Context(), "GET", []*process{p.one, p.two}[i%2].base+whoAmI, nil)
				if err != nil {
					t.Error(err)
					return
				}
				codes[i] = answer.StatusCode
			})
		}
		close(start)
		all.Wait()
		s := p.session(browser)
		for i, tab := range tabs {
			if codes[i] != http.StatusOK || tab.cleared {
				t.Errorf("round %d, request %d: %d, cookies cleared: %v", round, i, codes[i], tab.cleared)
			} else if now := claims(t, tab.cookies["RefreshToken"]); now.ID != s.Current.JTI {
				t.Errorf("round %d, request %d: it was given %s, not the successor %s", round, i, now.ID, s.Current.JTI)
			}
		}
		if s.Renewals != round || s.Current.JTI == old.ID || s.Recent[len(s.Recent)-1].JTI != old.ID {
			t.Errorf("round %d: %s came before %s: %+v", round, old.ID, s.Current.JTI, s)
		}
		browser = tabs[round]
		if p.asks(browser, p.one) != http.StatusOK || p.asks(browser, p.two) != http.StatusOK {
			t.Errorf("round %d: the new pair is refused", round)
		}
	}
}

// ends waits until a process no longer accepts a browser: five seconds, plus some time for a busy machine.
func (p pair) ends(v *visitor, process *process) {
	p.t.Helper()
	end := time.Now().Add(5*time.Second + patience)
	for p.asks(v.copied(), process) != http.StatusUnauthorized {
		if time.Now().After(end) {
			p.t.Fatal("a session that has ended is let in")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A session that ends in one process ends in the other: immediately for clients that renew, within five seconds for
// those that hold an access token.
func (p pair) end(t *testing.T) {
	p = p.with(t)
	browser := p.logIn()
	renews := browser.copied()
	p.runOut(renews)
	if p.asks(browser, p.one) != http.StatusOK || p.asks(browser, p.two) != http.StatusOK { // and is in both caches
		t.Fatal("the browser is not let in")
	}
	answer, err := browser.copied().call(t.Context(), "POST", p.one.base+"/api/v1/users/logout", nil)
	check(t, err)
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer)
	}
	if code := p.asks(browser.copied(), p.one); code != http.StatusUnauthorized {
		t.Errorf("the process that ended the session answers %d", code)
	}
	if code := p.asks(renews, p.two); code != http.StatusUnauthorized {
		t.Errorf("the other process renews the token of a session that has ended: %d", code)
	}
	p.ends(browser, p.two)
}

// A token that was used in one process, and whose successor is in use, is replayed in the other after the grace period:
// theft, which ends the session in both.
func (p pair) replay(t *testing.T) {
	p = p.with(t)
	browser := p.logIn()
	other := p.logIn()
	p.runOut(browser)
	thief := browser.copied()
	for _, process := range []*process{p.one, p.two} { // renewed, and the new pair used
		if code := p.asks(browser, process); code != http.StatusOK {
			t.Fatal(code)
		}
	}
	time.Sleep(grace + time.Second)
	if code := p.asks(thief, p.two); code != http.StatusUnauthorized {
		t.Errorf("the replay is answered %d", code)
	}
	p.ends(browser, p.two)
	p.ends(browser, p.one)
	p.runOut(browser)
	if code := p.asks(browser, p.one); code != http.StatusUnauthorized {
		t.Errorf("after the replay the newest token is renewed: %d", code)
	}
	if p.asks(other, p.one) != http.StatusOK || p.asks(other, p.two) != http.StatusOK {
		t.Error("another session of the user has ended too")
	}
}
