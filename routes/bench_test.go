package routes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/e2e/testsite"
	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// BenchmarkHTTP compares a JSON response over real HTTP, public and behind VerifyJWT, alternately, because a machine's
// speed varies.
func BenchmarkHTTP(b *testing.B) {
	site := testsite.New(b)
	alice := site.User("alice")
	answer := func(c *gin.Context) error {
		return respond.Show(c, "", gin.H{"title": "A title", "likesCount": 12, "tags": []string{"one", "two"}})
	}
	access := middlewares.NewAccess(site.Engine, site.Auth, nil)
	access.Open.API(http.MethodGet, "/measured/open", answer)
	access.Private.API(http.MethodGet, "/measured/private", answer)
	server := httptest.NewServer(site.Engine)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	header := http.Header{"Authorization": {"Bearer " + alice.Cookies["AccessToken"]}}

	var open, private time.Duration
	for b.Loop() {
		open += requests(b, client, server.URL+"/api/v1/measured/open", nil)
		private += requests(b, client, server.URL+"/api/v1/measured/private", header)
	}
	b.ReportMetric(100*open.Seconds()/private.Seconds(), "%-of-open-rate")
}

// requests sends 400 requests from 8 clients and returns how long that took.
func requests(b *testing.B, client *http.Client, address string, header http.Header) time.Duration {
	start := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				r, _ := http.NewRequest(http.MethodGet, address, nil)
				if header != nil {
					r.Header = header.Clone()
				}
				response, err := client.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					b.Errorf("%d", response.StatusCode)
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}
