package commands

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// renewBefore is how long before its expiry a certificate should have been replaced.
const renewBefore = 14 * 24 * time.Hour

// network checks the settings that affect who can reach the site and how: addresses, HTTPS, cookies and proxies.
func (p *patient) network() {
	base, err := url.Parse(p.BaseURL)
	if err != nil || base.Hostname() == "" {
		return // is reported as a fault of the configuration
	}
	before := len(p.findings)
	p.address(base)
	p.cookies(base)
	p.proxies()
	p.certificate(base)
	if host, _, err := net.SplitHostPort(p.MetricsAddr); p.MetricsAddr != "" && err == nil && !isLocal(host) {
		p.say(note, "METRICS_ADDR", "Let only the Prometheus server reach it: 127.0.0.1, or a network of containers.", "the metrics are open to whoever reaches %s.", p.MetricsAddr)
	}
	if len(p.findings) == before {
		p.ok("BASE_URL", "%s fits HOST, the cookies and the proxies.", p.BaseURL)
	}
}

func (p *patient) address(base *url.URL) {
	production := p.Env == "production"
	switch {
	case production && isLocal(base.Hostname()):
		p.say(fault, "BASE_URL", "Set it to the address that people open, such as https://tube.example.com.", "a site in production has the address %s, to which links in mails lead.", p.BaseURL)
	case !p.HTTPS() && !isLocal(base.Hostname()):
		p.say(fault, "BASE_URL", "Set up HTTPS (TLS_CERT_FILE, or a proxy) and change it to https://.", "%s is plain HTTP: passwords and tokens can be read on the way.", p.BaseURL)
	case !p.HTTPS() && !isLocal(p.Host):
		p.say(fault, "HOST", "Set HOST=localhost, or set up HTTPS and BASE_URL.", "%s takes plain HTTP from other machines, while BASE_URL is %s.", p.Host, p.BaseURL)
	case p.TLSCertFile == "" && !isLocal(p.Host):
		p.say(note, "HOST", "Set HOST=127.0.0.1 if the proxy is on this machine, or let a firewall admit only the proxy.", "%s takes plain HTTP from other machines, past the proxy.", p.Host)
	}
	if !p.RateLimit && production {
		p.say(fault, "RATE_LIMIT", "Leave it out.", "passwords can be tried without limit.")
	}
}

func (p *patient) cookies(base *url.URL) {
	switch {
	case !p.HTTPS() && !isLocal(base.Hostname()) && p.CookieSecure != "false":
		p.say(fault, "COOKIE_SECURE", "Set up HTTPS.", "browsers drop Secure cookies from %s: nobody can stay logged in.", p.BaseURL)
	case p.HTTPS() && p.CookieSecure == "false":
		p.say(fault, "COOKIE_SECURE", "Leave it out, or set it to auto.", "tokens are sent over plain HTTP too, although the site has HTTPS.")
	case p.HTTPS() && p.Env == "production" && p.CookiePrefix == "":
		p.say(note, "COOKIE_PREFIX", "Set it to __Host-. Everyone logs in again once.", "other hosts of the domain can put cookies in place of the site's.")
	}
}

// Networks with a shorter prefix than this are not proxies, but half the internet.
const (
	fewestBits4 = 8
	fewestBits6 = 16
)

func (p *patient) proxies() {
	for _, text := range p.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if err == nil && (network.Addr().Is4() && network.Bits() < fewestBits4 || network.Addr().Is6() && network.Bits() < fewestBits6) {
			p.say(fault, "TRUSTED_PROXIES", "List the proxy's own address.", "%s is nearly everybody, who can then claim any address and escape the limits.", text)
		}
	}
	if p.HTTPS() && p.TLSCertFile == "" && len(p.TrustedProxies) == 0 {
		p.say(note, "TRUSTED_PROXIES", "Set it to the proxy's address as the site sees it.", "HTTPS comes from a proxy that is not trusted to tell whom it speaks for: all people share one address in limits and logs.")
	}
}

