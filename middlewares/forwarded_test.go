package middlewares_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/middlewares"
)

func TestForwardedHeadersOfStrangersAreNotBelievedAndSaidOnce(t *testing.T) {
	for name, test := range map[string]struct {
		trusted      []string
		peer, header string
		ip           string
		warns        int
	}{
		"none trusted":    {nil, "192.0.2.1", "X-Forwarded-For", "192.0.2.1", 1},
		"Forwarded":       {nil, "192.0.2.1", "Forwarded", "192.0.2.1", 1},
		"X-Real-IP":       {nil, "192.0.2.1", "X-Real-Ip", "192.0.2.1", 1},
		"other header":    {nil, "192.0.2.1", "X-Other", "192.0.2.1", 0},
		"trusted":         {[]string{"192.0.2.1"}, "192.0.2.1", "X-Forwarded-For", "203.0.113.9", 0},
		"trusted network": {[]string{"10.0.0.0/8", "192.0.2.0/24"}, "192.0.2.1", "X-Forwarded-For", "203.0.113.9", 0},
		"other trusted":   {[]string{"10.0.0.0/8"}, "192.0.2.1", "X-Forwarded-For", "192.0.2.1", 1},
		"trusted IPv6":    {[]string{"2001:db8::/32"}, "[2001:db8::1]", "X-Forwarded-For", "203.0.113.9", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			gin.SetMode(gin.ReleaseMode)
			engine := gin.New()
			if err := engine.SetTrustedProxies(test.trusted); err != nil {
				t.Fatal(err)
			}
			engine.Use(middlewares.Forwarded(test.trusted, slog.New(slog.NewTextHandler(&log, nil))))
			engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, c.ClientIP()) })
			for range 3 {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = test.peer + ":4321"
				r.Header.Set(test.header, "203.0.113.9")
				w := httptest.NewRecorder()
				engine.ServeHTTP(w, r)
				if w.Body.String() != test.ip {
					t.Errorf("the address is %s", w.Body)
				}
			}
			if n := strings.Count(log.String(), "level=WARN"); n != test.warns {
				t.Errorf("%d warnings: %s", n, &log)
			}
		})
	}
}

// A new address in each request is no way around a limit.
func TestInventedAddressesAreCountedAsOne(t *testing.T) {
	for trusted, want := range map[string]int{"": http.StatusTooManyRequests, here: http.StatusUnauthorized} {
		site := testsite.New(t, func(c *config.Config) {
			c.RateLimit = true
			if trusted != "" {
				c.TrustedProxies = []string{trusted}
			}
		})
		code := 0
		for i := range 11 {
			c := site.Client()
			c.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.%d.1", i))
			code = try(c, here, "alice", "wrong").Code
		}
		if code != want {
			t.Errorf("proxy %q trusted: %d", trusted, code)
		}
	}
}
