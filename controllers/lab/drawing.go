package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tokentube/middlewares"
)

// Drawing is a run as a sequence diagram, made from what was actually sent, and from what the server remembered before
// and after. The template lab-drawing renders the SVG.
type Drawing struct {
	ID            string // unique on its page
	Width, Height int
	Lanes         []Label
	Arrows        []Arrow
	Pills         []Label // tokens
	Labels        []Label
	Words         []string // the same as text, for screen readers
}

// Label is a text at a position. A token sits on a pill, which is Width wide.
type Label struct {
	X, Y, Width int
	Text, Class string
}

// Top is the upper edge of the pill.
func (l Label) Top() int { return l.Y - 12 }

// Middle is the horizontal centre of the pill.
func (l Label) Middle() int { return l.X + l.Width/2 }

// Heads are the kinds of arrows. Each has an arrowhead in its own colour.
func (d Drawing) Heads() []string { return []string{"sent", "back", "refused", "lost", "write"} }

// Arrow is a line with a head.
type Arrow struct {
	X1, Y1, X2, Y2 int
	Class          string
}

// trace is what the drawing needs to know about a step.
type trace struct {
	at              time.Duration // since the run began
	waited          time.Duration
	thief           bool // sent by somebody with a copy of the token
	together        bool // sent at the same moment as the step before
	sent, got, held middlewares.Pair
	before, after   state
}

// The positions of the lanes, and the distances between steps.
const (
	width       = 360
	browserLane = 60
	thiefLane   = 124
	serverLane  = 216
	memoryLane  = 322
	spread      = 13 // between requests that are sent together
)

// pen draws from top to bottom.
type pen struct {
	Drawing
	y, n   int
	name   func(raw string) string
	memory string // what the server remembers the login in
}

// draw draws the steps of the run.
func (r *run) draw(id string) Drawing {
	p := &pen{Drawing: Drawing{ID: id, Width: width}, y: 34, name: r.named, memory: map[bool]string{true: "session", false: "user"}[r.isOurs]}
	for first, next := 0, 0; first < len(r.steps); first = next {
		for next = first + 1; next < len(r.steps) && r.steps[next].together; {
			next++
		}
		if step := r.steps[first]; step.waited > 0 {
			p.wait(step)
		} else if step.Request != nil {
			p.exchange(r.steps[first:next])
		}
	}
	p.Height = p.y
	p.Lanes = []Label{{X: browserLane, Text: "Browser"}, {X: serverLane, Text: "Server"}, {X: memoryLane, Text: strings.ToUpper(p.memory[:1]) + p.memory[1:]}}
	if slices.ContainsFunc(r.steps, func(step Step) bool { return step.thief }) {
		p.Lanes = append(p.Lanes, Label{X: thiefLane, Text: "Thief", Class: "bad"})
	}
	return p.Drawing
}

// wait draws time passing.
func (p *pen) wait(step Step) {
	text := fmt.Sprintf("%.1f seconds pass", step.waited.Seconds())
	p.Labels = append(p.Labels, Label{X: serverLane, Y: p.y + 16, Text: text, Class: "soft middle"})
	p.say("%s.", text)
	p.y += 28
}

func (p *pen) say(format string, values ...any) {
	p.Words = append(p.Words, fmt.Sprintf(format, values...))
}

// exchange draws a request, or several sent together, the server's memory after it, and the responses. A step holds
// those with the same response.
func (p *pen) exchange(steps []Step) {
	first, from, who, n, served := steps[0], browserLane, "the browser", 0, 0
	if first.thief {
		from, who = thiefLane, "somebody with a copy"
	}
	for _, step := range steps {
		n += step.Count
		if step.Status < http.StatusBadRequest {
			served += step.Count
		}
	}
	number := fmt.Sprint(p.n + 1)
	if p.n += n; n > 1 {
		number += "–" + fmt.Sprint(p.n)
	}
	at := fmt.Sprintf("%.1f s", first.at.Seconds())
	p.Labels = append(p.Labels, Label{X: 2, Y: p.y + 16, Text: number, Class: "strong"}, Label{X: 2, Y: p.y + 30, Text: at, Class: "soft"})
	sent := p.tokens(first.sent)
	p.line(from+8, p.y+16, append(sent, count(n))...)
	p.say("%s, at %s: %s sends %s%s.", number, at, who, list(sent), map[bool]string{true: fmt.Sprintf(", %d times at once", n)}[n > 1])
	p.y += 22
	top := p.y
	for range n {
		p.arrow(from, p.y, serverLane, p.y, "sent")
		p.y += spread
	}
	p.change(first.before, first.after, top, max(1, served))
	for _, step := range steps {
		p.response(from, step)
	}
	p.y += 14
}

// change draws what changed in the server's memory. If several requests arrive together, all arrows lead to the single
// token that follows.
func (p *pen) change(before, after state, top, n int) {
	var parts []string
	switch {
	case !before.over && after.over && p.memory == "session":
		parts = []string{"!ended"}
		p.say("The session ends.")
	case !before.over && after.over:
		parts = []string{"!blank"}
		p.say("The refresh token in the user's record is blanked.")
	case before.newest != after.newest:
		parts = []string{before.newest, "→", after.newest}
		p.say("In the %s, %s is replaced by %s.", p.memory, before.newest, after.newest)
	case !before.seen && after.seen:
		parts = []string{after.newest, "arrived"}
		p.say("The session notes that %s has arrived.", after.newest)
	default:
		return
	}
	middle := top + (n-1)*spread/2
	for i := range n {
		p.arrow(serverLane, top+i*spread, memoryLane, middle, "write")
	}
	p.line(serverLane+34, top-6, parts...)
}

// response draws the arrow back; that of a lost response ends halfway.
func (p *pen) response(to int, step Step) {
	p.y += 16
	class, end, status := "back", to, fmt.Sprint(step.Status)
	if step.Status >= http.StatusBadRequest {
		class, status = "refused", "!"+status
	}
	if step.Lost {
		class, end = "lost", (to+serverLane)/2
	}
	got := p.tokens(step.got)
	words := "The response is"
	if step.Count > 1 {
		words = fmt.Sprintf("%d responses are", step.Count)
		got = got[min(1, len(got)):] // each has a different access token
	}
	words += fmt.Sprintf(" %d %s", step.Status, step.StatusText)
	if len(got) > 0 {
		words += ", with " + list(got)
	}
	parts := append([]string{status}, got...)
	if step.Lost {
		parts, words = append(parts, "!lost"), words+", and gets lost on its way"
	}
	p.line(to+8, p.y-4, append(parts, count(step.Count))...)
	p.arrow(serverLane, p.y+4, end, p.y+4, class)
	p.say("%s.", words)
	p.y += 6
}

func (p *pen) arrow(x1, y1, x2, y2 int, class string) {
	p.Arrows = append(p.Arrows, Arrow{x1, y1, x2, y2, class})
}

// line writes tokens, each on its pill, with words between them; the prefix "!" marks bad news.
func (p *pen) line(x, y int, parts ...string) {
	for _, part := range parts {
		label := Label{X: x, Y: y, Text: strings.TrimPrefix(part, "!")}
		wide := 7*len([]rune(label.Text)) + 7
		switch {
		case part == "":
			continue
		case part == changed:
			label.Class, label.Width = "changed", wide+3
		case part[0] == 'A':
			label.Class, label.Width = "access", wide+3
		case part[0] == 'R':
			label.Class, label.Width = "refresh", wide+3
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
