package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tokentube/middlewares"
	"tokentube/models"
)

// Drawing is a run as a sequence diagram, made from what was really sent and from
// the session as it was before and after. The template lab-drawing makes the SVG.
type Drawing struct {
	Width, Height int
	Lanes         []Label
	Arrows        []Arrow
	Pills         []Label // tokens
	Labels        []Label
	Words         []string // the same, to be read
}

// Label is a text at a place, on a pill of a width if it is a token.
type Label struct {
	X, Y, Width int
	Text, Class string
}

// Top is the upper edge of its pill.
func (l Label) Top() int { return l.Y - 12 }

// Middle is the middle of its pill.
func (l Label) Middle() int { return l.X + l.Width/2 }

// Heads are the kinds of arrows, each of which has a head of its own colour.
func (d Drawing) Heads() []string { return []string{"sent", "back", "refused", "lost", "write"} }

// Arrow is a line with a head.
type Arrow struct {
	X1, Y1, X2, Y2 int
	Class          string
}

// trace is what the drawing needs to know of a step.
type trace struct {
	at            time.Duration // since the run began
	waited        time.Duration
	thief         bool // somebody with a copy sent it
	together      bool // with the steps around it, at the same moment
	sent, got     middlewares.Pair
	before, after *models.Session
}

// The places of the lanes, and the way from one step to the next.
const (
	width       = 360
	browserLane = 60
	thiefLane   = 124
	serverLane  = 216
	sessionLane = 322
	spread      = 13 // between requests that are sent together
)

// pen draws from top to bottom.
type pen struct {
	Drawing
	y, n  int
	name  func(raw string) string
	named func(jti string) string
}

// draw draws the steps of the run. Tokens have the names of the session as it is
// in the end.
func (r *run) draw(s *models.Session) Drawing {
	p := &pen{Drawing: Drawing{Width: width}, y: 34}
	p.name = func(raw string) string { return r.name(s, raw) }
	p.named = func(jti string) string { return "R" + number(s, jti) }
	for i := 0; i < len(r.steps); i++ {
		first := i
		for r.steps[first].together && i+1 < len(r.steps) && r.steps[i+1].together {
			i++
		}
		if steps := r.steps[first : i+1]; steps[0].waited > 0 {
			p.wait(steps[0])
		} else if steps[0].Request != nil {
			p.exchange(steps)
		}
	}
	p.Height = p.y
	p.Lanes = []Label{{X: browserLane, Text: "Browser"}, {X: serverLane, Text: "Server"}, {X: sessionLane, Text: "Session"}}
	if slices.ContainsFunc(r.steps, func(step Step) bool { return step.thief }) {
		p.Lanes = append(p.Lanes, Label{X: thiefLane, Text: "Thief", Class: "bad"})
	}
	return p.Drawing
}

// wait draws time that passes.
func (p *pen) wait(step Step) {
	text := fmt.Sprintf("%.1f seconds pass", step.waited.Seconds())
	p.Labels = append(p.Labels, Label{X: serverLane, Y: p.y + 16, Text: text, Class: "soft middle"})
	p.say("%s.", text)
	p.y += 28
}

func (p *pen) say(format string, values ...any) {
	p.Words = append(p.Words, fmt.Sprintf(format, values...))
}

// exchange draws requests that were sent together, mostly one, what became of the
// session, and the responses.
func (p *pen) exchange(steps []Step) {
	first, from, who := steps[0], browserLane, "the browser"
	if first.thief {
		from, who = thiefLane, "somebody with a copy"
	}
	number := fmt.Sprint(p.n + 1)
	if p.n += len(steps); len(steps) > 1 {
		number += "–" + fmt.Sprint(p.n)
	}
	at := fmt.Sprintf("%.1f s", first.at.Seconds())
	p.Labels = append(p.Labels, Label{X: 2, Y: p.y + 16, Text: number, Class: "strong"}, Label{X: 2, Y: p.y + 30, Text: at, Class: "soft"})
	sent := p.tokens(first.sent)
	p.line(from+8, p.y+16, append(sent, count(len(steps)))...)
	p.say("%s, at %s: %s sends %s%s.", number, at, who, list(sent), map[bool]string{true: fmt.Sprintf(", %d times at once", len(steps))}[len(steps) > 1])
	p.y += 22
	top := p.y
	for range steps {
		p.arrow(from, p.y, serverLane, p.y, "sent")
		p.y += spread
	}
	p.session(first.before, first.after, top, len(steps))
	for _, group := range alike(steps, p) {
		p.response(from, group)
	}
	p.y += 14
}

