package static_test

import (
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tokentube/static"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(static.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestContrast computes the contrast of colours that appear on each other, in both schemes: 4.5 for text, 3 for the
// edges of controls (WCAG 2.2 §1.4.3 and §1.4.11).
func TestContrast(t *testing.T) {
	text := "ink bg, ink surface, ink sunken, soft bg, soft surface, soft sunken, accent bg, accent surface, accent-strong bg, on-accent accent, on-accent accent-strong," +
		"on-tint accent-tint, heart surface, heart sunken, danger surface, danger bg, danger danger-tint, on-danger danger, on-gold-tint gold-tint, on-tint note-1, on-gold-tint note-2, " +
		"jwt-header bg, jwt-header surface, jwt-header sunken, jwt-header jwt-header-tint, jwt-payload bg, jwt-payload surface, jwt-payload sunken, jwt-payload jwt-payload-tint, " +
		"jwt-signature bg, jwt-signature surface, jwt-signature sunken, jwt-signature jwt-signature-tint, ink jwt-header-tint, ink jwt-payload-tint, ink jwt-signature-tint, ink note-1, ink note-2, ink note-3, bg ink"
	edges := "edge bg, edge surface, edge sunken, accent bg, accent surface, danger bg"
	colours := map[string][]string{}
	for _, m := range regexp.MustCompile(`--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)`).FindAllStringSubmatch(read(t, "css/base.css"), -1) {
		colours[m[1]] = m[2:]
	}
	for least, pairs := range map[float64]string{4.5: text, 3: edges} {
		for _, pair := range strings.Split(pairs, ",") {
			f := strings.Fields(pair)
			a, b := colours[f[0]], colours[f[1]]
			if a == nil || b == nil {
				t.Fatalf("no colour for %s", pair)
			}
			for scheme := range 2 {
				if got := contrast(t, a[scheme], b[scheme]); got < least {
					t.Errorf("%s on %s (%s on %s): %.2f, want %.1f", f[0], f[1], a[scheme], b[scheme], got, least)
				}
			}
		}
	}
}

// contrast is the WCAG 2.2 contrast ratio of two colours written as rrggbb.
func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	n, err := strconv.ParseUint(colour, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift int) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

// TestNothingFromElsewhere rejects what the Content-Security-Policy blocks.
func TestNothingFromElsewhere(t *testing.T) {
	err := fs.WalkDir(static.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text := strings.ReplaceAll(read(t, name), "http://www.w3.org/2000/svg", "")
		if found := regexp.MustCompile(`https?://|data:|\beval\(|\.style\b|setAttribute\("style`).FindString(text); found != "" {
			t.Errorf("%s contains %q", name, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
