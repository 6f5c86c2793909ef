package lab

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
)

// server is what an experiment runs against: this site (ours.go), or the model of the usual way (usual.go).
type server interface {
	http.Handler
	address() string                           // its base URL
	cookies() (access, refresh string)         // their names
	look(middlewares.Pair) (state, error)      // what it remembers of the login with these tokens
	name(raw string) string                    // a token's name: R2 is the second refresh token, A2 an access token issued with it
	usable(middlewares.Pair) bool              // the access token will still be accepted for a while
	now() time.Time                            // by the server's clock
	pass(context.Context, time.Duration) error // lets time pass
	tell(news)                                 // notifies the watchers
}

// state is what a server remembers of a login.
type state struct {
	newest   string // the name of its newest refresh token
	seen     bool   // it has been used
	over     bool
	renewals int64
	grace    time.Time // when the refresh token before it stops being accepted
}

// refreshOnly is what a browser sends once its access token has expired.
func refreshOnly(held middlewares.Pair) *middlewares.Pair {
	return &middlewares.Pair{Refresh: held.Refresh}
}

// run is an experiment on one server: it sends requests as a browser would, and records what goes back and forth. After
// an error it does nothing more.
type run struct {
	server
	c              *gin.Context
	isOurs         bool
	browser, thief middlewares.Pair // the tokens that each of them holds
	start          time.Time
	tokens         []string // in the order in which they appeared
	changed        string   // the token that was tampered with
	steps          []Step
	found          []Finding
	err            error
}

// play runs an experiment with the tokens of a login.
func (e experiment) play(c *gin.Context, s server, held middlewares.Pair, opening string) *run {
	_, isOurs := s.(*ours)
	r := &run{server: s, c: c, isOurs: isOurs, browser: held, start: s.now()}
	if opening != "" {
		r.say(opening)
	}
	e.do(r)
	return r
}

// request is what an experiment sends. It carries the cookies of its sender, unless it has cookies or a header of its
// own.
type request struct {
	title   string
	method  string            // GET if empty
	path    string            // relative to the server's address
	by      *middlewares.Pair // the sender; nil is the browser
	header  string            // an access token for the Authorization header
	cookies *middlewares.Pair
	lost    bool // the response doesn't arrive
}

// answer is a recorded response.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	set    middlewares.Pair // the cookies it sets; empty for those it leaves alone
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = cmp.Or(a.status, status) }

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

func (a *answer) ok() bool { return a.status != 0 && a.status < http.StatusBadRequest }

// say records what happens between requests.
func (r *run) say(text string) { r.add(Step{Title: text}) }

func (r *run) add(step Step) {
	r.steps = append(r.steps, step)
	r.tell(news{"step", progress{step.Title, step.Count, step.Status, step.StatusText}})
}

// ours records what this site was meant to show, and whether it did.
func (r *run) ours(ok bool, text string, values ...any) {
	r.find(r.isOurs, ok, text, values...)
}

// usual is ours for the usual way.
func (r *run) usual(ok bool, text string, values ...any) {
	r.find(!r.isOurs, ok, text, values...)
}

func (r *run) find(here, ok bool, text string, values ...any) {
	if here {
		r.found = append(r.found, Finding{fmt.Sprintf(text, values...), ok})
	}
}

// ready ensures that the browser's tokens are valid, however long ago they were issued, and whether or not the latest
// responses arrived.
func (r *run) ready() {
	if r.err == nil && !r.usable(r.browser) {
		r.send(request{title: "First a renewal, since the access token is of no use any more", cookies: refreshOnly(r.browser)})
	}
}

// look is what the server currently remembers.
func (r *run) look() (s state) {
	if r.err == nil {
		s, r.err = r.server.look(r.browser)
	}
	return s
}

// wait lets time pass until the given time, if it is still in the future.
func (r *run) wait(until time.Time, what string) {
	before := r.now()
	d := until.Sub(before)
	if r.err != nil || d <= 0 {
		return
	}
	d = min(d, accessTTL) + 50*time.Millisecond
	r.tell(news{"wait", countdown{d.Milliseconds(), what}})
	r.err = r.pass(r.c.Request.Context(), d)
	waited := r.now().Sub(before)
	title := "Waited %.1f s for %s"
	if !r.isOurs {
		title = "The model's clock was set %.1f s ahead, for %s"
	}
	r.add(Step{Title: fmt.Sprintf(title, waited.Seconds(), what), trace: trace{waited: waited}})
}

