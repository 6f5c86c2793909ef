package isolate_test

import (
	"strings"
	"testing"

	"tokentube/e2e/testsite"
	"tokentube/utils/isolate"
)

func TestText(t *testing.T) {
	const fsi, pdi, pdf, rlo, rli, lri, rle = "\u2068", "\u2069", "\u202c", "\u202e", "\u2067", "\u2066", "\u202b"
	for in, want := range map[string]string{
		"":                                       "",
		"plain <b> text\n2":                      "plain <b> text\n2",
		"Grüße, 日本語, 👩‍👩‍👧":                      "Grüße, 日本語, 👩‍👩‍👧", // joiners don't affect the direction
		"é\u0301x":                               "é\u0301x",
		"שלום":                                   fsi + "שלום" + pdi,
		"سلام 123":                               fsi + "سلام 123" + pdi,
		rlo + "gpj.exe":                          fsi + rlo + "gpj.exe" + pdf + pdi,
		rli + "x":                                fsi + rli + "x" + pdi + pdi,
		rli + rle + "x":                          fsi + rli + rle + "x" + pdf + pdi + pdi,
		pdi + pdi + pdf + "x":                    fsi + "x" + pdi, // it can't end what it didn't open
		rli + "x" + pdf + pdi:                    fsi + rli + "x" + pdi + pdi,
		rli + rlo + "x" + pdi + "y":              fsi + rli + rlo + "x" + pdi + "y" + pdi, // an isolate ends what is open in it
		lri + "x" + pdi:                          fsi + lri + "x" + pdi + pdi,
		rlo + "a\nb":                             fsi + rlo + "a" + pdf + pdi + "\nb", // the end of a line ends everything
		"a\u2029" + rlo + "b":                    "a\u2029" + fsi + rlo + "b" + pdf + pdi,
		"a\r\nש":                                 "a\r\n" + fsi + "ש" + pdi,
		"z" + strings.Repeat("\u0301", 40) + "y": "z" + strings.Repeat("\u0301", 6) + "y",
		"z" + strings.Repeat("\u20dd", 7) + "\n" + strings.Repeat("\u0301", 7): "z" + strings.Repeat("\u20dd", 6) + "\n" + strings.Repeat("\u0301", 6),
		"שׁ\u05bc\u05b8\u0591": fsi + "שׁ\u05bc\u05b8\u0591" + pdi, // all Hebrew points on one letter
		"\xff" + rlo:           fsi + "\ufffd" + rlo + pdf + pdi,
	} {
		got := isolate.Text(in)
		if got != want {
			t.Errorf("%+q becomes %+q, want %+q", in, got, want)
		}
		if again := isolate.Text(got); strings.Count(again, rlo) != strings.Count(got, rlo) || strings.Count(again, pdi) < strings.Count(got, pdi) {
			t.Errorf("%+q, done twice, becomes %+q", in, again)
		}
	}
}

// Whatever the text, everything in it is closed when its line ends, and nothing outside of it.
func FuzzText(f *testing.F) {
	for _, s := range []string{"\u202e\u2067\u2069\u2069\u202c", "a\u2029\u202b\nb", "\u05d0\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301", "\u2068\u202a\u2069\u202c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := isolate.Text(s)
		if fault := testsite.Disturbs(shown); fault != "" {
			t.Errorf("%+q becomes %+q: %s", s, shown, fault)
		}
	})
}
