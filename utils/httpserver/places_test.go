package httpserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"tokentube/e2e/ports"
)

// from opens a connection from one of this machine's addresses. It is nil if it was refused immediately.
func from(t *testing.T, address string, port int) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	conn, err := dialer.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// served reports whether a request on the connection gets a response.
func served(conn net.Conn) bool {
	if conn == nil {
		return false
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	n, _ := conn.Read(make([]byte, 1))
	return n == 1
}

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8")
	}
}

func TestConnectionsOfAnAddress(t *testing.T) {
	onLinux(t)
	port := ports.Free(t)
	start(t, http.NotFoundHandler(), Settings{
		Port: port, Connections: 1000, PerAddress: 10,
		IsProxy: func(ip netip.Addr) bool { return ip == netip.MustParseAddr("127.0.0.9") },
	})
	var open []net.Conn
	for i := range 10 {
		conn := from(t, "127.0.0.1", port)
		if !served(conn) {
			t.Fatalf("connection %d was refused", i+1)
		}
		open = append(open, conn)
	}
	for range 30 {
		if served(from(t, "127.0.0.1", port)) {
			t.Fatal("an address has more connections than it may")
		}
	}
	if !served(from(t, "127.0.0.2", port)) {
		t.Error("another address is refused")
	}
	for i := range 50 {
		if !served(from(t, "127.0.0.9", port)) {
			t.Fatalf("connection %d of the proxy was refused", i+1)
		}
	}
	for _, conn := range open {
		_ = conn.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); !served(from(t, "127.0.0.1", port)); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was closed is not given back")
		}
	}
}

func TestConnectionsInAll(t *testing.T) {
	onLinux(t)
	port, plain := ports.Free(t), ports.Free(t)
	certFile, keyFile := writePair(t, t.TempDir(), 1)
	start(t, http.NotFoundHandler(), Settings{
		Port: port, CertFile: certFile, KeyFile: keyFile, RedirectPort: plain, BaseURL: "https://localhost", Connections: 50, PerAddress: 40,
	})
	for i := range 50 {
		conn := from(t, "127.0.0.1", plain)
		if !served(conn) {
			t.Fatalf("redirect %d, one after the other, was refused", i+1)
		}
		// The server closes each after its response, and gives its place back before the client sees that.
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 { // these stay open
		from(t, "127.0.0.1", plain)
	}
	if served(from(t, "127.0.0.1", plain)) {
		t.Error("the redirects' port takes any number")
	}
	if !served(from(t, "127.0.0.2", plain)) {
		t.Error("one address took all places")
	}
}

func TestTheSystemsLimitOfFilesCounts(t *testing.T) {
	most := descriptors()
	if limit := openFiles(); most < 1 || most > limit/2 {
		t.Errorf("%d connections of %d files", most, limit)
	}
}
