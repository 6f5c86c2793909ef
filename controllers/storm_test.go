package controllers_test

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// More logins at once than can be served in time: those that find the queue full
// are told so, and when to come back; those in it get their answer; and what
// needs no hash is served as ever.
func TestStormOfLogins(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.BcryptCost = 9 })
	site.User("alice")
	storm := 17*max(1, runtime.NumCPU()-1) + 40
	var served, refused atomic.Int64
	var all sync.WaitGroup
	for range storm {
		all.Go(func() {
			a := site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": "wrong"})
			switch {
			case a.Code == http.StatusUnauthorized:
				served.Add(1)
			case a.Code == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "5":
				refused.Add(1)
			default:
				t.Error(a)
			}
		})
	}
	site.Client().Get("/").Status(http.StatusOK)
	all.Wait()
	if served.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d served, %d refused", served.Load(), refused.Load())
	}
}
