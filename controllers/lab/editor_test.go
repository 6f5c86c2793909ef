package lab_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"tokentube/config"
	"tokentube/controllers/lab"
	"tokentube/e2e/testsite"
	"tokentube/utils/source"
)

const editor = page + "/editor"

// edit sends a draft and returns what the editor shows.
func edit(t *testing.T, c *testsite.Client, draft url.Values) lab.EditorPage {
	t.Helper()
	c.Header.Set("Accept", "application/json")
	defer c.Header.Del("Accept")
	return editorPage(t, c.PostForm(editor, draft).Status(http.StatusOK))
}

func editorPage(t *testing.T, a *testsite.Answer) lab.EditorPage {
	t.Helper()
	var body struct{ Data lab.EditorPage }
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}
	return body.Data
}

// begun starts a session, and returns the valid token that the editor starts with.
func begun(t *testing.T, c *testsite.Client) url.Values {
	t.Helper()
	c.PostForm(editor, url.Values{"preset": {""}}).Status(http.StatusSeeOther)
	valid := editorPage(t, c.JSON("GET", editor, nil).Status(http.StatusOK))
	if !valid.Alive || !valid.Fits || valid.Sent != nil {
		t.Fatalf("the editor begins with %+v", valid)
	}
	return url.Values{"header": {valid.Header}, "payload": {valid.Payload}, "signature": {valid.Signature}}
}

// people are a user and a visitor.
func people(site *testsite.Site) map[string]*testsite.Client {
	return map[string]*testsite.Client{"user": site.User("alice"), "visitor": site.Client()}
}

// Each preset is refused by the line that its name promises; an unmodified token is accepted.
func TestEditorPresets(t *testing.T) {
	for who, c := range people(testsite.New(t)) {
		valid := begun(t, c)
		for _, test := range []struct {
			preset, code, line, rule string
			fits                     bool
		}{
			{"user-id", "token.Kind.verify", "ParseWithClaims(raw, claims, k.keyFor)", "RFC 8725 §3.3", false},
			{"no-exp", "token.Kind.checkOwn", "c.ExpiresAt == nil", "RFC 7519 §4.1.4", true},
			{"alg-none", "token.newKind", "WithValidMethods", "RFC 8725 §3.1", false},
			{"refresh", "token.Kind.keyFor", `t.Header["typ"] != k.typ`, "RFC 8725 §3.11", true},
			{"hs256", "token.newKind", "WithValidMethods", "RFC 8725 §3.1", false},
			{"kid", "token.keys.choose", `t.Header["kid"] != key.id`, "RFC 8725 §3.10", true},
		} {
			got := edit(t, c, url.Values{"preset": {test.preset}})
			decided := got.Sent.Decision
			lines := decided.Shown.Lines()
			if got.Sent.Status != http.StatusUnauthorized || !strings.Contains(got.Sent.Challenge, `error="invalid_token"`) || got.Fits != test.fits {
				t.Errorf("%s, %s: %d %s, fits %t", who, test.preset, got.Sent.Status, got.Sent.Challenge, got.Fits)
			}
			if decided.Code != test.code || !strings.Contains(decided.Mark, test.line) && !strings.Contains(test.line, decided.Mark) || decided.Rule != test.rule || len(lines) < 2 {
				t.Errorf("%s, %s: decided by %s, %s (%s)", who, test.preset, decided.Code, decided.Mark, decided.Rule)
			}
			shown := c.Get(editor + "?preset=" + test.preset).Status(http.StatusOK)
			shown.Has(`value="` + test.preset + `" formnovalidate aria-current="true"`).HasNot(`id="sent"`)
		}
		if got := edit(t, c, valid); got.Sent.Status != http.StatusOK || got.Sent.Decision.Error != "accepted" || !got.Fits {
			t.Errorf("%s, untouched: %+v", who, got)
		}
	}
}

// with is a draft with a change, signed as requested.
func with(valid url.Values, field, old, new, sign string) url.Values {
	draft := maps.Clone(valid)
	draft[field] = []string{strings.Replace(valid.Get(field), old, new, 1)}
	draft["sign"] = []string{sign}
	return draft
}

