package httpserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is the server's key pair. It is reloaded when its files change, so that renewing it needs no restart.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	version [2]time.Time // of the two files
	looked  time.Time
}

// lookAgain is the shortest interval between checks of the files.
const lookAgain = time.Second

func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, looked: time.Now()}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE cannot be used: %w", err)
	}
	return c, nil
}

func (c *certificate) load() error {
	version, err := c.versions()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.version = &pair, version
	return nil
}

func (c *certificate) versions() (v [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return v, err
		}
		v[i] = info.ModTime()
	}
	return v, nil
}

// current is the pair for a new connection. If a new pair cannot be read (or is still being written), the old one stays
// in use.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookAgain {
		return c.pair, nil
	}
	c.looked = time.Now()
	if version, err := c.versions(); err == nil && version == c.version {
		return c.pair, nil
	}
	if err := c.load(); err != nil {
		c.log.Warn("the new TLS certificate cannot be read; the old one stays in use", "error", err)
	}
	return c.pair, nil
}
