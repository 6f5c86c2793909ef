package e2e_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// editorPresets are the buttons of the token editor, and the line that decides about each.
var editorPresets = []struct{ label, line, words string }{
	{"Change the user id", "k.parser.ParseWithClaims", "The signature doesn’t fit"},
	{"Remove exp", "case c.ExpiresAt == nil, c.IssuedAt == nil:", "it would be valid forever"},
	{"alg: none", "jwt.WithValidMethods", "an algorithm that no key of this site is for"},
	{"Refresh token as access token", `t.Header["typ"] != k.typ`, "isn’t that of an access token"},
	{"HS256 with the public key", "jwt.WithValidMethods", "an algorithm that no key of this site is for"},
	{"kid: ../../etc/passwd", `t.Header["kid"] != key.id`, "It isn’t a path"},
}

// TestTokenEditor presses every preset, and writes tokens, with scripts and without.
func TestTokenEditor(t *testing.T) {
	s := open(t)
	for _, kind := range []struct {
		name    string
		scripts bool
		p       *tab
	}{{"scripts", true, s.Browser()}, {"no scripts", false, s.Browser().withoutScripts()}} {
		t.Run(kind.name, func(t *testing.T) {
			p := kind.p
			p.Go("/token-lab")
			p.Follow("Type a token yourself")
			p.Press("Start a session")
			p.Sees("The signature fits")
			for _, preset := range editorPresets {
				p.Press(preset.label)
				p.Sees("401 Unauthorized", preset.words, preset.line)
			}
			p.Follow("Start over")
			p.Sees("The signature fits")
			p.SeesNot("401 Unauthorized")
			whole := p.Value("Payload")
			p.Fill("Payload", strings.Replace(whole, `"roles": []`, `"roles": ["admin"]`, 1))
			if kind.scripts {
				p.Sees("The signature is broken")
				p.Fill("Payload", strings.ReplaceAll(whole, "\n", "\n  "))
				p.Sees("The signature fits")
				p.Fill("Payload", strings.Replace(whole, `"roles": []`, `"roles": ["admin"]`, 1))
				p.Sees("The signature is broken")
			}
			p.Press("Send it")
			p.Sees("401 Unauthorized", "The signature doesn’t fit", "The signature is broken")
			p.Choose("sign with the lab’s key (EdDSA)")
			p.Press("Send it")
			p.Sees("200 OK", "The request is let in.", "The signature fits")
			p.Fill("Payload", strings.Repeat("A", 3900))
			p.Press("Send it")
			p.Sees("401 Unauthorized", "It isn’t a token")
		})
	}
}

// TestDecoder decodes tokens. The page makes no request for it, and stores nothing.
func TestDecoder(t *testing.T) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	now := time.Now().Unix()
	p := open(t).Browser()
	p.Go("/token-lab/decoder")
	p.enhanced(`document.getElementById("token")`, "input")
	before := p.sent()
	if len(before) < 5 {
		t.Fatalf("the requests are not seen: %v", before)
	}
	stored := `JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])`
	kept := evaluate[string](p, stored)
	for _, test := range []struct {
		token string
		sees  []string
	}{
		{part(`{"alg":"EdDSA","typ":"at+jwt"}`) + "." + part(fmt.Sprintf(`{"iss":"me","aud":"you","username":"josé","iat":%d,"exp":%d}`, now-120, now+659)) + ".c2ln",
			[]string{"Nothing about it looks odd", `"josé"`, "in 10 minutes", "2 minutes ago", "expires at"}},
		{"Bearer " + part(`{"alg":"none","kid":"../../etc/passwd","jku":"https://elsewhere.example"}`) + "." + part(fmt.Sprintf(`{"exp":%d,"password":"x"}`, now+40*86400)) + ".",
			[]string{"alg is none", "looks like a path", "brings its own key (jku)", "It lives long: 39 days", "It says password", "There is no aud", "There is no iss", "No explicit type"}},
		{part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(`{"sub":"1"}`) + ".c2ln", []string{"There is no exp: it never expires."}},
		{part(`{"alg":"HS256"}`) + "." + part(fmt.Sprintf(`{"exp":%d,"iat":%d000}`, now-7200, now)) + ".c2ln", []string{"It has expired, 2 hours ago.", "It was issued in the future."}},
		{part(`{"alg":"HS256"}`) + "." + part(fmt.Sprintf(`{"exp":%d000}`, now)) + ".c2ln", []string{"exp seems to be in milliseconds"}},
		{"a.b.c", []string{"The header isn’t a JSON object", "The payload isn’t a JSON object"}},
		{"a.b.c.d.e", []string{"it is encrypted"}},
		{"no token", []string{"This has 1."}},
		{part(`{"alg":"HS256","typ":"x"}`) + "." + part(`{"a":"<img src=x onerror=fetch('/stolen')>","exp":"soon"}`) + ".c2ln", []string{"<img src=x", "exp isn’t a number"}},
	} {
		p.Fill("Token", test.token)
		p.Sees(test.sees...)
	}
	p.Fill("Token", "")
	p.until("an empty page", `document.querySelector("[data-decoded]").children.length === 0`)
	if after := p.sent(); len(after) != len(before) {
		t.Errorf("requests: %v", after[len(before):])
	}
	if after := evaluate[string](p, stored); after != kept {
		t.Errorf("kept %s, before %s", after, kept)
	}
	p.Reload()
	p.enhanced(`document.getElementById("token")`, "input")
	if left := p.Value("Token"); left != "" {
		t.Errorf("after a reload: %q", left)
	}

	plain := p.site.Browser().withoutScripts()
	plain.Go("/token-lab/decoder")
	plain.Sees("The decoder needs JavaScript, because it never sends what you paste")
	if evaluate[bool](plain, `document.getElementById("token").checkVisibility()`) {
		t.Error("without scripts there is a field that does nothing")
	}
}