// Other drafts: each is decided by a line that the page can show, and only a valid token is accepted.
func TestEditorDecides(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	valid := begun(t, c)
	var claims struct {
		UserID string `json:"_id"`
		Exp    int64  `json:"exp"`
		Iat    int64  `json:"iat"`
		Aud    string `json:"aud"`
		Iss    string `json:"iss"`
		Jti    string `json:"jti"`
	}
	if err := json.Unmarshal([]byte(valid.Get("payload")), &claims); err != nil {
		t.Fatal(err)
	}
	number := func(n int64) string { b, _ := json.Marshal(n); return string(b) }
	for name, test := range map[string]struct {
		draft url.Values
		error string
	}{
		"spaces":             {with(valid, "payload", "{", "{ \r\n\t", "keep"), "accepted"},
		"signed again":       {with(valid, "payload", claims.Jti, "mine", "key"), "accepted"},
		"another user":       {with(valid, "payload", `"`+claims.UserID+`"`, `"0123456789abcdef01234567"`, "key"), "token has invalid claims"},
		"a user throughout":  {url.Values{"header": {valid.Get("header")}, "payload": {strings.ReplaceAll(valid.Get("payload"), claims.UserID, "0123456789abcdef01234567")}, "sign": {"key"}}, "of another user"},
		"expired":            {with(valid, "payload", number(claims.Exp), number(claims.Iat-1), "key"), "token has expired"},
		"from the future":    {with(valid, "payload", number(claims.Iat), number(claims.Iat+300), "key"), "token was issued in the future"},
		"no sense":           {with(with(valid, "payload", number(claims.Exp), "1", ""), "payload", number(claims.Iat), number(claims.Iat+300), "key"), "token used before issued"},
		"another audience":   {with(valid, "payload", claims.Aud, "tokentube", "key"), "invalid audience"},
		"another issuer":     {with(valid, "payload", claims.Iss, "https://elsewhere.example", "key"), "invalid issuer"},
		"not yet":            {with(valid, "payload", "{", `{"nbf":`+number(claims.Iat+3000)+`,`, "key"), "token is not valid yet"},
		"crit":               {with(valid, "header", "{", `{"crit":["b64"],`, "key"), "crit is not understood"},
		"an unknown alg":     {with(valid, "header", "EdDSA", "XX1", "key"), "signing method"},
		"no alg":             {with(valid, "header", `"alg"`, `"gla"`, "key"), "signing method"},
		"no header":          {with(valid, "header", "{", "", "key"), "token is malformed"},
		"an exp in words":    {with(valid, "payload", number(claims.Exp), `"never"`, "key"), "token is malformed"},
		"a list of claims":   {url.Values{"header": {valid.Get("header")}, "payload": {"[]"}, "sign": {"key"}}, "token is malformed"},
		"nothing":            {url.Values{"header": {""}, "payload": {""}}, "token is malformed"},
		"no signature":       {with(valid, "header", "", "", "none"), "signature is invalid"},
		"half a signature":   {with(valid, "signature", valid.Get("signature")[40:], "", "keep"), "signature is invalid"},
		"dots":               {with(valid, "signature", valid.Get("signature"), "a.b.c", "keep"), "token is malformed"},
		"other letters":      {with(valid, "signature", valid.Get("signature"), "ä\r\nX-Admin: 1", "keep"), "token is malformed"},
		"two sids, own last": {with(valid, "payload", "{", `{"sid":"0123456789abcdef01234567",`, "key"), "accepted"},
		"no sid":             {with(valid, "payload", `"sid"`, `"dis"`, "key"), "token has invalid claims"},
	} {
		got := edit(t, c, test.draft)
		if got.Sent.Decision.Error != test.error || (got.Sent.Status == http.StatusOK) != (test.error == "accepted") || got.Sent.Status >= 500 {
			t.Errorf("%s: %d by %q, want %q", name, got.Sent.Status, got.Sent.Decision.Error, test.error)
		}
	}
	if s := labSession(t, site, c); s == nil {
		t.Error("the session is over")
	}
}

