package lab

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tokentube/middlewares"
	"tokentube/models"
)

// Token is a decoded token.
type Token struct {
	Name      string    `json:"name"` // of its cookie
	Mark      string    `json:"mark"` // A2: issued with its session's second refresh token, R2
	Header    string    `json:"header"`
	Payload   string    `json:"payload"`
	Signature string    `json:"signature"`
	Head      string    `json:"head"` // the header, decoded
	Claims    []Claim   `json:"claims"`
	ExpiresAt time.Time `json:"expiresAt"`
	Left      int       `json:"left"` // seconds
}

// Claim is a claim and its purpose.
type Claim struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Meaning string `json:"meaning"`
}

// meanings explains the claims, in display order.
var meanings = []struct{ name, meaning string }{
	{"_id", "the user"},
	{"email", "the user's address"},
	{"username", "the user's name on the site"},
	{"fullName", "the user's name in full"},
	{"roles", "what else the user may do; none in the lab"},
	{"sid", "the session: one login on one device"},
	{"rti", "the refresh token that this was made with"},
	{"sub", "the subject: the user again, as RFC 7519 calls it"},
	{"iss", "the issuer: who made it"},
	{"aud", "the audience: what it is for, which keeps the two kinds apart, and the lab's from the site's"},
	{"jti", "the token's own name"},
	{"iat", "issued at, in seconds since 1970"},
	{"exp", "expires at, in seconds since 1970"},
}

// tokens are the browser's tokens, decoded.
func (o *ours) tokens(held middlewares.Pair) []Token {
	var all []Token
	access, refresh := o.cookies()
	for _, k := range [][2]string{{access, held.Access}, {refresh, held.Refresh}} {
		if t, err := o.token(k[0], k[1]); err == nil {
			all = append(all, t)
		}
	}
	return all
}

func (o *ours) token(cookie, raw string) (Token, error) {
	parts, claims, err := takeApart(raw)
	if err != nil {
		return Token{}, err
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return Token{}, err
	}
	t := Token{Name: cookie, Mark: o.name(raw), Header: parts[0], Payload: parts[1], Signature: parts[2], Head: Step{Body: string(head)}.Indented()}
	for _, m := range meanings {
		value, ok := claims[m.name]
		if !ok {
			continue
		}
		text := string(value)
		if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
			at := time.Unix(seconds, 0)
			text += " (" + hourOf(at) + ")"
			if m.name == "exp" {
				t.ExpiresAt, t.Left = at, max(0, int(at.Sub(o.Now()).Seconds()))
			}
		}
		t.Claims = append(t.Claims, Claim{m.name, strings.Trim(text, `"`), m.meaning})
	}
	return t, nil
}

// takeApart returns a token's three parts and the claims of its payload, without verifying them.
func takeApart(raw string) (parts []string, claims map[string]json.RawMessage, err error) {
	parts = strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, nil, fmt.Errorf("a token has %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, nil, err
	}
	err = json.Unmarshal(payload, &claims)
	return parts, claims, err
}

// Session is the session as stored in the database.
type Session struct {
	ID       string  `json:"_id"`
	Timeline []Event `json:"timeline"` // oldest first
	Over     bool    `json:"over"`
}

// Event is something that happened to a session, or will.
type Event struct {
	At   string `json:"at"` // the time of day
	Text string `json:"text"`
	Kind string `json:"kind"` // issued, used, replaced, ended, ahead

	time time.Time
}

