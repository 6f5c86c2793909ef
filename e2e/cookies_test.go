package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"tokentube/e2e/testsite"
)

// TestLostCookies logs in with a browser that drops the form's cookie, with scripts and without.
func TestLostCookies(t *testing.T) {
	s := open(t)
	s.User("alice")
	for _, scripts := range []bool{true, false} {
		p := s.Browser()
		if !scripts {
			p.withoutScripts()
		}
		p.Expect("status of 422")
		p.Go("/login")
		_, err := chromedp.Call(p.ctx, network.ClearBrowserCookies, cdp.Empty{})
		check(t, err)
		p.logIn("alice", testsite.Password)
		p.Sees("Your browser blocked this form's cookie")
		if p.Cookie("AccessToken") != "" {
			t.Error("it logged in all the same")
		}
		p.Fill("Password", testsite.Password)
		p.Press("Log in") // now it keeps them
		p.Sees("You are logged in.")
	}
}

// TestCookieThereTwice has a stale cookie under the settings' path: nobody ends up in an unexplained redirect loop.
func TestCookieThereTwice(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Expect("status of 422", "status of 401")
	p.Go("/login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	_, err := chromedp.Call(p.ctx, network.SetCookie, network.SetCookieParams{Name: "AccessToken", Value: "stale", URL: p.base + "/settings/", Path: "/settings"})
	check(t, err)
	_, err = chromedp.Call(p.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: "RefreshToken", URL: p.base + "/"})
	check(t, err)
	p.Go("/settings/profile")
	p.At("/login?next=%2Fsettings%2Fprofile&twice=AccessToken")
	p.Sees("two different cookies named AccessToken", "Delete this site's cookies")
}

// TestSentAgain submits a form twice before the response arrives, like a double click: it creates one post.
func TestSentAgain(t *testing.T) {
	var sent atomic.Int64
	made := make(chan struct{})
	s := open(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.URL.Path != "/posts" || sent.Add(1) > 1 {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			close(made)
			<-r.Context().Done() // the response gets lost
		})
	})
	alice := s.User("alice")
	p := s.Browser()
	p.Go("/login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	p.Go("/create?kind=text")
	p.Fill("What do you want to say?", "Once is enough.")
	evaluate[bool](p, `((f) => { for (const after of [0, 2000]) setTimeout(() => f.requestSubmit(), after); return true; })(document.querySelector("form[action='/posts']"))`)
	<-made
	p.until("the post's page", `location.pathname.startsWith("/posts/")`)
	p.Sees("Once is enough.", "Published. Anyone can see it now.")
	me := alice.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).Data()
	if n := me["postsCount"]; n != 1.0 || sent.Load() != 2 {
		t.Errorf("%v posts of %d requests", n, sent.Load())
	}
}
