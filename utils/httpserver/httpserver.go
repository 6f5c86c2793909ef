// Package httpserver listens, serves until it is told to stop, and lets running
// requests finish. What is served is the caller's.
package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// Settings say how to serve.
type Settings struct {
	Host              string
	Port              int
	BaseURL           string // the address that people open
	CertFile, KeyFile string // PEM; without them plain HTTP
	RedirectPort      int    // plain HTTP that leads to BaseURL; 0: none
	Log               *slog.Logger
}

// shutdownTime is how long running requests may take when the server stops.
const shutdownTime = 10 * time.Second

// Run serves until ctx ends. Ready is called when connections are taken.
func Run(ctx context.Context, handler http.Handler, s Settings, ready func()) error {
	site, err := listen(s.Host, s.Port, "PORT")
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
	servers := []serving{{newServer(ctx, handler, s.Log), site}}
	if s.RedirectPort != 0 {
		plain, err := listen(s.Host, s.RedirectPort, "HTTP_REDIRECT_PORT")
		if err != nil {
			return err
		}
		servers = append(servers, serving{newServer(ctx, redirect(s.BaseURL), s.Log), plain})
	}
	ready()
	return serveAll(ctx, servers, s.Log)
}

// serving is a server on its listener.
type serving struct {
	*http.Server
	listener net.Listener
}

// ending is the key under which requests find out that the server stops.
type ending struct{}

// Ending is closed when the server that answers the request is to stop: an
// endless answer ends then. It is nil, and never closed, outside of a server.
func Ending(request context.Context) <-chan struct{} {
	done, _ := request.Value(ending{}).(<-chan struct{})
	return done
}

func newServer(ctx context.Context, handler http.Handler, log *slog.Logger) *http.Server {
	base := context.WithValue(context.Background(), ending{}, ctx.Done())
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return base }, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func listen(host string, port int, variable string) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: stop the other program or set %s", port, variable)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return listener, nil
}

// serveAll runs the servers until ctx ends or one of them fails, then stops all:
// no new request is taken, and running ones get their time.
func serveAll(ctx context.Context, servers []serving, log *slog.Logger) error {
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() { failed <- s.Serve(s.listener) }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	for _, s := range servers {
		if late := s.Shutdown(end); late != nil {
			log.Warn("requests were cut off", "error", late)
			_ = s.Close()
		}
	}
	return err
}

// redirect leads from plain HTTP to the same page of the site. The host is ours
// and not the one that the client names, so that nobody is sent elsewhere.
func redirect(baseURL string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// #nosec G710 -- the host is that of BASE_URL
		http.Redirect(w, r, baseURL+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
}
