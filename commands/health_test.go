package commands_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

func TestHealthAsksTheRunningSite(t *testing.T) {
	site := testsite.New(t)
	server := httptest.NewServer(site.Handler)
	cfg := at(t, site.Config, server.URL)
	for _, host := range []string{cfg.Host, "0.0.0.0"} {
		cfg.Host = host
		done(t, cfg, []string{"health"}, "The site is ready.")
	}
	server.Close()
	refused(t, cfg, []string{"health"}, "does not respond")
	refused(t, cfg, []string{"health", "now"}, `"now" is too much`)
}

func TestHealthTellsASiteWithoutItsDatabase(t *testing.T) {
	var status atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, err := w.Write([]byte("no database\n"))
		if err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}))
	defer server.Close()
	cfg := at(t, testsite.Config(t), server.URL)
	status.Store(http.StatusServiceUnavailable)
	plain := httptest.NewServer(server.Config.Handler)
	defer plain.Close()
	refused(t, at(t, cfg, plain.URL), []string{"health"}, "503", "no database")
	cfg.TLSCertFile = "cert.pem" // HTTPS from here on, with a certificate that nobody trusts
	refused(t, cfg, []string{"health"}, "certificate")
}

func at(t *testing.T, cfg config.Config, address string) config.Config {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Host = u.Hostname()
	cfg.Port, err = strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
