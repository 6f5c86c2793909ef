package routes_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// busySite has 100 text posts by ten users, who like all of them. It returns the users.
func busySite(b *testing.B, change ...func(*config.Config)) (*testsite.Site, []*testsite.Client) {
	site := testsite.New(b, change...)
	users := make([]*testsite.Client, 10)
	for i := range users {
		users[i] = site.User(fmt.Sprint("user", i))
	}
	for i := range 100 {
		post := publish(users[i%len(users)], i)
		for _, u := range users {
			u.JSON("PUT", "/api/v1/likes/v/"+post, nil).Status(http.StatusOK)
		}
	}
	return site, users
}

func publish(by *testsite.Client, i int) (id string) {
	return by.JSON("POST", "/api/v1/tweets", testsite.M{
		"content": fmt.Sprintf("Post %d: %s", i, strings.Repeat("a few words ", 10)), "tags": "sea, sunset",
	}).Status(http.StatusCreated).ID()
}

// repeat sends one request repeatedly, in process.
func repeat(b *testing.B, site *testsite.Site, as *testsite.Client, method, path string) {
	b.ReportAllocs()
	for b.Loop() {
		ask(b, site, as, method, path)
	}
}

// ask sends one request, in process.
func ask(b *testing.B, site *testsite.Site, as *testsite.Client, method, path string) {
	r := httptest.NewRequest(method, "https://localhost"+path, nil)
	if as != nil {
		r.Header.Set("Authorization", "Bearer "+as.Cookies["AccessToken"])
	}
	w := httptest.NewRecorder()
	site.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
}

// BenchmarkFeed is the API's feed of 20 posts: for visitors, and for a user who likes them.
func BenchmarkFeed(b *testing.B) {
	site, users := busySite(b)
	b.Run("visitor", func(b *testing.B) { repeat(b, site, nil, "GET", "/api/v1/feed?limit=20") })
	b.Run("user", func(b *testing.B) { repeat(b, site, users[0], "GET", "/api/v1/feed?limit=20") })
}

// BenchmarkHome is the page with 20 posts.
func BenchmarkHome(b *testing.B) {
	site, users := busySite(b)
	b.Run("visitor", func(b *testing.B) { repeat(b, site, nil, "GET", "/") })
	b.Run("user", func(b *testing.B) { repeat(b, site, users[0], "GET", "/") })
}

// BenchmarkCompressedHome is the page with 20 posts in each coding, alternately, because a machine's speed varies.
func BenchmarkCompressedHome(b *testing.B) {
	site, _ := busySite(b)
	spent, bytes := map[string]time.Duration{}, map[string]int{}
	for b.Loop() {
		for _, coding := range []string{"identity", "gzip", "zstd"} {
			start := time.Now()
			for range 20 {
				r := httptest.NewRequest(http.MethodGet, "https://localhost/", nil)
				r.Header.Set("Accept-Encoding", coding)
				w := httptest.NewRecorder()
				site.Handler.ServeHTTP(w, r)
				bytes[coding] = w.Body.Len()
			}
			spent[coding] += time.Since(start)
		}
	}
	for _, coding := range []string{"gzip", "zstd"} {
		b.ReportMetric(100*spent[coding].Seconds()/spent["identity"].Seconds(), coding+"-%-of-time")
		b.ReportMetric(100*float64(bytes[coding])/float64(bytes["identity"]), coding+"-%-of-bytes")
	}
}

// BenchmarkWhoAmI is the smallest response behind a login.
func BenchmarkWhoAmI(b *testing.B) {
	site, users := busySite(b)
	repeat(b, site, users[0], "GET", "/api/v1/users/get-current-user")
}

// BenchmarkLikeAgain likes a post that is already liked, which changes nothing.
func BenchmarkLikeAgain(b *testing.B) {
	site, users := busySite(b)
	repeat(b, site, users[0], "PUT", "/api/v1/likes/v/"+publish(users[0], 1))
}

// BenchmarkLike likes and unlikes: each is a write with its counter, flushed.
func BenchmarkLike(b *testing.B) {
	_, users := busySite(b)
	post := publish(users[0], 1)
	for b.Loop() {
		users[0].JSON("PUT", "/api/v1/likes/v/"+post, nil).Status(http.StatusOK)
		users[0].JSON("DELETE", "/api/v1/likes/v/"+post, nil).Status(http.StatusOK)
	}
}

// BenchmarkPublish publishes text posts by one user: one after another, and from sixteen browsers concurrently.
func BenchmarkPublish(b *testing.B) {
	site, _ := busySite(b)
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			clients := make([]*testsite.Client, writers)
			for i := range clients {
				clients[i] = site.SignIn("user1")
			}
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			var all sync.WaitGroup
			for _, client := range clients {
				all.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						publish(client, int(i))
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
		})
	}
}
