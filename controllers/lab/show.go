package lab

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/source"
)

// Token is a token taken apart.
type Token struct {
	Name      string    `json:"name"` // of its cookie
	Mark      string    `json:"mark"` // A2: made with the second refresh token of its session, R2
	Header    string    `json:"header"`
	Payload   string    `json:"payload"`
	Signature string    `json:"signature"`
	Head      string    `json:"head"` // the header, decoded
	Claims    []Claim   `json:"claims"`
	ExpiresAt time.Time `json:"expiresAt"`
	Left      int       `json:"left"` // seconds
}

// Claim is a claim, and what it is for.
type Claim struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Meaning string `json:"meaning"`
}

// meanings explains the claims, in the order in which they are shown.
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

// tokens are those that the browser holds, taken apart.
func (l *Lab) tokens(s *models.Session, held middlewares.Pair) []Token {
	var all []Token
	for _, k := range l.cookies(held) {
		if t, err := l.token(s, k); err == nil {
			all = append(all, t)
		}
	}
	return all
}

func (l *Lab) token(s *models.Session, k cookie) (Token, error) {
	parts, claims, err := takeApart(k.value)
	if err != nil {
		return Token{}, err
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return Token{}, err
	}
	t := Token{Name: k.name, Mark: l.mark(s, k.value), Header: parts[0], Payload: parts[1], Signature: parts[2], Head: indented(head)}
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
				t.ExpiresAt, t.Left = at, max(0, int(at.Sub(l.Now()).Seconds()))
			}
		}
		t.Claims = append(t.Claims, Claim{m.name, strings.Trim(text, `"`), m.meaning})
	}
	return t, nil
}

// takeApart returns a token's three parts and the claims of its payload, whatever
// they are worth.
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

// mark is a short name of a token of the session: R3 is its third refresh token,
// A3 an access token made with it.
func (l *Lab) mark(s *models.Session, raw string) string {
	if claims, _ := l.Auth.Tokens.Access.Verify(raw); claims != nil {
		return "A" + number(s, claims.RefreshID)
	}
	if claims, _ := l.Auth.Tokens.Refresh.Verify(raw); claims != nil {
		return "R" + number(s, claims.ID)
	}
	return "?"
}

// number counts the session's refresh tokens from its first one.
func number(s *models.Session, id string) string {
	if id == s.Current.ID {
		return strconv.Itoa(oldest(s) + len(s.Recent))
	}
	for i, recent := range s.Recent {
		if recent.ID == id {
			return strconv.Itoa(oldest(s) + i)
		}
	}
	return "?"
}

// oldest is the number of the first refresh token that the session remembers.
func oldest(s *models.Session) int { return int(s.Renewals) + 1 - len(s.Recent) }

// Session is the session as the database has it.
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
}

func hourOf(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// newSession tells a session's life from its document.
func newSession(s *models.Session) *Session {
	out := &Session{ID: s.ID.Hex(), Over: s.EndedAt != nil}
	add := func(at time.Time, kind, text string, values ...any) {
		out.Timeline = append(out.Timeline, Event{hourOf(at), fmt.Sprintf(text, values...), kind})
	}
	add(s.CreatedAt, "issued", "The session began, with the tokens A1 and R1.")
	newest := oldest(s) + len(s.Recent)
	for i, recent := range s.Recent {
		n := oldest(s) + i
		if recent.Until == nil {
			add(s.LastSeenAt, "replaced", "R%d was replaced by R%d, which has not been seen in use yet: R%d still gets the same answer.", n, n+1, n)
			continue
		}
		add(*recent.Until, "replaced", "R%d, replaced by R%d, is answered until this time. After it, its return is theft.", n, n+1)
	}
	seen := "The newest tokens, A%d and R%d, have not come back yet."
	if s.Current.Seen {
		seen = "The newest tokens, A%d and R%d, are in use."
	}
	add(s.Current.IssuedAt, "used", seen, newest, newest)
	if s.EndedAt == nil {
		add(s.ExpiresAt, "ahead", "The session will end by itself.")
		return out
	}
	why := map[models.EndReason]string{
		models.LoggedOut: "by logging out", models.TokenReused: "because a replaced refresh token came back",
		models.NewLogin: "for a new one", models.EndedByUser: "in the settings", models.PasswordChanged: "because the password was changed",
		models.TooMany: "because there were too many", models.Restored: "because the site was restored from a backup",
	}[s.EndedFor]
	add(*s.EndedAt, "ended", "The session was ended %s. Its tokens open nothing any more.", why)
	return out
}

// Result is what a button did.
type Result struct {
	Name     string         `json:"name"`
	Label    string         `json:"label"`
	Findings []Finding      `json:"findings"`
	Steps    []Step         `json:"steps"`
	Folded   bool           `json:"folded"` // many steps, shown one by one
	Session  *Session       `json:"session"`
	Drawing  Drawing        `json:"drawing"`
	Code     []source.Piece `json:"code"`
}

// Finding is something that was to be shown, and whether it was.
type Finding struct {
	Text string `json:"text"`
	OK   bool   `json:"ok"`
}

// Step is a request and its answer; without a request, what the client did in
// between.
type Step struct {
	Title      string   `json:"title"`
	Request    []string `json:"request"`
	Status     int      `json:"status"`
	StatusText string   `json:"statusText"`
	Header     []string `json:"header"`
	Body       string   `json:"body"`
	Before     []string `json:"before"` // the cookies
	After      []string `json:"after"`
	Lost       bool     `json:"lost"` // the answer did not arrive
	trace
}

// changed is the name of a token that was tampered with.
const changed = "changed"

// name is the mark of a token of the run.
func (r *run) name(s *models.Session, raw string) string {
	if raw == r.changed {
		return changed
	}
	return r.lab.mark(s, raw)
}

// result writes down the run, with tokens by their marks and their ends.
func (r *run) result(e experiment, s *models.Session) *Result {
	var pairs []string
	done := map[string]bool{"": true}
	for _, raw := range r.seen {
		if done[raw] {
			continue
		}
		done[raw] = true
		pairs = append(pairs, raw, r.name(s, raw)+"…"+raw[max(0, len(raw)-6):])
	}
	brief := strings.NewReplacer(pairs...)
	for i := range r.steps {
		step := &r.steps[i]
		for _, lines := range [][]string{step.Request, step.Header, step.Before, step.After} {
			for j := range lines {
				lines[j] = brief.Replace(lines[j])
			}
		}
		step.Body = brief.Replace(step.Body)
	}
	return &Result{
		Name: e.Name, Label: e.Label, Findings: r.found, Steps: r.steps, Folded: len(r.steps) > 6,
		Session: newSession(s), Drawing: r.draw(s), Code: r.lab.code[e.Name],
	}
}
