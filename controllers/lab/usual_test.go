package lab_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tokentube/controllers/lab"
	"tokentube/e2e/testsite"
	"tokentube/middlewares"
)

// model is the model of the usual way, whose user logged in a second ago.
type model struct {
	*lab.Usual
	t    *testing.T
	pair middlewares.Pair
}

func newModel(t *testing.T) *model {
	u, pair := lab.NewUsual(time.Now)
	return &model{u, t, pair}
}

// ask sends a request with cookies, and returns the status, the body, and the tokens that the response sets.
func (m *model) ask(method, path string, pair middlewares.Pair, header ...string) (int, string, map[string]*http.Cookie) {
	m.t.Helper()
	r := httptest.NewRequest(method, "/usual"+path, nil)
	for name, value := range map[string]string{"AccessToken": pair.Access, "RefreshToken": pair.Refresh} {
		if value != "" {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	for _, h := range header {
		r.Header.Set("Authorization", h)
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	set := map[string]*http.Cookie{}
	for _, k := range w.Result().Cookies() {
		set[k.Name] = k
	}
	return w.Code, w.Body.String(), set
}

// renew exchanges the refresh token, and returns the status and the new pair.
func (m *model) renew(refresh string) (int, middlewares.Pair) {
	m.t.Helper()
	status, _, set := m.ask("POST", "/renew", middlewares.Pair{Refresh: refresh})
	if status != http.StatusCreated {
		return status, middlewares.Pair{}
	}
	return status, middlewares.Pair{Access: set["AccessToken"].Value, Refresh: set["RefreshToken"].Value}
}

// The model responds as the article's backend did when we ran it. The labels are those of our record: 1.1 is what all
// routes share, B login, C logout, D renewal, E the profile.
func TestTheUsualWayIsAsRecorded(t *testing.T) {
	t.Run("1.1: answers have these forms", func(t *testing.T) {
		m := newModel(t)
		if status, body, _ := m.ask("GET", "", m.pair); status != 200 || !strings.Contains(body, `"success":true`) || !strings.Contains(body, `"message":"User fetched successfully"`) {
			t.Errorf("%d %s", status, body)
		}
		if status, body, _ := m.ask("GET", "", middlewares.Pair{}); status != 401 || !strings.Contains(body, `"userMessage":"No token provided"`) || !strings.Contains(body, `"data":null`) {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("1.1: the header has its token with or without Bearer, and the cookie wins (D6)", func(t *testing.T) {
		m := newModel(t)
		for _, header := range []string{m.pair.Access, "Bearer " + m.pair.Access} {
			if status, body, _ := m.ask("GET", "", middlewares.Pair{}, header); status != 200 {
				t.Errorf("%d %s", status, body)
			}
			if status, body, _ := m.ask("GET", "", middlewares.Pair{Access: "stale"}, header); status != 500 {
				t.Errorf("%d %s", status, body)
			}
		}
	})
	t.Run("1.1: an expired, malformed or wrongly signed access token is 500", func(t *testing.T) {
		m := newModel(t)
		for name, raw := range map[string]string{"malformed": "x", "wrongly signed": m.pair.Access[:len(m.pair.Access)-6] + "AAAAAA", "of the other kind": m.pair.Refresh} {
			if status, body, _ := m.ask("GET", "", middlewares.Pair{Access: raw}); status != 500 || !strings.Contains(body, "Internal Server Error") {
				t.Errorf("%s: %d %s", name, status, body)
			}
		}
		m.Pass(10 * time.Second)
		if status, body, _ := m.ask("GET", "", m.pair); status != 500 {
			t.Errorf("expired: %d %s", status, body)
		}
	})
	t.Run("1.1: cookies are HttpOnly and Secure for all paths, without SameSite and without an end", func(t *testing.T) {
		m := newModel(t)
		_, _, set := m.ask("POST", "/renew", m.pair)
		for _, name := range []string{"AccessToken", "RefreshToken"} {
			if k := set[name]; k == nil || k.Path != "/" || !k.HttpOnly || !k.Secure || k.SameSite != 0 || k.MaxAge != 0 || !k.Expires.IsZero() {
				t.Errorf("%v", k)
			}
		}
	})
	t.Run("1.1: tokens say who, iat and exp, and nothing else", func(t *testing.T) {
		m := newModel(t)
		for _, name := range []string{"_id", "email", "username", "fullName"} {
			if claim(t, m.pair.Refresh, name) == "" {
				t.Errorf("no %s", name)
			}
		}
		if n := strings.Count(decoded(t, m.pair.Access), ":"); n != 6 {
			t.Errorf("%d claims in %s", n, decoded(t, m.pair.Access))
		}
	})
	t.Run("B6: tokens are in the body too", func(t *testing.T) {
		m := newModel(t)
		_, body, set := m.ask("POST", "/renew", m.pair)
		for name, k := range set {
			if !strings.Contains(body, k.Value) {
				t.Errorf("%s is not in %s", name, body)
			}
		}
	})
	t.Run("C1: logout needs an access token that hasn't expired, and leaves it alive", func(t *testing.T) {
		m := newModel(t)
		status, _, set := m.ask("POST", "/logout", m.pair)
		if status != 200 || set["AccessToken"].Value != "" || !set["RefreshToken"].Expires.Before(time.Now()) {
			t.Errorf("%d %v", status, set)
		}
		if status, body, _ := m.ask("GET", "", m.pair); status != 200 {
			t.Errorf("the access token: %d %s", status, body)
		}
		if status, _ := m.renew(m.pair.Refresh); status != 401 {
			t.Errorf("the refresh token: %d", status)
		}
		old := newModel(t)
		old.Pass(10 * time.Second)
		if status, _, set := old.ask("POST", "/logout", old.pair); status != 500 || len(set) != 0 {
			t.Errorf("after it has expired: %d %v", status, set)
		}
	})
	t.Run("D1: tokens of one second are the same", func(t *testing.T) {
		now := time.Now()
		u, pair := lab.NewUsual(func() time.Time { return now })
		m := &model{u, t, pair}
		_, first := m.renew(pair.Refresh)
		if _, second := m.renew(first.Refresh); first == pair || second != first {
			t.Errorf("%v, %v, %v", pair, first, second)
		}
	})
	t.Run("D2: of eight renewals at once two succeed at most", func(t *testing.T) {
		m := newModel(t)
		var all sync.WaitGroup
		var mu sync.Mutex
		count := map[int]int{}
		for range 8 {
			all.Go(func() {
				status, _, _ := m.ask("POST", "/renew", m.pair)
				mu.Lock()
				defer mu.Unlock()
				count[status]++
			})
		}
		all.Wait()
		if count[201] < 1 || count[201] > 2 || count[201]+count[401] != 8 {
			t.Errorf("%v", count)
		}
	})
	t.Run("D3: the replay of a replaced token is refused, and the newest stays alive", func(t *testing.T) {
		m := newModel(t)
		_, next := m.renew(m.pair.Refresh)
		if status, body, _ := m.ask("POST", "/renew", m.pair); status != 401 || !strings.Contains(body, "Token do not match") {
			t.Errorf("%d %s", status, body)
		}
		if status, _ := m.renew(next.Refresh); status != 201 {
			t.Errorf("the newest: %d", status)
		}
	})
	t.Run("D4: an expired or malformed refresh token is 500, none is 401", func(t *testing.T) {
		m := newModel(t)
		if status, _ := m.renew("x"); status != 500 {
			t.Errorf("malformed: %d", status)
		}
		if status, _ := m.renew(""); status != 401 {
			t.Errorf("none: %d", status)
		}
		m.Pass(10 * time.Minute)
		if status, _ := m.renew(m.pair.Refresh); status != 500 {
			t.Errorf("expired: %d", status)
		}
	})
	t.Run("E3: after a change of the password both old tokens still work", func(t *testing.T) {
		m := newModel(t)
		if status, body, set := m.ask("POST", "/password", m.pair); status != 200 || len(set) != 0 {
			t.Errorf("%d %s %v", status, body, set)
		}
		if status, _, _ := m.ask("GET", "", m.pair); status != 200 {
			t.Errorf("the access token: %d", status)
		}
		if status, _ := m.renew(m.pair.Refresh); status != 201 {
			t.Errorf("the refresh token: %d", status)
		}
	})
}

// No route leads to the model, and its tokens are not accepted here.
func TestTheUsualWayOpensNothing(t *testing.T) {
	site := testsite.New(t)
	for _, route := range site.Engine.Routes() {
		if strings.Contains(route.Path, "usual") {
			t.Errorf("%s %s", route.Method, route.Path)
		}
	}
	m := newModel(t)
	for _, prefix := range []string{"", "Lab"} {
		for _, path := range []string{whoAmI, page + "/target", page + "/visitor"} {
			c := site.Client()
			c.Cookies[prefix+"AccessToken"], c.Cookies[prefix+"RefreshToken"] = m.pair.Access, m.pair.Refresh
			c.JSON("GET", path, nil).Status(http.StatusUnauthorized)
		}
	}
	c := site.Client()
	c.Header.Set("Authorization", "Bearer "+m.pair.Access)
	c.JSON("GET", whoAmI, nil).Status(http.StatusUnauthorized)
}
