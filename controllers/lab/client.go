package lab

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
)

// run is the client of one experiment: it holds the cookies as a browser does,
// sends requests, and writes down what went back and forth.
type run struct {
	lab     *Lab
	c       *gin.Context
	session *models.Session
	held    middlewares.Pair

	mu      sync.Mutex
	seen    []string // tokens, in the order in which they came up
	changed string   // the token that was tampered with
	steps   []Step
	found   []Finding
	start   time.Time
}

// request is what an experiment sends. Without cookies or a header of its own it
// goes out with the cookies that are held.
type request struct {
	title   string
	method  string // GET if empty
	path    string // below the target
	header  string // an access token for the Authorization header
	cookies *middlewares.Pair
	lost    bool // the client does not get the answer
	thief   bool // who holds a copy sends it
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	set    middlewares.Pair // what its Set-Cookie fields say; empty where they say nothing
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// begin starts a session if there is none to play with.
func (r *run) begin() (err error) {
	if r.lab.alive(r.session) {
		return nil
	}
	if r.session == nil {
		r.say("There was no session yet, so one was started")
	} else {
		r.say("The session before is over, so a new one was started")
	}
	r.session, r.held, err = r.lab.begin(r.c)
	return err
}

// look loads the session as it is in the database.
func (r *run) look() (*models.Session, error) {
	return r.lab.Sessions.OfUserByID(r.c, r.session.User, r.session.ID)
}

// ready makes sure that the cookies are valid, however long ago they were set, and
// whether or not the answers to them arrived.
func (r *run) ready() error {
	session, err := r.look()
	if err != nil {
		return err
	}
	claims, err := r.lab.Auth.Tokens.Access.Verify(r.held.Access)
	if err == nil && claims.RefreshID == session.Current.ID && claims.ExpiresAt.Sub(r.lab.Now()) > time.Second {
		return nil
	}
	_, err = r.send(request{title: "First a renewal, since the access token is of no use any more", cookies: r.withoutAccess()})
	return err
}

// withoutAccess is what a browser sends whose access token is of no use.
func (r *run) withoutAccess() *middlewares.Pair { return &middlewares.Pair{Refresh: r.held.Refresh} }

// wait lets time pass, really.
func (r *run) wait(until time.Time, what string) error {
	d := until.Sub(r.lab.Now())
	if d <= 0 {
		return nil
	}
	d = min(d, accessTTL) + 50*time.Millisecond
	before := r.lab.Now()
	err := r.lab.Sleep(r.c.Request.Context(), d)
	waited := r.lab.Now().Sub(before)
	r.steps = append(r.steps, Step{Title: "Waited " + waited.Round(time.Second/10).String() + ", until " + what, trace: trace{waited: waited}})
	return err
}

// say notes what the client does besides sending.
func (r *run) say(text string) { r.steps = append(r.steps, Step{Title: text}) }

// find notes what the experiment was to show, and whether it did.
func (r *run) find(ok bool, text string) { r.found = append(r.found, Finding{text, ok}) }

// ask sends a request for the target with the cookies that are held.
func (r *run) ask(title string) (*answer, error) { return r.send(request{title: title}) }

// send sends a request through the whole site, and takes its answer's cookies.
func (r *run) send(q request) (*answer, error) {
	before, err := r.look()
	if err != nil {
		return nil, err
	}
	a, step, err := r.exchange(q)
	if err != nil {
		return nil, err
	}
	step.before = before
	if step.after, err = r.look(); err != nil {
		return nil, err
	}
	r.arrive(a, step)
	return a, nil
}

// exchange sends a request and writes down both sides. Several may be under way
// at once.
func (r *run) exchange(q request) (*answer, Step, error) {
	sent := r.held
	if q.cookies != nil {
		sent = *q.cookies
	}
	if q.header != "" {
		sent = middlewares.Pair{}
	}
	req, err := r.newRequest(q, sent)
	if err != nil {
		return nil, Step{}, err
	}
	step := Step{Title: q.title, Request: append([]string{req.Method + " " + req.URL.Path}, fields(req.Header, "Authorization", "Cookie")...), Lost: q.lost}
	step.trace = trace{at: r.lab.Now().Sub(r.start), thief: q.thief, sent: sent}
	if q.header != "" {
		step.sent.Access = q.header
	}
	a := &answer{header: http.Header{}}
	r.lab.site.ServeHTTP(a, req)
	r.lab.watchers.tell(r.session.ID)
	r.take(a, &a.set)
	step.got = a.set
	r.mu.Lock()
	r.seen = append(r.seen, r.held.Access, r.held.Refresh, q.header, sent.Access, sent.Refresh, a.set.Access, a.set.Refresh)
	r.mu.Unlock()
	step.Status, step.StatusText, step.Body = a.status, http.StatusText(a.status), indented(a.body.Bytes())
	step.Header = fields(a.header, "WWW-Authenticate", "Set-Cookie", "Cache-Control")
	return a, step, nil
}

func (r *run) newRequest(q request, sent middlewares.Pair) (*http.Request, error) {
	url := r.lab.Config.BaseURL + r.lab.target + q.path
	req, err := http.NewRequestWithContext(r.c.Request.Context(), cmp.Or(q.method, http.MethodGet), url, nil)
	if err != nil {
		return nil, err
	}
	req.RemoteAddr = net.JoinHostPort(middlewares.ClientIP(r.c), "0")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", r.c.Request.UserAgent())
	if q.header != "" {
		req.Header.Set("Authorization", "Bearer "+q.header)
	}
	for _, k := range r.lab.cookies(sent) {
		if k.value != "" {
			req.Header.Add("Cookie", k.name+"="+k.value)
		}
	}
	return req, nil
}

// arrive notes a step, and puts its answer's cookies where the client holds them,
// unless the answer gets lost.
func (r *run) arrive(a *answer, step Step) {
	step.Before = r.lines()
	if !step.Lost {
		r.take(a, &r.held)
	}
	step.After = r.lines()
	r.steps = append(r.steps, step)
}

// take puts an answer's cookies where a browser would.
func (r *run) take(a *answer, to *middlewares.Pair) {
	access, refresh := r.lab.Auth.Cookies.Names()
	for _, k := range (&http.Response{Header: a.header}).Cookies() {
		switch k.Name {
		case access:
			to.Access = k.Value
		case refresh:
			to.Refresh = k.Value
		}
	}
}

// lines are the cookies that are held, to be shown.
func (r *run) lines() []string {
	var all []string
	for _, k := range r.lab.cookies(r.held) {
		all = append(all, k.name+": "+cmp.Or(k.value, "none"))
	}
	return all
}

// cookie is one of the lab's two cookies.
type cookie struct{ name, value string }

func (l *Lab) cookies(pair middlewares.Pair) [2]cookie {
	access, refresh := l.Auth.Cookies.Names()
	return [2]cookie{{access, pair.Access}, {refresh, pair.Refresh}}
}

// fields are the header fields of these names, a line each.
func fields(h http.Header, names ...string) []string {
	var all []string
	for _, name := range names {
		for _, value := range h.Values(name) {
			all = append(all, name+": "+value)
		}
	}
	return all
}

func indented(body []byte) string {
	var text bytes.Buffer
	if json.Indent(&text, body, "", "  ") != nil {
		return string(body)
	}
	return text.String()
}
