package models

import (
	"strings"
	"testing"

	"tokentube/utils/apperr"
)

// Names, titles and posts must contain something visible. Invisible characters may accompany it.
func TestTextOfNothingVisibleIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"zero-width spaces":    "\u200b\u200c\u200d\u2060\ufeff",
		"soft hyphens":         "\u00ad\u00ad",
		"Hangul fillers":       "\u3164\u115f\u1160\uffa0",
		"blank braille":        "\u2800\u2800",
		"variation selectors":  "\ufe0f\U000e0100",
		"tags":                 "\U000e0061\U000e007f",
		"combining marks":      "\u0301\u0302\u034f",
		"spaces among others":  "\u200b \u00a0\u2003\u3000 \u200b",
		"turning marks":        "\u202e\u2066\u2069\u200f",
		"a null notehead":      "\U0001d159",
		"Mongolian separators": "\u180e\u180b",
	} {
		wantCode(t, (&User{Username: "alice", Email: "a@example.com", FullName: text}).Check(), apperr.Invalid, "fullName")
		wantCode(t, (&Post{Kind: Photo, Title: text}).Check(), apperr.Invalid, "title")
		err := (&Post{Kind: Text, Description: text}).Check()
		wantCode(t, err, apperr.Invalid, "content")
		if message := apperr.From(err).Fields[0].Message; !strings.Contains(message, "visible") {
			t.Errorf("%s: %s", name, message)
		}
	}
	for _, text := range []string{
		"a", "7", "!", "\u2764\ufe0f", "\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3",
		"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u65e5\u672c", "e\u0301", "\u202ba\u202c", "\u2014",
		"\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
	} {
		fatal(t, (&Post{Kind: Text, Description: text}).Check())
		fatal(t, (&User{Username: "alice", Email: "a@example.com", FullName: text}).Check())
	}
	fatal(t, (&Post{Kind: Photo, Title: "a", Description: "", Alt: ""}).Check()) // optional fields may be empty
	wantCode(t, (&User{Username: "alice", Email: "a@example.com", FullName: "a\x00"}).Check(), apperr.Invalid, "fullName")
}
