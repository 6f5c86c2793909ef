package routes_test

import (
	"fmt"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// BenchmarkPriceOfALogin logs in at bcrypt cost 12, as in production, and at the minimum, 4, and makes other requests,
// alternately. It reports how many of them take as long as a login.
func BenchmarkPriceOfALogin(b *testing.B) {
	site, users := busySite(b, func(c *config.Config) { c.BcryptCost = 12 })
	cheap := testsite.New(b)
	cheap.User("alice")
	publication, liked := 0, "/api/v1/likes/v/"+publish(users[0], 1)
	ask(b, site, users[0], "PUT", liked)
	acts := []struct {
		name  string
		times int // per round
		do    func()
	}{
		{"login", 1, func() { site.SignIn("user9") }},
		{"login-at-cost-4", 5, func() { cheap.SignIn("alice") }},
		{"whoami", 50, func() { ask(b, site, users[0], "GET", "/api/v1/users/get-current-user") }},
		{"feed-visitor", 20, func() { ask(b, site, nil, "GET", "/api/v1/feed?limit=20") }},
		{"feed-user", 20, func() { ask(b, site, users[0], "GET", "/api/v1/feed?limit=20") }},
		{"home-visitor", 10, func() { ask(b, site, nil, "GET", "/") }},
		{"home-user", 10, func() { ask(b, site, users[0], "GET", "/") }},
		{"like-again", 20, func() { ask(b, site, users[0], "PUT", liked) }},
		{"publish", 5, func() { publication++; publish(users[1], publication) }},
	}
	spent := make([]time.Duration, len(acts))
	for b.Loop() {
		for i, act := range acts {
			start := time.Now()
			for range act.times {
				act.do()
			}
			spent[i] += time.Since(start) / time.Duration(act.times)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(spent[0].Milliseconds())/float64(b.N), "ms/login")
	for i, act := range acts[1:] {
		b.ReportMetric(spent[0].Seconds()/spent[i+1].Seconds(), fmt.Sprint(act.name, "/login"))
	}
}
