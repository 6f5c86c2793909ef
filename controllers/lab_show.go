package controllers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tokentube/models"
	"tokentube/utils/source"
)

// LabToken is a token taken apart.
type LabToken struct {
	Name      string     `json:"name"` // of its cookie
	Mark      string     `json:"mark"` // A2: made with the second refresh token of its session, R2
	Header    string     `json:"header"`
	Payload   string     `json:"payload"`
	Signature string     `json:"signature"`
	Head      string     `json:"head"` // the header, decoded
	Claims    []LabClaim `json:"claims"`
	ExpiresAt time.Time  `json:"expiresAt"`
	Left      int        `json:"left"` // seconds
}

// LabClaim is a claim, and what it is for.
type LabClaim struct {
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
	{"aud", "the audience: what it is for, which keeps the two kinds apart"},
	{"jti", "the token's own name"},
	{"iat", "issued at, in seconds since 1970"},
	{"exp", "expires at, in seconds since 1970"},
}

// tokens takes apart what the browser holds.
func (l *Lab) tokens(s *models.Session, held cookiePair) []LabToken {
	access, refresh := l.inside.Auth.Cookies.Names()
	var all []LabToken
	for _, t := range []struct{ name, raw string }{{access, held.access}, {refresh, held.refresh}} {
		if token, ok := l.takeApart(s, t.name, t.raw); ok {
			all = append(all, token)
		}
	}
	return all
}

func (l *Lab) takeApart(s *models.Session, name, raw string) (LabToken, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return LabToken{}, false
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return LabToken{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return LabToken{}, false
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal(payload, &claims) != nil {
		return LabToken{}, false
	}
	t := LabToken{Name: name, Mark: l.mark(s, raw), Header: parts[0], Payload: parts[1], Signature: parts[2], Head: indented(head)}
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
		t.Claims = append(t.Claims, LabClaim{m.name, strings.Trim(text, `"`), m.meaning})
	}
	return t, true
}

// mark is a short name of a token of the session: R3 is its third refresh token,
// A3 an access token made with it.
func (l *Lab) mark(s *models.Session, raw string) string {
	if claims, _ := l.inside.Auth.Tokens.Access.Verify(raw); claims != nil {
		return "A" + number(s, claims.RefreshID)
	}
	if claims, _ := l.inside.Auth.Tokens.Refresh.Verify(raw); claims != nil {
		return "R" + number(s, claims.ID)
	}
	return "?"
}

func number(s *models.Session, id string) string {
	newest := int(s.Renewals) + 1
	if id == s.Current.ID {
		return strconv.Itoa(newest)
	}
	for i, recent := range s.Recent {
		if recent.ID == id {
			return strconv.Itoa(newest - len(s.Recent) + i)
		}
	}
	return "?"
}

// LabSession is the session as the database has it.
type LabSession struct {
	ID       string     `json:"_id"`
	Timeline []LabEvent `json:"timeline"` // oldest first
	Over     bool       `json:"over"`
}

// LabEvent is something that happened to a session, or will.
type LabEvent struct {
	At   string `json:"at"` // the time of day
	Text string `json:"text"`
	Kind string `json:"kind"` // issued, used, replaced, ended, ahead
}

func hourOf(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// newLabSession tells a session's life from its document.
func newLabSession(s *models.Session) *LabSession {
	out := &LabSession{ID: s.ID.Hex(), Over: s.RevokedAt != nil}
	add := func(at time.Time, kind, text string, values ...any) {
		out.Timeline = append(out.Timeline, LabEvent{hourOf(at), fmt.Sprintf(text, values...), kind})
	}
	add(s.CreatedAt, "issued", "The session began, with the tokens A1 and R1.")
	newest := int(s.Renewals) + 1
	for i, recent := range s.Recent {
		n := newest - len(s.Recent) + i
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
	if s.RevokedAt == nil {
		add(s.ExpiresAt, "ahead", "The session will end by itself.")
		return out
	}
	why := map[models.RevocationReason]string{
		models.LoggedOut: "by logging out", models.TokenReused: "because a replaced refresh token came back",
		models.NewLogin: "for a new one", models.EndedByUser: "in the settings", models.PasswordChanged: "because the password was changed",
	}[s.RevokedFor]
	add(*s.RevokedAt, "ended", "The session was ended %s. Its tokens open nothing any more.", why)
	return out
}

// LabResult is what a button did.
type LabResult struct {
	Name     string         `json:"name"`
	Label    string         `json:"label"`
	Findings []LabFinding   `json:"findings"`
	Steps    []LabStep      `json:"steps"`
	Folded   bool           `json:"folded"` // many steps, shown one by one
	Session  *LabSession    `json:"session"`
	Code     []source.Piece `json:"code"`
}

// LabFinding is something that was to be shown, and whether it was.
type LabFinding struct {
	Text string `json:"text"`
	OK   bool   `json:"ok"`
}

// LabStep is a request and its answer; without a request, what the client did in
// between.
type LabStep struct {
	Title      string   `json:"title"`
	Request    []string `json:"request"`
	Status     int      `json:"status"`
	StatusText string   `json:"statusText"`
	Header     []string `json:"header"`
	Body       string   `json:"body"`
	Before     []string `json:"before"` // the cookies
	After      []string `json:"after"`
	Lost       bool     `json:"lost"` // the answer did not arrive
}

// result writes down the run, with tokens by their marks and their ends.
func (r *labRun) result(e experiment, s *models.Session) *LabResult {
	var pairs []string
	done := map[string]bool{"": true}
	for _, raw := range r.seen {
		if done[raw] {
			continue
		}
		done[raw] = true
		mark := r.lab.mark(s, raw)
		if name, ok := r.named[raw]; ok {
			mark = name
		}
		pairs = append(pairs, raw, mark+"…"+raw[max(0, len(raw)-6):])
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
	return &LabResult{
		Name: e.name, Label: e.label, Findings: r.found, Steps: r.steps, Folded: len(r.steps) > 6,
		Session: newLabSession(s), Code: r.lab.code[e.name],
	}
}