// TestLearnRemembers: with scripts, visited lessons are marked and the language is remembered; without, all the content
// is there.
func TestLearnRemembers(t *testing.T) {
	s := open(t)
	p := s.Browser()
	p.Go("/learn/rotation")
	p.Sees("Lesson 7 of 14", "1 visited", "Copy", "next, err := m.replaceCurrent(ctx, s, d)")
	express := `document.querySelector(".in-express").checkVisibility()`
	p.Choose("Express")
	p.until("the code in Express", express)
	p.Go("/learn/theft")
	p.until("the code in Express", express)
	p.Sees("2 visited")
	p.Choose("Go")
	p.Press("Show the whole function models.Session.accepts")
	p.Sees("return false")
	p.Press("Copy models.Session.accepts")
	p.Press("An old refresh token comes back an hour after its successor was first used. Who sent it, the thief or the owner?")
	p.Sees("The server can’t know.")
	p.Go("/learn")
	p.Sees("You have visited 2 of 14")
	if n := evaluate[int](p, `document.querySelectorAll("a.visited").length`); n != 2 {
		t.Errorf("%d are marked", n)
	}

	plain := s.Browser().withoutScripts()
	plain.Go("/learn/theft")
	plain.Choose("Express")
	plain.until("the code in Express", express)
	plain.Press("Lesson 8 of 14")
	plain.Follow("Rotation")
	plain.At("/learn/rotation")
	plain.Follow("The refresh")
	plain.At("/learn/refresh")
}

// inspectEditor inspects the token editor and the decoder in all their states.
func (p *tab) inspectEditor(axe string) {
	p.t.Helper()
	p.look(1280, "light")
	p.Go("/token-lab/editor")
	if evaluate[bool](p, `!document.querySelector("[data-editor]")`) { // an experiment has ended the session
		p.inspect("/token-lab/editor (no session)", axe)
		p.look(1280, "light")
		p.Press("Start a session")
		p.Sees("The signature fits")
	}
	p.inspect("/token-lab/editor", axe)
	for _, preset := range editorPresets[:2] {
		p.look(1280, "light")
		p.Press(preset.label)
		p.Sees("401 Unauthorized", preset.words)
		p.do("open all parts", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("main details").forEach((part) => { part.open = true; })`))
		p.inspect("/token-lab/editor: "+preset.label, axe)
	}
	p.look(1280, "light")
	p.Go("/token-lab/decoder")
	p.enhanced(`document.getElementById("token")`, "input")
	p.inspect("/token-lab/decoder", axe)
	p.look(1280, "light")
	p.Fill("Token", "eyJhbGciOiJub25lIn0.eyJ1c2VybmFtZSI6ImFsaWNlIn0.")
	p.Sees("alg is none")
	p.inspect("/token-lab/decoder: alg none", axe)
}
