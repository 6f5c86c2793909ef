package routes_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// BenchmarkMetrics compares the same requests to a site with metrics and to one without, alternately, because a
// machine's speed varies.
func BenchmarkMetrics(b *testing.B) {
	plain, counting := testsite.New(b), testsite.New(b, measured)
	var servers [2]*httptest.Server
	var headers [2]http.Header
	for i, site := range []*testsite.Site{plain, counting} {
		servers[i] = httptest.NewServer(site.Handler)
		defer servers[i].Close()
		headers[i] = http.Header{"Authorization": {"Bearer " + site.User("alice").Cookies["AccessToken"]}}
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	var took [2]time.Duration
	for b.Loop() {
		for i := range servers {
			took[i] += requests(b, client, servers[i].URL+"/api/v1/users/get-current-user", headers[i])
		}
	}
	b.ReportMetric(100*took[0].Seconds()/took[1].Seconds(), "%-of-plain-rate")
}
