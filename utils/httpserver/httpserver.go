// Package httpserver listens, serves until it is told to stop, and lets running requests finish. The caller provides
// the handler.
package httpserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"tokentube/utils/logs"
)

// Settings configures the server.
type Settings struct {
	Host              string
	Port              int
	BaseURL           string                // the URL that people open
	CertFile, KeyFile string                // PEM; without them, plain HTTP
	RedirectPort      int                   // plain HTTP that redirects to BaseURL; 0: none
	Connections       int                   // the maximum, on both ports together
	PerAddress        int                   // the maximum per address
	IsProxy           func(netip.Addr) bool // acts for many clients: its connections aren't bounded per address
	MetricsAddr       string                // host and port of a separate listener for Metrics
	Metrics           http.Handler          // nil: no metrics
	Drain             time.Duration         // between the signal to stop and closing the listener
	Stop              time.Duration         // how long running requests may take after that
	Log               *slog.Logger
}

// Run serves until ctx is cancelled. It calls ready once it accepts connections.
func Run(ctx context.Context, handler http.Handler, s Settings, ready func()) error {
	places := newPlaces(s)
	site, err := places.listen(s.Port, "PORT")
	if err != nil {
		return err
	}
	defer func() { _ = site.Close() }()
	if s.CertFile != "" {
		certificate, err := loadCertificate(s.CertFile, s.KeyFile, s.Log)
		if err != nil {
			return err
		}
		site = tls.NewListener(site, &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: certificate.current, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	end := make(chan struct{})
	base := context.WithValue(context.Background(), phases{}, phases{draining: ctx.Done(), ending: end})
	servers := []serving{{newServer(base, handler, s.Log), site}}
	if s.RedirectPort != 0 {
		plain, err := places.listen(s.RedirectPort, "HTTP_REDIRECT_PORT")
		if err != nil {
			return err
		}
		servers = append(servers, serving{newRedirect(base, s.BaseURL, s.Log), plain})
	}
	if s.Metrics != nil {
		listener, err := net.Listen("tcp", s.MetricsAddr)
		if err != nil {
			return fmt.Errorf("METRICS_ADDR: %w", err)
		}
		servers = append(servers, serving{newServer(base, s.Metrics, s.Log), listener})
		s.Log.Info("metrics are served", "address", "http://"+listener.Addr().String()+"/metrics")
	}
	ready()
	return serveAll(ctx, servers, s, end)
}

// serving is a server and its listener.
type serving struct {
	*http.Server
	listener net.Listener
}

// phases are the stages of stopping a server, and the context key under which its requests find them.
type phases struct {
	draining <-chan struct{}
	ending   <-chan struct{}
}

func phasesOf(request context.Context) phases {
	all, _ := request.Value(phases{}).(phases)
	return all
}

// Draining is closed when the server has been told to stop: load balancers should send it no more requests. Outside of
// a server it is nil, and thus never closed.
func Draining(request context.Context) <-chan struct{} { return phasesOf(request).draining }

// Ending is closed when the server accepts no more requests: endless responses end then. Outside of a server it is nil,
// and thus never closed.
func Ending(request context.Context) <-chan struct{} { return phasesOf(request).ending }

// oneMore tells the clients of a draining server to send their next request on another connection. A connection that
// they keep could be closed just as they send something.
func oneMore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-Draining(r.Context()):
			w.Header().Set("Connection", "close")
		default:
		}
		next.ServeHTTP(w, r)
	})
}

// newServer makes a server whose deadlines apply to every request, whatever handles it. Requests that may take longer
// extend them once the client is authenticated (middlewares.Progress).
func newServer(base context.Context, handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           oneMore(handler),
		ReadHeaderTimeout: 10 * time.Second, // includes the TLS handshake
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100, SendPingTimeout: 30 * time.Second, WriteByteTimeout: 30 * time.Second},
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(logs.WithoutIPs(log.Handler()), slog.LevelWarn),
	}
}

// serveAll runs the servers until ctx is cancelled and they have drained, or one of them fails. Then it closes end and
// stops all of them: they accept no new requests, and running ones get time to finish.
func serveAll(ctx context.Context, servers []serving, s Settings, end chan<- struct{}) error {
	failed := make(chan error, len(servers))
	for _, server := range servers {
		go func() { failed <- server.Serve(server.listener) }()
	}
	err := untilStopped(ctx, failed, s.Drain)
	close(end)
	late, cancel := context.WithTimeout(context.Background(), s.Stop)
	defer cancel()
	for _, server := range servers {
		if cut := server.Shutdown(late); cut != nil {
			s.Log.Warn("requests were cut off", "error", cut)
			_ = server.Close()
		}
	}
	return err
}

// untilStopped waits until ctx is cancelled and the drain time has passed, or until a server fails.
func untilStopped(ctx context.Context, failed <-chan error, drain time.Duration) error {
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-failed:
		return err
	case <-time.After(drain):
		return nil
	}
}

// newRedirect makes the server for the plain HTTP port. Each connection serves one short request and its redirect.
func newRedirect(base context.Context, baseURL string, log *slog.Logger) *http.Server {
	server := newServer(base, redirect(baseURL), log)
	server.ReadTimeout, server.WriteTimeout, server.MaxHeaderBytes = 10*time.Second, 10*time.Second, 8<<10
	server.SetKeepAlivesEnabled(false)
	return server
}

// redirect redirects from plain HTTP to the same page of the site. The host is ours and not the one the client sent, so
// that nobody is redirected elsewhere. Only a path may follow it: "GET x:.evil.example/" has none, and appending what
// it has instead would turn our host's name into another one.
func redirect(baseURL string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		if !strings.HasPrefix(page.Path, "/") {
			http.Error(w, "This is not the path of a page.", http.StatusBadRequest)
			return
		}
		// #nosec G710 -- the host is that of BASE_URL
		http.Redirect(w, r, baseURL+page.RequestURI(), http.StatusPermanentRedirect)
	})
}
