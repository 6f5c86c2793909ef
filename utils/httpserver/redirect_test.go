package httpserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/ports"
)

func TestRedirectsLeadToThisSite(t *testing.T) {
	const site = "https://tube.example.com"
	port, plain := ports.Free(t), ports.Free(t)
	certFile, keyFile := writePair(t, t.TempDir(), 1)
	start(t, http.NotFoundHandler(), Settings{
		Port: port, CertFile: certFile, KeyFile: keyFile, RedirectPort: plain, BaseURL: site,
	})
	for target, want := range map[string]string{
		"/":                             "/",
		"/a?b=c":                        "/a?b=c",
		"/a%2Fb?c=%2F&d":                "/a%2Fb?c=%2F&d",
		"/caf%C3%A9?q=ü":                "/caf%C3%A9?q=%c3%bc",
		"//evil.example/x":              "//evil.example/x",
		"/\\evil.example":               "/%5Cevil.example",
		"/@evil.example":                "/@evil.example",
		"http://evil.example/a?b":       "/a?b",
		"http://user@evil.example:80/a": "/a",
		"x:.evil.example/":              "",
		"x:@evil.example/":              "",
		"x::80@evil.example/":           "",
		"http:.evil.example":            "",
		"javascript:alert(1)":           "",
		"*":                             "",
		".evil.example/":                "",
		"@evil.example/":                "",
		":1@evil.example/":              "",
		"?a":                            "",
		"http://evil.example":           "",
	} {
		for _, method := range []string{"GET", "OPTIONS", "CONNECT"} {
			response := ask(t, plain, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: evil.example\r\n\r\n", method, target))
			got := response.Header.Get("Location")
			if method == "GET" && (response.StatusCode == 308) != (want != "") || got != "" && !strings.HasPrefix(got, site+"/") {
				t.Errorf("%s %s: %d to %q", method, target, response.StatusCode, got)
			}
			if method == "GET" && want != "" && got != site+want {
				t.Errorf("%s %s leads to %q, want %q", method, target, got, want)
			}
			if !response.Close {
				t.Errorf("%s %s: the connection is kept", method, target)
			}
		}
	}
}

// ask sends exactly these bytes, and returns the response.
func ask(t *testing.T, port int, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("localhost:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	// A server that has rejected the beginning of a request may close the connection before the rest is sent: its
	// response counts.
	_, sent := io.WriteString(conn, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.100q: %v (sending: %v)", request, err, sent)
	}
	_ = response.Body.Close()
	return response
}
