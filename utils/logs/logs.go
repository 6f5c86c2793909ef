// Package logs writes the site's log: without anything that gives access to an account or reveals where somebody is,
// and without being flooded by a storm of requests.
//
// Does not belong here: what is worth logging (its callers), and where the log is stored.
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

// New makes a log in text or JSON, from the given level up. It hides what must not be in a log, and summarizes floods.
func New(out io.Writer, format, level string) *slog.Logger {
	var least slog.Level
	_ = least.UnmarshalText([]byte(level)) // already validated
	options := &slog.HandlerOptions{Level: least, ReplaceAttr: hide}
	if format == "json" {
		return slog.New(Calm(slog.NewJSONHandler(out, options)))
	}
	return slog.New(Calm(slog.NewTextHandler(out, options)))
}

// hide redacts secrets in texts that we did not write ourselves: a library's error may quote its input.
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
	what, sign string // a text without sign contains no such secret
	pattern    *regexp.Regexp
}{
	{"(token)", "ey", regexp.MustCompile(`\bey[\w-]{8,}(\.[\w-]*){1,2}`)},                                  // a JWT, complete or truncated
	{"(address)", "@", regexp.MustCompile(`[^\s@"'<>(),:;=\\]+@[^\s@"'<>(),:;=\\]+\.[^\s@"'<>(),:;=\\]+`)}, // of a mailbox
	{"${1}(secret)", "=", regexp.MustCompile(`(?i)\b((?:token|password|secret|key)=)[^&\s"']+`)},
}

// Hide redacts tokens, secrets and email addresses.
func Hide(text string) string {
	for _, s := range secrets {
		if strings.Contains(text, s.sign) {
			text = s.pattern.ReplaceAllString(text, s.what)
		}
	}
	return text
}

// methods are the ones that the site handles. A client can invent others, of any length.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// Method is the method of a request, if it is one that the site handles.
func Method(r *http.Request) string {
	if slices.Contains(methods, r.Method) {
		return r.Method
	}
	return "other"
}

// Route is a route's pattern, as Gin reports it. The path is left out: it may contain anything, even text pasted by
// mistake.
func Route(pattern string) string { return cmp.Or(pattern, "none") }

// IP is the network of an address, for the log: enough to tell who floods the site, but not who lives where.
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

// addresses match potential IP addresses, with or without a port.
var addresses = regexp.MustCompile(`\[[^\]\s]+\](?::\d+)?|[0-9a-fA-F]*[.:][0-9a-fA-F.:]+(?:%\w+)?`)

// WithoutIPs is a handler for the log of the standard library's server, whose lines name the client.
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
