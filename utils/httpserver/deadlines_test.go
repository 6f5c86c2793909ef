package httpserver

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tokentube/e2e/ports"
)

// pipes is an in-memory listener, so that tests can use fake time.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.conns) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestNoRequestIsForEver: whatever a client fails to do, and whatever handles the request, the connection is closed
// soon.
func TestNoRequestIsForEver(t *testing.T) {
	const post = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
	for name, test := range map[string]struct {
		send  string
		every time.Duration // one more byte at this interval, endlessly
		most  time.Duration
	}{
		"says nothing":             {"", 0, 10 * time.Second},
		"half a head":              {"GET / HTTP/1.1\r\nHost:", 0, 10 * time.Second},
		"a head without end":       {"GET / HTTP/1.1\r\nX-Long: ", time.Second, 10 * time.Second},
		"no body":                  {post, 0, time.Minute},
		"a trickle of a body":      {post, time.Second, time.Minute},
		"a chunk without end":      {strings.Replace(post, "Content-Length: 100000", "Transfer-Encoding: chunked", 1) + "fffff\r\n", time.Second, time.Minute},
		"an extension without end": {strings.Replace(post, "Content-Length: 100000", "Transfer-Encoding: chunked", 1) + "1;", time.Second, time.Minute},
		"idle after a request":     {"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, time.Minute},
		"takes no response":        {"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", -1, time.Minute},
	} {
		for kind, handler := range map[string]http.HandlerFunc{
			"refused": http.NotFound,
			"read": func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = w.Write(make([]byte, 1<<20))
			},
		} {
			for server, make := range map[string]func(t *testing.T) *http.Server{
				"site": func(t *testing.T) *http.Server { return newServer(t.Context(), handler, slog.New(slog.DiscardHandler)) },
				"redirect": func(t *testing.T) *http.Server {
					return newRedirect(t.Context(), "https://localhost", slog.New(slog.DiscardHandler))
				},
			} {
				t.Run(name+", "+kind+", "+server, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						if took := until(t, make(t), test.send, test.every); took > test.most+time.Second {
							t.Errorf("the connection was open for %v", took)
						}
					})
				})
			}
		}
	}
}

// until is how long the server keeps a connection open on which this is sent.
func until(t *testing.T, server *http.Server, send string, every time.Duration) time.Duration {
	listener, start := &pipes{conns: make(chan net.Conn, 1)}, time.Now()
	near, far := net.Pipe()
	listener.conns <- far
	var all sync.WaitGroup
	all.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	all.Go(func() {
		for _, err := io.WriteString(near, send); every > 0 && err == nil; _, err = near.Write([]byte("x")) {
			time.Sleep(every)
		}
	})
	if every < 0 {
		time.Sleep(2 * time.Minute) // and only then reads
		start = start.Add(2 * time.Minute)
	}
	if n, _ := io.Copy(io.Discard, near); every < 0 && n > 64<<10 {
		t.Errorf("%d bytes were kept for a client that took none", n)
	}
	took := time.Since(start)
	_ = server.Close()
	_ = near.Close()
	all.Wait()
	return took
}

func TestHeadsAndChunksAreBounded(t *testing.T) {
	port, read := ports.Free(t), make(chan int64, 1)
	start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		read <- n
	}), Settings{Port: port})
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"many fields":     {"GET / HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("A: b\r\n", 10_000) + "\r\n", 431},
		"a long field":    {"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + strings.Repeat("b", 60_000) + "\r\n\r\n", 431},
		"a long address":  {"GET /?" + strings.Repeat("a", 60_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
		"two lengths":     {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"length, chunked": {"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 501},
		"no host":         {"GET / HTTP/1.1\r\n\r\n", 400},
	} {
		if got := ask(t, port, test.request).StatusCode; got != test.status {
			t.Errorf("%s: %d, want %d", name, got, test.status)
		}
	}
	const chunked = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
	for name, body := range map[string]string{
		"extensions": strings.Repeat("1;"+strings.Repeat("x", 3000)+"\r\na\r\n", 1000) + "0\r\n\r\n",
		"trailers":   "1\r\na\r\n0\r\n" + strings.Repeat("A: b\r\n", 10_000) + "\r\n",
	} {
		ask(t, port, chunked+body)
		if n := <-read; n > 500 {
			t.Errorf("%s: %d chunks were taken", name, n)
		}
	}
}
