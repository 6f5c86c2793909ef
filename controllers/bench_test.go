package controllers_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

const benchCost = 10 // 12 in production: each step doubles the work

func benchSite(b *testing.B) *testsite.Site {
	site := testsite.New(b, func(c *config.Config) { c.BcryptCost, c.RateLimit = benchCost, false })
	site.User("alice")
	return site
}

// logIn logs in n times from eight concurrent clients and returns how long it took.
func logIn(site *testsite.Site, n int) time.Duration {
	start := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range n / 8 {
				site.SignIn("alice")
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

// BenchmarkLogin compares logins with hashing alone, by as many hashers, alternately.
func BenchmarkLogin(b *testing.B) {
	site := benchSite(b)
	hash, err := bcrypt.GenerateFromPassword([]byte(testsite.Password), benchCost)
	if err != nil {
		b.Fatal(err)
	}
	var raw, logins time.Duration
	for b.Loop() {
		start := time.Now()
		var all sync.WaitGroup
		hashers := max(1, runtime.NumCPU()-1)
		for range hashers {
			all.Go(func() {
				for range 32 / hashers {
					_ = bcrypt.CompareHashAndPassword(hash, []byte(testsite.Password))
				}
			})
		}
		all.Wait()
		raw += time.Since(start)
		logins += logIn(site, 32)
	}
	b.ReportMetric(100*raw.Seconds()/logins.Seconds(), "%-of-raw-bcrypt")
}

// BenchmarkReadInAStorm compares the slowest percentile of authenticated reads when idle and while eight clients log in
// continuously.
func BenchmarkReadInAStorm(b *testing.B) {
	site := benchSite(b)
	reader := site.User("bob") // more than fifty logins would end a session of alice
	var quiet, storm []time.Duration
	read := func(times *[]time.Duration) {
		for range 300 {
			start := time.Now()
			reader.JSON("GET", whoAmI, nil).Status(200)
			*times = append(*times, time.Since(start))
			time.Sleep(3 * time.Millisecond) // spread over the storm
		}
	}
	for b.Loop() {
		read(&quiet)
		var ended sync.WaitGroup
		ended.Go(func() { logIn(site, 32) })
		read(&storm)
		ended.Wait()
	}
	p99 := func(times []time.Duration) float64 {
		slices.Sort(times)
		return float64(times[len(times)*99/100].Microseconds())
	}
	before, during := p99(quiet), p99(storm)
	b.ReportMetric(before, "µs-p99-quiet")
	b.ReportMetric(during, "µs-p99-storm")
	b.ReportMetric(during/before, "times")
}
