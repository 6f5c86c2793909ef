package commands

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tokentube/config"
)

var healthCommand = command{
	name: "health", args: "",
	brief: "ask the running site whether it and its database respond",
	help: `It requests GET /readyz at HOST and PORT, from the same machine or container, so that
an image without curl can check itself. Nothing is opened or changed.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		_, err := positional(flags, args)
		return health, err
	},
}

const healthPatience = 5 * time.Second

func health(ctx context.Context, s Site) error {
	if err := ask(ctx, s.Config, "/readyz"); err != nil {
		return err
	}
	s.say("The site is ready.")
	return nil
}

// ask requests a path of the running site, which must respond with 200.
func ask(ctx context.Context, cfg config.Config, path string) error {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	client, address := healthTarget(cfg)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+path, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the site does not respond: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return fmt.Errorf("the site is not ready: %s %s", answer.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// healthTarget is the address that the site listens on, and a client for it. With HTTPS, the certificate must be valid
// for BASE_URL. It doesn't use "localhost", which a minimal image may be unable to resolve.
func healthTarget(cfg config.Config) (*http.Client, string) {
	host := cfg.Host
	if address, err := netip.ParseAddr(host); err == nil && address.IsUnspecified() {
		host = "127.0.0.1"
		if address.Is6() {
			host = "::1"
		}
	}
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true}
	if cfg.TLSCertFile != "" {
		scheme = "https"
		if base, err := url.Parse(cfg.BaseURL); err == nil {
			transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: base.Hostname()}
		}
	}
	return &http.Client{Transport: transport}, scheme + "://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port))
}
