package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// reader parses variables and collects their faults.
type reader struct {
	env    map[string]string
	faults []error
	still  bool // see Look
}

func (r *reader) fault(name, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s %s", name, fmt.Sprintf(format, args...)))
}

func (r *reader) text(name, fallback string) string {
	if value := strings.TrimSpace(r.env[name]); value != "" {
		return value
	}
	return fallback
}

func (r *reader) number(name string, fallback, low, high int) int {
	text := r.text(name, strconv.Itoa(fallback))
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		r.fault(name, "must be a whole number from %d to %d, not %q", low, high, text)
	}
	return n
}

func (r *reader) flag(name string, fallback bool) bool {
	switch text := strings.ToLower(r.text(name, strconv.FormatBool(fallback))); text {
	case "true", "on", "yes", "1":
		return true
	case "false", "off", "no", "0":
		return false
	default:
		r.fault(name, "must be true or false (or on, off, yes, no, 1, 0), not %q", text)
		return fallback
	}
}

// secure is a flag with a third value, auto, which means that each request decides.
func (r *reader) secure(name string) string {
	const auto = "auto"
	if text := strings.ToLower(r.text(name, auto)); text == auto {
		return auto
	}
	before := len(r.faults)
	value := strconv.FormatBool(r.flag(name, true))
	if len(r.faults) > before {
		r.faults[before] = fmt.Errorf("%s must be auto, true or false (or on, off, yes, no, 1, 0), not %q", name, r.text(name, auto))
	}
	return value
}

// oneOf returns the first value by default.
func (r *reader) oneOf(name string, values ...string) string {
	text := r.text(name, values[0])
	for _, value := range values {
		if text == value {
			return text
		}
	}
	r.fault(name, "must be one of %s, not %q", strings.TrimPrefix(strings.Join(values, ", "), ", "), text)
	return text
}

func (r *reader) duration(name, fallback string) time.Duration {
	text := r.text(name, fallback)
	d, err := ParseDuration(text)
	if err != nil {
		r.fault(name, "%s", err)
	}
	return d
}

func (r *reader) origin(name, fallback string) string {
	text := strings.TrimSuffix(r.text(name, fallback), "/")
	if !isOrigin(text) {
		r.fault(name, "must be an origin such as https://example.com, not %q", text)
	}
	return text
}

func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Scheme+"://"+u.Host == text
}

// smtp is the address of a mail server. Its error doesn't quote it, because it may contain a password.
func (r *reader) smtp(name string) *url.URL {
	text := r.text(name, "")
	if text == "" {
		return nil
	}
	u, err := SMTPAddress(text)
	if err != nil {
		r.fault(name, "%s", err)
	}
	return u
}

func (r *reader) mailbox(name, fallback string) string {
	text := r.text(name, fallback)
	if _, err := mail.ParseAddress(text); err != nil {
		r.fault(name, "must be a mail address such as Tokentube <no-reply@example.com>, not %q", text)
	}
	return text
}

// address is where to listen: a host, which may be empty for all interfaces, and a port.
func (r *reader) address(name string) string {
	text := r.text(name, "")
	if text == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(text)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		r.fault(name, "must be an address and a port such as 127.0.0.1:9464, not %q", text)
	}
	return text
}

func (r *reader) origins(name string) []string {
	list := r.list(name)
	for _, text := range list {
		if !isOrigin(text) {
			r.fault(name, "must list origins such as https://example.com, not %q", text)
		}
	}
	return list
}

func (r *reader) proxies(name string) []string {
	list := r.list(name)
	for _, text := range list {
		_, errPrefix := netip.ParsePrefix(text)
		_, errAddr := netip.ParseAddr(text)
		if errPrefix != nil && errAddr != nil {
			r.fault(name, "must list addresses or networks such as 10.0.0.0/8, not %q", text)
		}
	}
	return list
}

func (r *reader) list(name string) []string {
	var list []string
	for part := range strings.SplitSeq(r.env[name], ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