// The lab's key only signs for the visitor's own session, however the payload is written: nobody gets into another's.
func TestEditorSignsForOwnSessionOnly(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.Client(), site.Client()
	mine, his := begun(t, alice), begun(t, bob)
	sid := func(draft url.Values) string {
		return claim(t, "."+base64.RawURLEncoding.EncodeToString([]byte(draft.Get("payload")))+".", "sid")
	}
	for name, draft := range map[string]url.Values{
		"his token":    with(his, "header", "", "", "key"),
		"his session":  with(mine, "payload", sid(mine), sid(his), "key"),
		"two sids":     with(mine, "payload", `"sid": "`+sid(mine)+`"`, `"sid": "`+sid(mine)+`","sid": "`+sid(his)+`"`, "key"),
		"another case": with(mine, "payload", `"sid": "`+sid(mine)+`"`, `"sid": "`+sid(mine)+`","SID": "`+sid(his)+`"`, "key"),
		"upper case":   with(mine, "payload", sid(mine), strings.ToUpper(sid(his)), "key"),
	} {
		refused := alice.PostForm(editor, draft).Status(http.StatusUnprocessableEntity)
		refused.Has("signs for your own session only", `id="payload-error"`).HasNot(`id="sent"`)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	for field, n := range map[string]int{"header": 1001, "payload": 4001, "signature": 1001} {
		draft := maps.Clone(mine)
		draft[field] = []string{strings.Repeat("A", n)}
		alice.PostForm(editor, draft).Status(http.StatusUnprocessableEntity).Has(`id="` + field + `-error"`)
	}
	alice.PostForm(editor, url.Values{"payload": {strings.Repeat("A", 30<<10)}}).Status(http.StatusRequestEntityTooLarge)
}

// The editor's tokens give no access to the site or to the rest of the lab, and their tokens give none here. The editor
// stores nothing of a visitor's, and its key is used nowhere else.
func TestEditorsTokensOpenNothingElse(t *testing.T) {
	site := testsite.New(t)
	before := kept(t, site)
	visitor := site.Client()
	begun(t, visitor)
	for _, name := range []string{"user-id", "refresh", "kid"} {
		edit(t, visitor, url.Values{"preset": {name}})
	}
	if after := kept(t, site); !maps.Equal(before, after) {
		t.Error("a visitor left something behind")
	}
	for who, c := range people(site) {
		valid := begun(t, c)
		raw := strings.Join(partsOf(edit(t, c, valid)), ".")
		target := map[string]string{"user": page + "/target", "visitor": page + "/visitor"}[who]
		for path, status := range map[string]int{whoAmI: 401, "/settings/profile": 401, target: 401, target + "/editor": 200} {
			outside := site.Client()
			outside.Header.Set("Authorization", "Bearer "+raw)
			if got := outside.JSON("GET", path, nil); got.Code != status {
				t.Errorf("%s: %s with a token of the editor: %d", who, path, got.Code)
			}
		}
		outside := site.Client()
		outside.Header.Set("Authorization", "Bearer "+c.Cookies["LabAccessToken"])
		outside.JSON("GET", target+"/editor", nil).Status(http.StatusUnauthorized)
		outside.Get("/.well-known/jwks.json").HasNot(edit(t, c, valid).PublicKey)
	}
	// The audience of the site doesn't help: the key is not one of the site's.
	alice := site.SignIn("alice")
	valid := begun(t, alice)
	raw := strings.Join(partsOf(edit(t, alice, with(valid, "payload", "tokentube-lab-editor", "tokentube", "key"))), ".")
	if claims, err := site.Auth.Tokens.Access.Verify(raw); err == nil {
		t.Errorf("the site believes the editor: %+v", claims)
	}
}

func partsOf(p lab.EditorPage) []string { return p.Sent.Parts[:] }

// Without a session, or after its end, a new one is started, and the requested preset still applies.
func TestEditorStartsASession(t *testing.T) {
	site := testsite.New(t)
	c := site.Client()
	c.Get(editor+"?preset=kid").Status(http.StatusOK).Has(`name="preset" value="kid"`, "Start a session")
	c.Get(editor).Status(http.StatusOK).HasNot("data-editor=")
	if to := c.PostForm(editor, url.Values{"preset": {"kid"}}).Status(http.StatusSeeOther).Header.Get("Location"); to != editor+"?preset=kid" {
		t.Errorf("leads to %s", to)
	}
	c.Get(editor+"?preset=kid").Status(http.StatusOK).Has("../../etc/passwd", "data-editor=")
	site.Clock.Advance(11 * time.Minute)
	if to := c.PostForm(editor, url.Values{"preset": {"x&y#z"}}).Status(http.StatusSeeOther).Header.Get("Location"); to != editor+"?preset=x%26y%23z" {
		t.Errorf("leads to %s", to)
	}
}

func TestEditorIsLimited(t *testing.T) {
	c := testsite.New(t, func(c *config.Config) { c.RateLimit = true }).Client()
	refused := 0
	for range 302 {
		if c.PostForm(editor, url.Values{"payload": {strings.Repeat("A", 30<<10)}}).Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d of 302 were refused", refused)
	}
	c.Get(editor).Status(http.StatusOK)
}

// Each line that may decide occurs in the code exactly once.
func TestDecidingLines(t *testing.T) {
	code := testsite.Code(t)
	decisions := lab.Decisions(t)
	for _, d := range decisions {
		piece, err := code.Find(d.Code)
		if err != nil {
			t.Error(err)
		}
		if n := len(piece.Excerpt(d.Mark)); n != 1 {
			t.Errorf("%d lines of %s contain %q: correct decisions.json", n, d.Code, d.Mark)
		}
	}
	empty, err := source.New(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	site := testsite.New(t)
	l, err := lab.New(site.App, code, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.NewEditor(l, empty); err == nil || !strings.Contains(err.Error(), "token.Kind.verify") {
		t.Errorf("error %v", err)
	}
}

// The decoder has no form, so that nothing in it can be sent, and says so without scripts.
func TestDecoder(t *testing.T) {
	body := testsite.New(t).Client().Get(page+"/decoder").Status(http.StatusOK).Has("Nothing is sent", "needs JavaScript, because it never sends", "<dt>exp</dt>").Body
	_, main, _ := strings.Cut(body, "<main")
	main, _, _ = strings.Cut(main, "</main>")
	if strings.Contains(main, "<form") || strings.Contains(main, "name=") {
		t.Error("the decoder could send something")
	}
}