// session draws what the requests did to the session: of several that arrive
// together, all arrows lead to the one token that follows.
func (p *pen) session(before, after *models.Session, top, n int) {
	change, words := p.change(before, after)
	if change == nil {
		return
	}
	middle := top + (n-1)*spread/2
	for i := range n {
		p.arrow(serverLane, top+i*spread, sessionLane, middle, "write")
	}
	p.line(serverLane+34, middle-6-(n/2)*3, change...)
	p.say("%s", words)
}

// change says what differs in the session.
func (p *pen) change(before, after *models.Session) (parts []string, words string) {
	switch {
	case before.EndedAt == nil && after.EndedAt != nil:
		return []string{"!ended"}, "The session ends."
	case before.Current.ID != after.Current.ID:
		from, to := p.named(before.Current.ID), p.named(after.Current.ID)
		return []string{from, "→", to}, fmt.Sprintf("In the session, %s is replaced by %s, once.", from, to)
	case !before.Current.Seen && after.Current.Seen:
		now := p.named(after.Current.ID)
		return []string{now, "arrived"}, "The session notes that " + now + " has arrived."
	}
	return nil, ""
}

// answers are steps with the same response.
type answers struct {
	n      int
	status int
	tokens []string
	lost   bool
}

// alike puts responses together that do not differ.
func alike(steps []Step, p *pen) (groups []answers) {
	for _, step := range steps {
		one := answers{1, step.Status, p.tokens(step.got), step.Lost}
		if slices.ContainsFunc(one.tokens, func(name string) bool { return name[0] == 'A' }) && len(steps) > 1 {
			one.tokens = one.tokens[len(one.tokens)-1:] // each has an access token of its own
		}
		i := slices.IndexFunc(groups, func(g answers) bool {
			return g.status == one.status && g.lost == one.lost && slices.Equal(g.tokens, one.tokens)
		})
		if i < 0 {
			groups = append(groups, one)
			continue
		}
		groups[i].n++
	}
	return groups
}

// response draws the way back, which a lost response goes halfway.
func (p *pen) response(to int, a answers) {
	p.y += 16
	class, end := "back", to
	if a.status >= http.StatusBadRequest {
		class = "refused"
	}
	if a.lost {
		class, end = "lost", (to+serverLane)/2
	}
	status := fmt.Sprintf("%d", a.status)
	if class == "refused" {
		status = "!" + status
	}
	parts := append([]string{status}, a.tokens...)
	words := fmt.Sprintf("The response is %d %s", a.status, http.StatusText(a.status))
	if a.n > 1 {
		words = fmt.Sprintf("%d responses are %d %s", a.n, a.status, http.StatusText(a.status))
	}
	if len(a.tokens) > 0 {
		words += ", with " + list(a.tokens)
	}
	if a.lost {
		parts, words = append(parts, "!lost"), words+", and gets lost on its way"
	}
	p.line(to+8, p.y-4, append(parts, count(a.n))...)
	p.arrow(serverLane, p.y+4, end, p.y+4, class)
	p.say("%s.", words)
	p.y += 6
}

func (p *pen) arrow(x1, y1, x2, y2 int, class string) {
	p.Arrows = append(p.Arrows, Arrow{x1, y1, x2, y2, class})
}

// line writes tokens, each on its pill, and words between them; "!" is before bad news.
func (p *pen) line(x, y int, parts ...string) {
	for _, part := range parts {
		label := Label{X: x, Y: y, Text: strings.TrimPrefix(part, "!")}
		wide := 7*len([]rune(label.Text)) + 4
		switch {
		case part == "":
			continue
		case part == changed:
			label.Class, label.Width = "changed", wide+6
		case part[0] == 'A':
			label.Class, label.Width = "access", wide+6
		case part[0] == 'R':
			label.Class, label.Width = "refresh", wide+6
		case part[0] == '!':
			label.Class = "bad"
		}
		if label.Width > 0 {
			p.Pills, wide = append(p.Pills, label), label.Width+4
		} else {
			p.Labels = append(p.Labels, label)
		}
		x += wide
	}
}

// tokens are the names of a pair's tokens.
func (p *pen) tokens(pair middlewares.Pair) (names []string) {
	for _, raw := range []string{pair.Access, pair.Refresh} {
		if raw != "" {
			names = append(names, p.name(raw))
		}
	}
	return names
}

func count(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf("× %d", n)
}

func list(names []string) string {
	if len(names) == 0 {
		return "no token"
	}
	return strings.Join(names, " and ")
}
