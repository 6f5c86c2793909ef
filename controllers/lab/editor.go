package lab

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/controllers"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
	"tokentube/utils/source"
	"tokentube/utils/token"
)

// Editor lets visitors write a token themselves and see how the site judges it. Its tokens have their own key and
// audience: nothing else accepts them, not even the rest of the lab.
type Editor struct {
	lab       *Lab
	private   ed25519.PrivateKey
	public    token.JWK // the public half of the key
	tokens    *token.Tokens
	decisions []Decision // in the order in which a token is checked
}

// Decision is a line of code that may reject a token, identified by the error it leads to.
type Decision struct {
	Error string `json:"error"`
	Code  string `json:"code"`
	Mark  string `json:"mark"`
	Words string `json:"words"`
	Rule  string `json:"rule"` // and its source
	Shown Shown  `json:"shown"`
}

//go:embed decisions.json
var decisionTable []byte

// NewEditor makes the editor of a lab. It fails if code that the editor shows no longer exists.
func NewEditor(l *Lab, code *source.Code) (*Editor, error) {
	e := &Editor{lab: l}
	if err := json.Unmarshal(decisionTable, &e.decisions); err != nil {
		return nil, err
	}
	for i := range e.decisions {
		d := &e.decisions[i]
		piece, err := code.Find(d.Code)
		if err != nil {
			return nil, err
		}
		d.Shown = Shown{piece, []string{d.Mark}}
	}
	// Derived from the secret, so that all processes have the same key; nobody can compute the secret from it.
	seed, err := hkdf.Key(sha256.New, []byte(l.Config.RefreshTokenSecret), nil, "tokentube: key of the token editor", ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	e.private = ed25519.NewKeyFromSeed(seed)
	if e.tokens, err = l.Auth.Tokens.ForEditor(e.private, maxAge); err != nil {
		return nil, err
	}
	e.public = e.tokens.Access.PublicKeys()[0]
	return e, nil
}

// Routes registers the pages, and the endpoint that the editor's tokens are sent to.
func (e *Editor) Routes(site middlewares.Access) {
	site.Public.Page(http.MethodGet, path+"/editor", e.lab.open(e.Show))
	site.Public.Limit(e.lab.limits.Labs).NoRenew().Page(http.MethodPost, path+"/editor", e.lab.open(e.Send))
	site.Public.Page(http.MethodGet, path+"/decoder", e.Decoder)
	for _, l := range []*Lab{e.lab, e.lab.visitors} {
		if l != nil {
			app, auth := *l.App, *l.Auth
			auth.Tokens, app.Auth = e.tokens, &auth
			site.For(&auth).Private.NoRenew().Page(http.MethodGet, l.target+"/editor", asJSON(controllers.UserActions{App: &app}.Current))
		}
	}
}

// Draft is a token as written: JSON with any white space, and how to sign it.
type Draft struct {
	Header    string `form:"header" json:"header"`
	Payload   string `form:"payload" json:"payload"`
	Signature string `form:"signature" json:"signature"`
	Sign      string `form:"sign" json:"sign"`     // key: with the editor's key; public: with its public half, as HS256; none: without a signature; otherwise the signature is kept
	Preset    string `form:"preset" json:"preset"` // if set, replaces the draft
}

// EditorPage is what the editor page shows.
type EditorPage struct {
	Draft
	Alive     bool   `json:"alive"`     // there is a session to write tokens for
	PublicKey string `json:"publicKey"` // base64url
	Fits      bool   `json:"fits"`      // the signature is valid for that key
	Sent      *Sent  `json:"sent"`
}

// Sent is a token that was sent, and the response.
type Sent struct {
	Parts      [3]string `json:"parts"`
	Status     int       `json:"status"`
	StatusText string    `json:"statusText"`
	Challenge  string    `json:"challenge"`
	Body       string    `json:"body"`
	Decision   Decision  `json:"decision"`
}

// Show is GET /token-lab/editor: a valid token to start with, or the one that ?preset= makes of it. It sends nothing
// yet.
func (e *Editor) Show(l *Lab, c *gin.Context) error {
	s, _ := l.held(c)
	page := EditorPage{Draft: Draft{Preset: c.Query("preset")}, Alive: l.alive(s)}
	if !page.Alive {
		return respond.Show(c, "lab/editor", page)
	}
	var err error
	if page.Draft, err = e.write(l, c, s, page.Preset); err != nil {
		return err
	}
	page.PublicKey = e.public.X
	_, page.Fits = e.assemble(&page.Draft)
	return respond.Show(c, "lab/editor", page)
}

// Send is POST /token-lab/editor: sends the draft or a preset, and responds with the page and the site's verdict.
func (e *Editor) Send(l *Lab, c *gin.Context) error {
	var draft Draft
	if err := input.Read(c.Request, &draft, nil); err != nil {
		return err
	}
	s, _ := l.held(c)
	if !l.alive(s) {
		if _, _, err := l.begin(c); err != nil {
			return err
		}
		return respond.Redirect(c, path+"/editor?preset="+url.QueryEscape(draft.Preset))
	}
	if draft.Preset != "" {
		var err error
		if draft, err = e.write(l, c, s, draft.Preset); err != nil {
			return err
		}
	}
	page := EditorPage{Draft: draft, Alive: true, PublicKey: e.public.X}
	err := check(draft, s)
	if err != nil {
		return respond.Invalid(c, "lab/editor", page, err)
	}
	var raw string
	raw, page.Fits = e.assemble(&page.Draft)
	if page.Sent, err = e.send(l, c, raw); err != nil {
		return err
	}
	l.watchers.tell(c, s.ID, news{})
	return respond.Show(c, "lab/editor", page)
}

// check validates a draft. Anything signed with the key must name the visitor's own session: otherwise, visitors could
// sign tokens for other people's sessions.
func check(d Draft, s *models.Session) error {
	for name, field := range map[string]string{"header": d.Header, "payload": d.Payload, "signature": d.Signature} {
		if most := map[string]int{"header": 1000, "payload": 4000, "signature": 1000}[name]; len(field) > most {
			return apperr.InvalidField(name, "Write at most %d characters.", most)
		}
	}
	var claims token.Claims // parsed as the site parses them
	if err := json.Unmarshal([]byte(d.Payload), &claims); err == nil && d.Sign == "key" && claims.SessionID != "" && claims.SessionID != s.ID.Hex() {
		return apperr.InvalidField("payload", "The lab’s key signs for your own session only: sid must stay %s, or be empty or missing.", s.ID.Hex())
	}
	return nil
}

var expClaim = regexp.MustCompile(`,"exp":\d+`)

// write makes the draft of a preset, which is a change that attackers try, or else the draft of a valid token.
func (e *Editor) write(l *Lab, c *gin.Context, s *models.Session, preset string) (Draft, error) {
	user, err := l.Users.ByID(c, s.User)
	if err != nil {
		return Draft{}, err
	}
	raw, err := user.GenerateAccessToken(e.tokens, s, l.Now())
	if preset == "refresh" {
		raw, err = user.GenerateRefreshToken(e.tokens, s)
	}
	if err != nil {
		return Draft{}, err
	}
	parts := strings.Split(raw, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0]) // can't fail: we made them
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	d := Draft{Header: string(header), Payload: string(payload), Signature: parts[2], Preset: preset}
	switch preset {
	case "user-id":
		d.Payload = strings.ReplaceAll(d.Payload, user.ID.Hex(), "0123456789abcdef01234567")
	case "no-exp":
		d.Payload, d.Sign = expClaim.ReplaceAllString(d.Payload, ""), "key"
	case "alg-none":
		d.Header, d.Sign = strings.Replace(d.Header, "EdDSA", "none", 1), "none"
	case "hs256":
		d.Header, d.Sign = strings.Replace(d.Header, "EdDSA", "HS256", 1), "public"
	case "kid":
		d.Header, d.Sign = strings.Replace(d.Header, e.public.ID, "../../etc/passwd", 1), "key"
	}
	d.Header, d.Payload = indented(d.Header), indented(d.Payload)
	return d, nil
}

