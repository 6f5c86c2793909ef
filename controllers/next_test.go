package controllers

import (
	"net/url"
	"strings"
	"testing"
)

// Whatever next contains, nobody is redirected to another site.
func FuzzSafeNext(f *testing.F) {
	for _, next := range []string{
		"/", "/@alice?kind=photo", "//evil.example", `/\evil.example`, "https://evil.example", "javascript:alert(1)", "/%2fevil.example",
		"/\t/evil.example", "\n//evil.example", "///evil.example", "/..//evil.example", "/ /evil.example", "https:/evil.example", "/a\x00b", "",
	} {
		f.Add(next)
	}
	login, _ := url.Parse("https://localhost/login")
	f.Fuzz(func(t *testing.T, next string) {
		safe := safeNext(next)
		to, err := login.Parse(safe)
		if err != nil || to.Scheme != "https" || to.Host != "localhost" {
			t.Errorf("%q leads to %v, %v", next, to, err)
		}
		// Browsers drop tabs and line breaks, and treat a backslash as a slash.
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(safe)
		if !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
			t.Errorf("%q leads to %q", next, read)
		}
	})
}
