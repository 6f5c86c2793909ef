// Package logs writes the site's log: with nothing in it that opens an account or says where somebody is, and without the
// flood that a storm of requests would be.
//
// Does not belong here: what is worth a line (its callers), where lines are kept.
package logs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// New makes a log in text or JSON, from a level on. It hides what must not be in a log, and sums up storms.
func New(out io.Writer, format, level string) *slog.Logger {
	var least slog.Level
	_ = least.UnmarshalText([]byte(level)) // was checked
	options := &slog.HandlerOptions{Level: least, ReplaceAttr: hide}
	if format == "json" {
		return slog.New(Calm(slog.NewJSONHandler(out, options)))
	}
	return slog.New(Calm(slog.NewTextHandler(out, options)))
}

// hide replaces what slipped into a text that we did not write ourselves: an error of a library quotes what it was given.
func hide(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Hide(v.String()))
	case slog.KindAny:
		switch text := v.Any().(type) {
		case error:
			a.Value = slog.StringValue(Hide(text.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(Hide(text.String()))
		}
	}
	return a
}

var secrets = []struct {
	what, sign string // a text without the sign has none
	pattern    *regexp.Regexp
}{
	{"(token)", "ey", regexp.MustCompile(`\bey[\w-]{8,}(\.[\w-]*){1,2}`)},                                  // a JWT, whole or cut off
	{"(address)", "@", regexp.MustCompile(`[^\s@"'<>(),:;=\\]+@[^\s@"'<>(),:;=\\]+\.[^\s@"'<>(),:;=\\]+`)}, // of a mailbox
	{"${1}(secret)", "=", regexp.MustCompile(`(?i)\b((?:token|password|secret|key)=)[^&\s"']+`)},
}

// Hide is a text without tokens, secrets and people's email addresses.
func Hide(text string) string {
	for _, s := range secrets {
		if strings.Contains(text, s.sign) {
			text = s.pattern.ReplaceAllString(text, s.what)
		}
	}
	return text
}

// methods are those that something answers to. A client can invent others, of any length.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// Method is the method of a request, if it is one that something answers to.
func Method(r *http.Request) string {
	if slices.Contains(methods, r.Method) {
		return r.Method
	}
	return "other"
}

// Route is a route's pattern, as Gin knows it. The path stays out: it may be anything, also what was pasted by mistake.
func Route(pattern string) string { return cmp.Or(pattern, "none") }

// IP is the network of an address, as the log has it: it tells apart who storms the site, and not who lives where.
func IP(text string) string {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	network, _ := ip.Prefix(bits) // both fit
	return network.String()
}

// addresses are what may be one, with or without a port.
var addresses = regexp.MustCompile(`\[[^\]\s]+\](?::\d+)?|[0-9a-fA-F]*[.:][0-9a-fA-F.:]+(?:%\w+)?`)

// WithoutIPs is a handler for the lines of the standard library's server, which name who is at fault.
func WithoutIPs(h slog.Handler) slog.Handler { return withoutIPs{h} }

type withoutIPs struct{ slog.Handler }

func (h withoutIPs) Handle(ctx context.Context, r slog.Record) error {
	short := slog.NewRecord(r.Time, r.Level, addresses.ReplaceAllStringFunc(r.Message, shorten), r.PC)
	r.Attrs(func(a slog.Attr) bool { short.AddAttrs(a); return true })
	return h.Handler.Handle(ctx, short)
}

func shorten(text string) string {
	if at, err := netip.ParseAddrPort(strings.TrimRight(text, ".:")); err == nil {
		return IP(at.Addr().String()) + text[len(strings.TrimRight(text, ".:")):]
	}
	bare := strings.Trim(text, "[].:")
	if network := IP(bare); network != "" {
		return strings.Replace(text, bare, network, 1)
	}
	return text
}