// assemble makes the token, and reports whether its signature fits the editor's key. White space is left out.
func (e *Editor) assemble(d *Draft) (raw string, fits bool) {
	signed := encode(d.Header) + "." + encode(d.Payload)
	public, _ := e.private.Public().(ed25519.PublicKey)
	switch d.Sign {
	case "key":
		d.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(e.private, []byte(signed)))
	case "public":
		mac := hmac.New(sha256.New, public)
		mac.Write([]byte(signed))
		d.Signature = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	case "none":
		d.Signature = ""
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(d.Signature)
	return signed + "." + d.Signature, err == nil && ed25519.Verify(public, []byte(signed), signature)
}

func encode(text string) string {
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(text)) == nil {
		text = compact.String()
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// send presents the token to the site in the Authorization header, and finds the line that decided.
func (e *Editor) send(l *Lab, c *gin.Context, raw string) (*Sent, error) {
	req, err := http.NewRequestWithContext(c.Request.Context(), http.MethodGet, l.Config.BaseURL+l.target+"/editor", nil)
	if err != nil {
		return nil, err
	}
	req.RemoteAddr = net.JoinHostPort(middlewares.ClientIP(c), "0")
	req.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {c.Request.UserAgent()}, "Authorization": {"Bearer " + raw}}
	a := &answer{header: http.Header{}}
	l.site.ServeHTTP(a, req)
	why := "of another user"
	if _, fault := e.tokens.Access.Verify(strings.TrimSpace(raw)); fault != nil {
		why = fault.Error()
	} else if a.status == http.StatusOK {
		why = "accepted"
	}
	sent := &Sent{Parts: [3]string(strings.SplitN(raw, ".", 3)), Status: a.status, StatusText: http.StatusText(a.status), Challenge: a.header.Get("WWW-Authenticate"), Body: indented(a.body.String())}
	for _, d := range e.decisions {
		if strings.Contains(why, d.Error) {
			sent.Decision = d
			break
		}
	}
	return sent, nil
}

// Decoder is GET /token-lab/decoder: decodes any token, only in the browser.
func (e *Editor) Decoder(c *gin.Context) error {
	var claims []Claim
	for _, m := range meanings {
		claims = append(claims, Claim{Name: m.name, Meaning: m.meaning})
	}
	return respond.Show(c, "lab/decoder", map[string]any{"claims": claims})
}
