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
			engine.Use(middlewares.Forwarded(test.trusted, slog.New(slog.NewTextHandler(&log, nil))))
			engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, middlewares.ClientIP(c)) })
			for range 3 {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = test.peer + ":4321"
				value := "203.0.113.9"
				if test.header == "Forwarded" {
					value = "for=" + value
				}
				r.Header.Set(test.header, value)
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

func TestClientBehindProxies(t *testing.T) {
	const proxy, second, client = "192.0.2.1", "192.0.2.2", "203.0.113.7"
	engine := gin.New()
	engine.Use(middlewares.Forwarded([]string{"192.0.2.0/24", "2001:db8:aa::/48"}, slog.New(slog.DiscardHandler)))
	engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, middlewares.ClientIP(c)) })
	for _, test := range []struct {
		name  string
		lines [][2]string
		want  string
	}{
		{"no header", nil, proxy},
		{"an address", [][2]string{{"X-Forwarded-For", client}}, client},
		{"a port", [][2]string{{"X-Forwarded-For", client + ":4711"}}, client},
		{"IPv6", [][2]string{{"X-Forwarded-For", "2001:db8::5"}}, "2001:db8::5"},
		{"IPv6 in brackets", [][2]string{{"X-Forwarded-For", "[2001:db8::5]"}}, "2001:db8::5"},
		{"IPv6 and a port", [][2]string{{"X-Forwarded-For", "[2001:db8::5]:5"}}, "2001:db8::5"},
		{"IPv4 inside IPv6", [][2]string{{"X-Forwarded-For", "::ffff:203.0.113.7"}}, client},
		{"a zone", [][2]string{{"X-Forwarded-For", "fe80::1%eth0"}}, "fe80::1"},
		{"spaces", [][2]string{{"X-Forwarded-For", "  203.0.113.7:80 ,192.0.2.2  "}}, client},
		{"several proxies", [][2]string{{"X-Forwarded-For", client + ", " + second + ", 2001:db8:aa::9"}}, client},
		{"made up before", [][2]string{{"X-Forwarded-For", "198.51.100.1, " + client + ", " + second}}, client},
		{"several lines", [][2]string{{"X-Forwarded-For", "198.51.100.1"}, {"X-Forwarded-For", client}, {"X-Forwarded-For", second}}, client},
		{"garbage", [][2]string{{"X-Forwarded-For", "nonsense"}}, proxy},
		{"garbage before a proxy", [][2]string{{"X-Forwarded-For", client + ", nonsense, " + second}}, second},
		{"nothing", [][2]string{{"X-Forwarded-For", ""}}, proxy},
		{"only proxies", [][2]string{{"X-Forwarded-For", second}}, second},
		{"Forwarded", [][2]string{{"Forwarded", "for=203.0.113.7;proto=https;by=192.0.2.1"}}, client},
		{"Forwarded, quoted, with a port", [][2]string{{"Forwarded", `proto=https; FOR="[2001:db8::5]:4711"`}}, "2001:db8::5"},
		{"Forwarded, several", [][2]string{{"Forwarded", "for=198.51.100.1, for=203.0.113.7"}, {"Forwarded", `for="192.0.2.2:80"`}}, client},
		{"Forwarded, hidden", [][2]string{{"Forwarded", "for=_hidden, for=unknown"}}, proxy},
		{"Forwarded, without for", [][2]string{{"Forwarded", "for=203.0.113.7, proto=http"}}, proxy},
		{"X-Real-Ip", [][2]string{{"X-Real-Ip", client + ":1"}}, client},
		{"two that agree", [][2]string{{"X-Forwarded-For", client}, {"Forwarded", "for=203.0.113.7"}}, client},
		{"two that disagree", [][2]string{{"X-Forwarded-For", client}, {"Forwarded", "for=198.51.100.1"}}, proxy},
		{"X-Real-Ip of the client's own", [][2]string{{"X-Forwarded-For", client}, {"X-Real-Ip", "198.51.100.1"}}, client},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = proxy + ":4321"
		for _, line := range test.lines {
			r.Header.Add(line[0], line[1])
		}
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, r)
		if got := w.Body.String(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// A new address in each request doesn't bypass a limit.
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
