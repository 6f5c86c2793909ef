package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stalls are ways to occupy a server with next to nothing: the part of a request that is sent before going silent.
var stalls = []string{
	"",
	"GET / HTTP/1.1\r\nHost: loc",
	"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
	"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
	"POST /login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 1000\r\n\r\n",
	"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nidentifier=",
	"POST /watch HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n--x\r\n",
	"POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n--x\r\n",
	"HEAD /static/icons.svg HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
	"GET /static/icons.svg HTTP/1.1\r\nHost: localhost\r\n\r\n", // whose response nobody reads
}

// from opens connections from one of this machine's addresses (127.0.0.0/8).
func from(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
}

// flood keeps this many stalled connections open from each address: closed ones are reopened, until end is called.
func flood(t *testing.T, port string, addresses []string, each int) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var all, tried sync.WaitGroup
	for _, address := range addresses {
		for i := range each {
			tried.Add(1)
			first := sync.OnceFunc(tried.Done)
			all.Go(func() {
				defer first()
				for ctx.Err() == nil {
					stall(ctx, address, port, stalls[i%len(stalls)], first)
				}
			})
		}
	}
	tried.Wait()
	return func() { stop(); all.Wait() }
}

// stall opens a connection and sends no more than this, until the server closes it.
func stall(ctx context.Context, address, port, says string, opened func()) {
	conn, err := from(address).DialContext(ctx, "tcp4", "127.0.0.1:"+port)
	if err == nil {
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		_, err = io.WriteString(conn, says)
	}
	opened()
	if err == nil {
		_, err = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	if err != nil { // refused: wait before retrying, or the test itself would exhaust the machine
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// comes opens pages like a first-time visitor, and returns how long each took.
func comes(t *testing.T, address, port string, visits int) []time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range visits {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return from(address).DialContext(ctx, "tcp4", "127.0.0.1:"+port)
		}}
		client, start := http.Client{Transport: transport, Timeout: 10 * time.Second}, time.Now()
		for _, path := range []string{"/", "/static/icons.svg", "/login"} {
			response, err := client.Get("http://localhost:" + port + path)
			if err != nil {
				t.Errorf("visit %d: %v", i, err)
				continue
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
				t.Errorf("visit %d: %s %d, %v", i, path, response.StatusCode, err)
			}
			_ = response.Body.Close()
		}
		took = append(took, time.Since(start))
		transport.CloseIdleConnections()
		time.Sleep(50 * time.Millisecond)
	}
	slices.Sort(took)
	return took
}

func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	var limit syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < 3000 {
		t.Skipf("the test may have %d files open", limit.Cur)
	}
	b := build(t)
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("127.0.1.%d", i+1))
	}
	for name, test := range map[string]struct {
		addresses []string
		each      int
		settings  env
	}{
		"2000 of one address":                  {[]string{"127.0.0.1"}, 2000, env{}},
		"2000 of a hundred, of 500 in all":     {many, 20, env{"MAX_CONNECTIONS": "500"}},
		"2000 of a hundred, for which is room": {many, 20, env{}},
	} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			p := b.start(t, env{"DATA_DIR": t.TempDir(), "PORT": port, "LOG_LEVEL": "warn"}.with(test.settings))
			p.ready()
			before := slices.Max(comes(t, "127.0.0.2", port, 3))
			end := flood(t, port, test.addresses, test.each)
			took := comes(t, "127.0.0.2", port, 20)
			end()
			t.Logf("a visit takes %v at first; beside the connections %v at best, %v in the middle, %v at worst", before, took[0], took[10], took[19])
			if took[10] > time.Second+before {
				t.Errorf("half of the visits take more than %v", took[10])
			}
			if !strings.Contains(p.printed(), "connections were reset") && test.each == 2000 {
				t.Errorf("the log says nothing: %s", p.printed())
			}
			p.stop()
		})
	}
}
