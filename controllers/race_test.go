package controllers_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// ends are the ways to end the session that alice's tabs renew, in another process if there are two: from a tab of that
// session, or from another browser of hers.
var ends = map[string]func(tab, other *testsite.Client) *testsite.Answer{
	"logout": func(tab, _ *testsite.Client) *testsite.Answer {
		return tab.JSON("POST", "/api/v1/users/logout", nil)
	},
	"revocation": func(_, other *testsite.Client) *testsite.Answer {
		return other.JSON("DELETE", "/api/v1/users/sessions", nil)
	},
	"password change": func(_, other *testsite.Client) *testsite.Answer {
		return other.JSON("PATCH", "/api/v1/users/update-user-password", passwordChange())
	},
	"deletion": func(_, other *testsite.Client) *testsite.Answer {
		return other.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password})
	},
}

// Whatever ends a session while tabs are renewing it: afterwards, none of the tokens that anybody holds is valid.
func TestRenewalAgainstTheEndOfTheSession(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			site := testsite.New(t)
			renewAgainst(t, end, site, site, 0)
		})
	}
}

// The same, with the tabs in one process and the end in another: there too, after the five seconds that its cache may
// be outdated.
func TestRenewalAgainstTheEndInAnotherProcess(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			one := testsite.New(t)
			if one.Config.MongoURI == "" {
				t.Skip("MONGODB_URI is not set: two processes need a database server")
			}
			renewAgainst(t, end, one, testsite.Open(t, one.Config, one.Clock), 5*time.Second)
		})
	}
}

func renewAgainst(t *testing.T, end func(tab, other *testsite.Client) *testsite.Answer, one, two *testsite.Site, after time.Duration) {
	alice := one.User("alice")
	other := one.SignIn("alice").CopyTo(two)
	one.Clock.Advance(16 * time.Minute)
	tabs := make([]*testsite.Client, 16)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range tabs {
		tabs[i] = alice.Copy()
		all.Go(func() { <-start; renew(tabs[i]) })
	}
	last := alice.CopyTo(two)
	all.Go(func() { <-start; end(last, other).Status(200) })
	close(start)
	all.Wait()
	one.Clock.Advance(after)
	for _, tab := range append(tabs, alice) {
		for _, site := range []*testsite.Site{one, two} {
			if renew(tab.CopyTo(site)) {
				t.Fatal("a token lives on")
			}
			delete(tab.Cookies, "AccessToken")
			if tab.Cookies["RefreshToken"] != "" && renew(tab.CopyTo(site)) {
				t.Fatal("a refresh token lives on")
			}
		}
	}
	two.DB.WaitRemovals()
}

// A request in the background begins with the cookies of a session that has ended, or ends in between, and its response
// arrives after the same browser has logged in again: the new cookies must stay unchanged. The request may be delayed
// on its way there, or on the way back.
func TestLateAnswerFromBeforeAFreshLogin(t *testing.T) {
	background := []struct{ method, path string }{
		{"GET", whoAmI}, {"GET", "/api/v1/feed"}, {"GET", "/"}, {"GET", "/settings/profile"},
		{"GET", "/media/posts/0123456789abcdef01234567"}, {"POST", "/api/v1/tweets"}, {"GET", "/nowhere"},
		{"POST", "/api/v1/users/regenerate-tokens"},
	}
	for _, heldUp := range []string{"on the way there", "on the way back"} {
		for name, over := range map[string]func(*testsite.Site, *testsite.Client){
			"logged out": func(_ *testsite.Site, jar *testsite.Client) {
				jar.Copy().JSON("POST", "/api/v1/users/logout", nil).Status(200)
			},
			"ended": func(s *testsite.Site, _ *testsite.Client) {
				s.SignIn("alice").JSON("DELETE", "/api/v1/users/sessions", nil).Status(200)
			},
			"too old":       func(s *testsite.Site, _ *testsite.Client) { s.Clock.Advance(11 * 24 * time.Hour) },
			"by that login": nil, // it ends the session whose cookies it brings
		} {
			if over == nil && heldUp == "on the way back" {
				continue // it was handled while its session was active
			}
			t.Run(name+", "+heldUp, func(t *testing.T) {
				site := testsite.New(t)
				jar := site.User("alice")
				site.Clock.Advance(16 * time.Minute)
				if over != nil {
					over(site, jar)
				}
				inner, there, back := site.Handler, make(chan struct{}), make(chan struct{})
				if heldUp == "on the way back" {
					close(there)
				}
				var served, answered sync.WaitGroup
				site.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("X-Background") == "" {
						inner.ServeHTTP(w, r)
						return
					}
					<-there
					inner.ServeHTTP(w, r)
					served.Done()
					<-back
				})
				late := make([]*testsite.Answer, len(background))
				for i, b := range background {
					tab := jar.Copy()
					tab.Header.Set("X-Background", "1")
					tab.Header.Set("Sec-Fetch-Mode", "cors")
					served.Add(1)
					answered.Go(func() { late[i] = tab.JSON(b.method, b.path, nil) })
				}
				if heldUp == "on the way back" {
					served.Wait()
				}
				jar.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(200)
				if heldUp == "on the way there" {
					close(there)
				}
				close(back)
				answered.Wait()
				for i, answer := range late {
					if len(answer.Cookies()) != 0 {
						t.Errorf("the late answer to %v sets %v", background[i], answer.Cookies())
					}
				}
				if !renew(jar) {
					t.Error("the fresh login is gone")
				}
			})
		}
	}
}

// A slow upload begins with the old tokens and ends long after other tabs have renewed them: it succeeds, and its
// response sets no cookie.
func TestSlowUploadWhileAnotherTabRenews(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	slow, tab := alice.Copy(), alice
	body, w := io.Pipe()
	form := multipart.NewWriter(w)
	r := httptest.NewRequest(http.MethodPost, "https://localhost/api/v1/photos", body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	done := make(chan *testsite.Answer)
	go func() { done <- slow.Do(r) }()

	part, err := form.CreateFormFile("photo", "hills.png") // the guard has accepted it by the time this is read
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // renewed, and the new pair used
		if !renew(tab) {
			t.Fatal("the other tab was refused")
		}
	}
	site.Clock.Advance(time.Hour)
	_, _ = io.Copy(part, bytes.NewReader(png(t, 20, 20)))
	_ = form.WriteField("title", "Hills")
	_ = form.Close()
	_ = w.Close()
	for _, cookie := range (<-done).Status(http.StatusCreated).Cookies() {
		if cookie.Name != "Changed" { // it has no older value
			t.Errorf("the late answer sets %v", cookie)
		}
	}
}
