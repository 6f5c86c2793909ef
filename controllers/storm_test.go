package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// More concurrent logins than can be served in time: those that find the queue full are refused and told when to retry;
// those in the queue get their response; and requests that need no hash are served as usual.
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

// Somebody who continuously logs in to their own account, from twenty connections or twenty networks, keeps nobody else
// out: the queue for hashes is shared fairly.
func TestOneAccountKeepsNobodyOut(t *testing.T) {
	for name, address := range map[string]string{"one network": "192.0.2.1:1", "many networks": "10.0.%d.1:1"} {
		t.Run(name, func(t *testing.T) {
			site := testsite.New(t, func(c *config.Config) { c.BcryptCost = 8 })
			site.User("greedy")
			site.User("alice")
			from := func(address, user string) int {
				body := strings.NewReader(fmt.Sprintf(`{"identifier": %q, "password": %q}`, user, testsite.Password))
				r := httptest.NewRequest(http.MethodPost, "https://localhost/api/v1/users/login", body)
				r.Header.Set("Content-Type", "application/json")
				r.RemoteAddr = address
				return site.Client().Do(r).Code
			}
			stop := make(chan struct{})
			var all sync.WaitGroup
			for i := range 17*max(1, runtime.NumCPU()-1) + 20 { // more than the queue can hold
				all.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							from(strings.Replace(address, "%d", fmt.Sprint(i), 1), "greedy")
							time.Sleep(20 * time.Millisecond) // otherwise, refused requests repeat as fast as the processor allows
						}
					}
				})
			}
			for i := range 45 {
				if code := from("198.51.100.7:1", "alice"); code != http.StatusOK {
					t.Errorf("login %d: %d", i, code)
				}
			}
			close(stop)
			all.Wait()
		})
	}
}

// A client that disconnects while waiting leaves the queue, and no work is done for it.
func TestAClientThatIsGoneIsNotWorkedFor(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.BcryptCost = 10 })
	site.User("alice")
	server := httptest.NewServer(site.Handler)
	defer server.Close()
	before := site.Hasher.Hashes()
	var all sync.WaitGroup
	slots := max(1, runtime.NumCPU()-1)
	for range 12 * slots {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/users/login",
				strings.NewReader(`{"identifier": "alice", "password": "wrong"}`))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/json")
			if answer, err := http.DefaultClient.Do(r); err == nil {
				_ = answer.Body.Close()
			}
		})
	}
	all.Wait()
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(http.StatusOK)
	if n := site.Hasher.Hashes() - before; n > int64(6*slots) {
		t.Errorf("%d hashes for %d clients that were gone after 30 ms", n, 12*slots)
	}
}
