package routes_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// patience records whether a response was given other deadlines than the server's default.
type patience struct {
	http.ResponseWriter
	given *bool
}

func (p patience) SetReadDeadline(time.Time) error  { *p.given = true; return nil }
func (p patience) SetWriteDeadline(time.Time) error { *p.given = true; return nil }
func (p patience) Flush()                           { p.ResponseWriter.(http.Flusher).Flush() }

// patiently returns a function that reports whether a request is given more time.
func patiently(site *testsite.Site) func(*testsite.Client, *http.Request) bool {
	handler, given := site.Handler, false
	site.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(patience{w, &given}, r) })
	return func(c *testsite.Client, r *http.Request) bool {
		given = false
		c.Do(r)
		return given
	}
}

func request(method, path string) *http.Request {
	return httptest.NewRequest(method, "https://localhost"+path, nil)
}

// TestWhoIsRefusedGetsNoTime: the server's deadlines are short, and only authorized requests get longer ones.
func TestWhoIsRefusedGetsNoTime(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	given := patiently(site)
	if !given(alice, request("POST", "/watch")) || !given(alice, request("GET", "/media/public/x")) || !given(alice, request("GET", "/static/icons.svg")) {
		t.Fatal("uploads and downloads get no time either")
	}
	for _, r := range privateRoutes(allRoutes(site)) {
		if given(site.Client(), request(r.method, r.to(someID))) {
			t.Errorf("%s gives time to the anonymous", r)
		}
	}
	for _, r := range allRoutes(site) {
		cross := request(r.method, r.to(someID))
		cross.Header.Set("Sec-Fetch-Site", "cross-site")
		if !r.safe() && given(alice, cross) {
			t.Errorf("%s gives time to other sites", r)
		}
		if given(alice, request("BREW", r.to(someID))) {
			t.Errorf("%s gives time to the wrong method", r)
		}
		large := request(r.method, r.to(someID))
		large.ContentLength = 1 << 50
		if !r.safe() && given(alice, large) {
			t.Errorf("%s gives time to what is too large", r)
		}
	}
	for _, r := range []route{{"GET", "/nowhere"}, {"POST", "/nowhere"}, {"POST", "/"}, {"BREW", "/"}, {"HEAD", "/static/icons.svg"}, {"HEAD", "/static/nothing"}} {
		if given(alice, request(r.method, r.path)) {
			t.Errorf("%s gets time", r)
		}
	}
}