func hourOf(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// newSession reconstructs a session's history from its document, in chronological order.
func (l *Lab) newSession(s *models.Session) *Session {
	out := &Session{ID: s.ID.Hex(), Over: s.EndedAt != nil}
	add := func(at time.Time, kind, text string, values ...any) {
		e := Event{hourOf(at), fmt.Sprintf(text, values...), kind, at}
		if at.After(l.Now()) {
			e.At, e.Kind = e.At+", still ahead", "ahead"
		}
		out.Timeline = append(out.Timeline, e)
	}
	add(s.CreatedAt, "issued", "The session began, with the tokens A1 and R1.")
	newest := oldest(s) + len(s.Recent)
	for i, recent := range s.Recent {
		n := oldest(s) + i
		if recent.Until == nil {
			add(s.LastSeenAt, "replaced", "R%d was replaced by R%d, which has not been seen in use yet: R%d still gets the same response.", n, n+1, n)
			continue
		}
		ends := map[bool]string{true: "ends", false: "ended"}[recent.Until.After(l.Now())]
		add(*recent.Until, "replaced", "The grace of R%d, which R%d replaced, %s. Reuse after that counts as theft.", n, n+1, ends)
	}
	seen := "The newest tokens, A%d and R%d, were issued. They have not come back yet."
	if s.Current.Seen {
		seen = "The newest tokens, A%d and R%d, were issued. They are in use."
	}
	if newest > 1 || s.Current.Seen {
		add(s.Current.IssuedAt, "used", seen, newest, newest)
	}
	if s.EndedAt == nil {
		add(s.ExpiresAt, "ended", "The session ends by itself.")
	} else {
		add(*s.EndedAt, "ended", "The session was ended %s. Its tokens open nothing any more.", endings[s.EndedFor])
	}
	slices.SortStableFunc(out.Timeline, func(a, b Event) int { return a.time.Truncate(time.Second).Compare(b.time.Truncate(time.Second)) })
	if out.Over { // what was still ahead when it ended won't happen
		out.Timeline = slices.DeleteFunc(out.Timeline, func(e Event) bool { return e.time.After(*s.EndedAt) })
	}
	return out
}

var endings = map[models.EndReason]string{
	models.LoggedOut: "by logging out", models.TokenReused: "because a replaced refresh token came back",
	models.NewLogin: "for a new one", models.EndedByUser: "in the settings", models.PasswordChanged: "because the password was changed",
	models.TooMany: "because there were too many", models.Restored: "because the site was restored from a backup",
}

// Result is what a button did, on this site and in the model of the usual way.
type Result struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Ours  Column `json:"ours"`
	Usual Column `json:"usual"`
}

// Held reports whether everything turned out as expected.
func (r Result) Held() bool {
	all := append(slices.Clone(r.Ours.Findings), r.Usual.Findings...)
	return !slices.ContainsFunc(all, func(f Finding) bool { return !f.OK })
}

// Column is the run on one of the two servers.
type Column struct {
	Findings []Finding `json:"findings"`
	Steps    []Step    `json:"steps"`
	Session  *Session  `json:"session"` // nil in the model, which has none
	Drawing  Drawing   `json:"drawing"`
	Code     []Shown   `json:"code"`
}

// Finding is an expectation, and whether it was met.
type Finding struct {
	Text string `json:"text"`
	OK   bool   `json:"ok"`
}

// Step is a request and its response, or something that happened in between, without a request.
type Step struct {
	Title      string   `json:"title"`
	Count      int      `json:"count"` // how many requests got the same response
	Request    []string `json:"request"`
	Status     int      `json:"status"`
	StatusText string   `json:"statusText"`
	Header     []string `json:"header"`
	Body       string   `json:"body"`
	Cookies    []Change `json:"cookies"` // the sender's
	Lost       bool     `json:"lost"`    // the response didn't arrive
	trace
}

// Change is a cookie before and after a response.
type Change struct {
	Cookie string `json:"cookie"`
	Kind   string `json:"kind"` // access, refresh
	Before string `json:"before"`
	After  string `json:"after"`
}

// Changed reports whether the response changed it.
func (c Change) Changed() bool { return c.Before != c.After }

// Indented is the body, pretty-printed if it is JSON.
func (s Step) Indented() string { return indented(s.Body) }

func indented(body string) string {
	var text bytes.Buffer
	if json.Indent(&text, []byte(body), "", "  ") != nil {
		return body
	}
	return text.String()
}

// changed is the name of a token that was tampered with.
const changed = "changed"

func (r *run) named(raw string) string {
	if raw == r.changed {
		return changed
	}
	return r.name(raw)
}

// column summarizes the run, with tokens shortened to their names and last characters.
func (r *run) column(id string) Column {
	var pairs []string
	done := map[string]bool{"": true}
	for _, raw := range r.tokens {
		if !done[raw] {
			done[raw] = true
			pairs = append(pairs, raw, r.named(raw)+"…"+raw[max(0, len(raw)-6):])
		}
	}
	brief := strings.NewReplacer(pairs...)
	for i := range r.steps {
		step := &r.steps[i]
		for _, lines := range [][]string{step.Request, step.Header} {
			for j := range lines {
				lines[j] = brief.Replace(lines[j])
			}
		}
		for j, change := range step.Cookies {
			step.Cookies[j].Before, step.Cookies[j].After = brief.Replace(change.Before), brief.Replace(change.After)
		}
		step.Body = brief.Replace(step.Body)
	}
	return Column{Findings: r.found, Steps: r.steps, Drawing: r.draw(id)}
}
