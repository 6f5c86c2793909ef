package httpserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/ports"
)

// running is a server under test.
type running struct {
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, handler http.Handler, s Settings) running {
	t.Helper()
	s.Host, s.Log = "localhost", slog.New(slog.DiscardHandler)
	if s.Stop == 0 {
		s.Stop = 10 * time.Second
	}
	if s.Connections == 0 {
		s.Connections, s.PerAddress = 100, 100
	}
	ctx, stop := context.WithCancel(t.Context())
	r, ready := running{stop, make(chan error, 1)}, make(chan struct{})
	go func() { r.done <- Run(ctx, handler, s, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-r.done:
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return r
}

// writePair writes a certificate for localhost with this serial number.
func writePair(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestRunningRequestsFinish(t *testing.T) {
	port, entered, release := ports.Free(t), make(chan struct{}), make(chan struct{})
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	}), Settings{Port: port})
	answer := make(chan string)
	go func() {
		response, err := http.Get(fmt.Sprintf("http://localhost:%d/", port))
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-entered
	r.stop()
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("a running request got %q", got)
	}
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

// A draining server keeps serving for a while, and announces it: to readiness checks, and on every connection.
func TestDraining(t *testing.T) {
	port := ports.Free(t)
	r := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state := "serving"
		select {
		case <-Ending(r.Context()):
			state = "ending"
		case <-Draining(r.Context()):
			state = "draining"
		default:
		}
		_, _ = io.WriteString(w, state)
	}), Settings{Port: port, Drain: 2 * time.Second})
	ask := func() (state string, closes bool) {
		t.Helper()
		response, err := http.Get(fmt.Sprintf("http://localhost:%d/", port))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body), response.Close
	}
	if state, closes := ask(); state != "serving" || closes {
		t.Errorf("before, it is %s, and closes connections: %v", state, closes)
	}
	r.stop()
	for range 5 {
		if state, closes := ask(); state != "draining" || !closes {
			t.Errorf("it is %s, and closes connections: %v", state, closes)
		}
	}
	if err := <-r.done; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(fmt.Sprintf("http://localhost:%d/", port)); err == nil {
		t.Error("it still answers")
	}
}

func TestPortInUse(t *testing.T) {
	port := ports.Free(t)
	start(t, http.NotFoundHandler(), Settings{Port: port})
	err := Run(t.Context(), http.NotFoundHandler(), Settings{Host: "localhost", Port: port, Log: slog.New(slog.DiscardHandler)}, func() {})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d is in use", port)) {
		t.Error(err)
	}
}

func TestHTTPSWithAChangedCertificate(t *testing.T) {
	dir, port, plain := t.TempDir(), ports.Free(t), ports.Free(t)
	certFile, keyFile := writePair(t, dir, 1)
	address := fmt.Sprintf("localhost:%d", port)
	start(t, http.NotFoundHandler(), Settings{
		Port: port, CertFile: certFile, KeyFile: keyFile, RedirectPort: plain, BaseURL: "https://" + address,
	})
	serial := func() int64 {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://localhost:%d/a?b=c", plain), nil)
	r.Host = "evil.example"
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusPermanentRedirect || got != "https://"+address+"/a?b=c" {
		t.Errorf("%d to %s", response.StatusCode, got)
	}

	writePair(t, dir, 2)
	future := time.Now().Add(time.Minute) // a coarse file system may give both the same time
	for _, name := range []string{certFile, keyFile} {
		if err := os.Chtimes(name, future, future); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); serial() != 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate was not taken up")
		}
	}
}

func TestUnreadableNewCertificateLeavesTheOld(t *testing.T) {
	certFile, keyFile := writePair(t, t.TempDir(), 1)
	c, err := loadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	old := c.pair
	if err := os.WriteFile(certFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.looked = time.Time{}
	if now, err := c.current(nil); err != nil || now != old {
		t.Errorf("%v, %v", now, err)
	}
	if _, err := loadCertificate(certFile, keyFile, nil); err == nil || !strings.Contains(err.Error(), "TLS_CERT_FILE") {
		t.Error(err)
	}
}
