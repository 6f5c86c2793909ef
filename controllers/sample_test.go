package controllers_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

const sampleButton = `action="/sample-content"`

// here is a client on the site's machine.
func here(site *testsite.Site) *testsite.Client {
	return from(site, "127.0.0.1:4321", "localhost:8000", nil)
}

// from is a client at the given address that opens the site under the given host.
func from(site *testsite.Site, peer, host string, headers http.Header) *testsite.Client {
	c := site.Client()
	maps.Copy(c.Header, headers)
	c.Change = func(r *http.Request) { r.RemoteAddr, r.Host = peer, host }
	return c
}

func postsOf(site *testsite.Site) (n int) {
	for _, d := range site.Documents() {
		if d.Collection == "posts" {
			n++
		}
	}
	return n
}

// Only somebody on this machine, in development and on an empty site, sees the button or can use it.
func TestSampleContentIsForWhoeverTriesTheSiteOut(t *testing.T) {
	site := testsite.New(t)
	production := testsite.New(t, func(cfg *config.Config) { cfg.Env = "production" })
	used := testsite.New(t)
	used.User("alice").JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201)
	proxied := func(name string) http.Header { return http.Header{name: {"192.0.2.7"}} }
	for name, c := range map[string]*testsite.Client{
		"in production":        here(production),
		"on a site with posts": here(used),
		"from elsewhere":       from(site, "192.0.2.7:4321", "localhost:8000", nil),
		"by another name":      from(site, "127.0.0.1:4321", "evil.example", nil),
		"by a proxy":           from(site, "127.0.0.1:4321", "localhost:8000", proxied("X-Forwarded-For")),
		"by another proxy":     from(site, "127.0.0.1:4321", "localhost:8000", proxied("Forwarded")),
		"by a third proxy":     from(site, "127.0.0.1:4321", "localhost:8000", proxied("Via")),
		"by a fourth":          from(site, "127.0.0.1:4321", "localhost:8000", proxied("X-Forwarded-Host")),
		"by no address":        from(site, "", "localhost:8000", nil),
	} {
		c.Get("/").Status(200).HasNot(sampleButton)
		if answer := c.PostForm("/sample-content", nil); answer.Code != http.StatusNotFound {
			t.Errorf("%s: %s", name, answer)
		}
	}
	for _, s := range []*testsite.Site{site, production} {
		if n := postsOf(s); n != 0 {
			t.Errorf("there are %d posts", n)
		}
	}
	for _, c := range []*testsite.Client{here(site), from(site, "[::1]:4321", "[::1]:8000", nil), from(site, "[::ffff:127.0.0.1]:1", "tube.localhost", nil)} {
		c.Get("/").Status(200).Has(sampleButton)
	}
}

var sampleLogin = regexp.MustCompile(`Log in as (\S+) with the password (\S+) `)

// The button is pressed twice simultaneously: both get the same login.
func TestSampleContentIsAddedOnce(t *testing.T) {
	site := testsite.New(t)
	clients := []*testsite.Client{here(site), here(site), here(site)}
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.PostForm("/sample-content", nil) })
	}
	all.Wait()
	if n := postsOf(site); n != 40 {
		t.Errorf("there are %d posts", n)
	}
	logins, refused := map[string]bool{}, 0
	for _, c := range clients {
		home := c.Get("/").Status(200).HasNot(sampleButton)
		login := sampleLogin.FindStringSubmatch(home.Body)
		if login == nil {
			refused++ // it arrived after the other was done
			continue
		}
		logins[login[0]] = true
		site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": login[1], "password": login[2]}).Status(200)
		c.Get("/").Status(200).HasNot(login[2]) // only once
	}
	if len(logins) != 1 || refused == len(clients) {
		t.Errorf("%d logins were told, %d refused", len(logins), refused)
	}
	here(site).PostForm("/sample-content", nil).Status(http.StatusNotFound)
}

// If the client disconnects early, the site is filled nevertheless.
func TestSampleContentIsAddedForWhoeverLeft(t *testing.T) {
	site := testsite.New(t)
	r := httptest.NewRequest("POST", "http://localhost:8000/sample-content", strings.NewReader(""))
	r.RemoteAddr = "127.0.0.1:4321"
	gone, leave := context.WithCancel(t.Context())
	go func() {
		for gone.Err() == nil {
			if _, err := site.Users.ByLogin(t.Context(), "northern-sky"); err == nil {
				leave()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	here(site).Do(r.WithContext(gone))
	leave()
	if n := postsOf(site); n != 40 {
		t.Errorf("there are %d posts", n)
	}
}