func (p *patient) certificate(base *url.URL) {
	if p.TLSCertFile == "" || p.TLSKeyFile == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(p.TLSCertFile, p.TLSKeyFile)
	if err != nil {
		p.say(fault, "TLS_CERT_FILE", "Name a chain and its key in PEM that this user can read.", "the certificate cannot be used: %s.", err)
		return
	}
	left := time.Until(pair.Leaf.NotAfter)
	switch mismatch := pair.Leaf.VerifyHostname(base.Hostname()); {
	case mismatch != nil:
		p.say(fault, "TLS_CERT_FILE", "Get one for the host of BASE_URL.", "%s.", mismatch)
	case left <= 0:
		p.say(fault, "TLS_CERT_FILE", "Renew it: the site takes the new one without a restart.", "the certificate ended on %s.", pair.Leaf.NotAfter.Format(time.DateOnly))
	case time.Now().Before(pair.Leaf.NotBefore):
		p.say(fault, "TLS_CERT_FILE", "Set the clock of this machine.", "the certificate begins in the future, on %s.", pair.Leaf.NotBefore.Format(time.DateOnly))
	case left < renewBefore:
		p.say(note, "TLS_CERT_FILE", "Renew it.", "the certificate ends on %s.", pair.Leaf.NotAfter.Format(time.DateOnly))
	default:
		p.ok("TLS_CERT_FILE", "the certificate is for %s and holds until %s.", base.Hostname(), pair.Leaf.NotAfter.Format(time.DateOnly))
	}
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ports briefly tries to listen where the site would.
func (p *patient) ports(ctx context.Context) {
	running := false
	if p.Port != 0 {
		err := free(ctx, net.JoinHostPort(p.Host, strconv.Itoa(p.Port)))
		switch {
		case err == nil:
			p.ok("PORT", "%d is free: the site is not running.", p.Port)
		case errors.Is(err, syscall.EADDRINUSE):
			// Not /readyz: the site would write a file to test whether it can.
			silent := ask(ctx, p.Config, "/healthz")
			if running = silent == nil; running {
				p.ok("PORT", "the site is running at %d.", p.Port)
			} else {
				p.say(fault, "PORT", "Stop the other program, or set another PORT. If it is this site, see its log.", "%d is in use, but this site does not answer there: %s.", p.Port, explained(silent))
			}
		default:
			p.say(fault, "HOST and PORT", "Set HOST to an address of this machine, and PORT to one above 1023.", "nothing can listen there: %s.", err)
		}
	}
	others := map[string]string{}
	if p.HTTPRedirectPort != 0 {
		others["HTTP_REDIRECT_PORT"] = net.JoinHostPort(p.Host, strconv.Itoa(p.HTTPRedirectPort))
	}
	if p.MetricsAddr != "" {
		others["METRICS_ADDR"] = p.MetricsAddr
	}
	for name, address := range others {
		if err := free(ctx, address); err != nil && !(running && errors.Is(err, syscall.EADDRINUSE)) {
			p.say(fault, name, "Stop the other program, or set another one.", "nothing can listen there: %s.", err)
		}
	}
}

func free(ctx context.Context, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}

// secrets checks who can read the files that grant access to accounts.
func (p *patient) secrets() {
	if p.AccessTokenSecret == "" && p.RefreshTokenSecret == "" && p.MongoURI == "" && p.Env != "production" {
		p.ok("secrets", "there are none yet: the first start makes them, in %s.", p.SecretsFile())
	}
	if !hasModes {
		return
	}
	before := len(p.findings)
	for about, path := range map[string]string{
		"secrets.env": p.SecretsFile(), "JWT_PRIVATE_KEY_FILE": p.JWTPrivateKeyFile, "TLS_KEY_FILE": p.TLSKeyFile, ".env": ".env",
	} {
		info, err := statNamed(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			p.say(fault, about, "Let the user that runs the site read it.", "%s cannot be looked at: %s.", path, err)
		case info.Mode()&0o007 != 0:
			p.say(fault, about, "Run: chmod 600 "+path+", and replace what is in it (docs/tokens.md).", "every user of this machine can read or change %s (%s).", path, info.Mode())
		case info.Mode()&0o070 != 0 && about != "TLS_KEY_FILE":
			p.say(note, about, "Run: chmod 600 "+path, "the group can read or change %s (%s).", path, info.Mode())
		}
	}
	if len(p.findings) == before {
		p.ok("key files", "nobody else can read them.")
	}
}