// send sends a request.
func (r *run) send(q request) *answer { return r.sendAtOnce(1, q)[0] }

// sendAtOnce sends n copies of a request concurrently, and collects the responses. Identical ones become one step.
func (r *run) sendAtOnce(n int, q request) []*answer {
	answers := make([]*answer, n)
	step := Step{Title: q.title, Lost: q.lost, trace: trace{at: r.now().Sub(r.start), thief: q.by == &r.thief, before: r.look()}}
	by := cmp.Or(q.by, &r.browser)
	var all sync.WaitGroup
	for i := range n {
		answers[i] = &answer{header: http.Header{}}
		req, sent, err := r.newRequest(by, q)
		if r.err = cmp.Or(r.err, err); r.err != nil {
			continue
		}
		step.Request, step.sent = append([]string{req.Method + " " + req.URL.Path}, fields(req.Header, "Authorization", "Cookie")...), sent
		all.Go(func() { r.ServeHTTP(answers[i], req) })
	}
	all.Wait()
	step.after = r.look()
	r.tokens = append(r.tokens, q.header, step.sent.Access, step.sent.Refresh)
	var groups []Step
	for _, a := range answers {
		groups = r.arrive(by, a, step, groups)
	}
	slices.SortStableFunc(groups, func(a, b Step) int { return a.Status - b.Status })
	for i := range groups {
		groups[i].together = i > 0
		if r.err == nil {
			r.add(groups[i])
		}
	}
	return answers
}

func (r *run) newRequest(by *middlewares.Pair, q request) (req *http.Request, sent middlewares.Pair, err error) {
	req, err = http.NewRequestWithContext(r.c.Request.Context(), cmp.Or(q.method, http.MethodGet), r.address()+q.path, nil)
	if err != nil {
		return nil, sent, err
	}
	req.RemoteAddr = net.JoinHostPort(middlewares.ClientIP(r.c), "0")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", r.c.Request.UserAgent())
	if q.header != "" {
		req.Header.Set("Authorization", "Bearer "+q.header)
		return req, middlewares.Pair{Access: q.header}, nil
	}
	sent = *cmp.Or(q.cookies, by)
	access, refresh := r.cookies()
	for _, k := range [][2]string{{access, sent.Access}, {refresh, sent.Refresh}} {
		if k[1] != "" {
			req.Header.Add("Cookie", k[0]+"="+k[1])
		}
	}
	return req, sent, nil
}

// arrive stores a response's cookies with the sender, unless the response is lost, and adds it to the steps.
func (r *run) arrive(by *middlewares.Pair, a *answer, step Step, groups []Step) []Step {
	before := *by
	r.take(a, &a.set)
	if !step.Lost {
		r.take(a, by)
	}
	r.tokens = append(r.tokens, before.Access, before.Refresh, a.set.Access, a.set.Refresh)
	step.Count, step.Status, step.StatusText, step.got = 1, a.status, http.StatusText(a.status), a.set
	for i := range groups {
		if g := &groups[i]; g.Status == a.status && g.got.Refresh == a.set.Refresh {
			g.Count++
			g.Cookies = r.changes(g.held, *by)
			return groups
		}
	}
	step.held, step.Cookies = before, r.changes(before, *by)
	step.Header, step.Body = fields(a.header, "WWW-Authenticate", "Set-Cookie", "Cache-Control"), a.body.String()
	return append(groups, step)
}

// take stores a response's cookies as a browser would.
func (r *run) take(a *answer, to *middlewares.Pair) {
	access, refresh := r.cookies()
	for _, k := range (&http.Response{Header: a.header}).Cookies() {
		switch k.Name {
		case access:
			to.Access = k.Value
		case refresh:
			to.Refresh = k.Value
		}
	}
}

// changes are the sender's cookies before and after a response.
func (r *run) changes(before, after middlewares.Pair) []Change {
	access, refresh := r.cookies()
	return []Change{
		{access, "access", cmp.Or(before.Access, "none"), cmp.Or(after.Access, "none")},
		{refresh, "refresh", cmp.Or(before.Refresh, "none"), cmp.Or(after.Refresh, "none")},
	}
}

// fields are the header fields with these names, one per line.
func fields(h http.Header, names ...string) []string {
	var all []string
	for _, name := range names {
		values := h.Values(name)
		if name == "Cookie" && len(values) > 0 {
			values = []string{strings.Join(values, "; ")} // in one field, as a browser sends them
		}
		for _, value := range values {
			all = append(all, name+": "+value)
		}
	}
	return all
}
