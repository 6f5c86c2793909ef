package controllers

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
)

// labRun is the client of one experiment: it holds the cookies as a browser does,
// sends requests, and writes down what went back and forth.
type labRun struct {
	lab     *Lab
	c       *gin.Context
	session *models.Session
	held    cookiePair

	mu    sync.Mutex
	seen  []string // tokens, in the order in which they came up
	named map[string]string
	steps []LabStep
	found []LabFinding
}

// request is what an experiment sends. Without cookies or a header of its own it
// goes out with the cookies that are held.
type request struct {
	title   string
	method  string // GET if empty
	path    string // the target if empty
	header  string // an access token for the Authorization header
	cookies *cookiePair
	lost    bool // the client does not get the answer
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	set    cookiePair // what its Set-Cookie fields say; empty where they say nothing
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

func (a *answer) cookies() []*http.Cookie { return (&http.Response{Header: a.header}).Cookies() }

// ask sends a request for the target with the cookies that are held.
func (r *labRun) ask(title string) (*answer, error) { return r.send(request{title: title}) }

// send sends a request through the whole site, and takes its answer's cookies.
func (r *labRun) send(q request) (*answer, error) {
	before := r.held
	a, step, err := r.exchange(q)
	if err != nil {
		return nil, err
	}
	step.Before = r.lines(before)
	if !q.lost {
		r.take(a, &r.held)
	}
	step.After, step.Lost = r.lines(r.held), q.lost
	r.steps = append(r.steps, step)
	return a, nil
}

// take puts an answer's cookies where a browser would.
func (r *labRun) take(a *answer, to *cookiePair) {
	access, refresh := r.lab.inside.Auth.Cookies.Names()
	for _, k := range a.cookies() {
		switch k.Name {
		case access:
			to.access = k.Value
		case refresh:
			to.refresh = k.Value
		}
	}
}

// exchange sends a request and writes down both sides. Several may be under way
// at once.
func (r *labRun) exchange(q request) (*answer, LabStep, error) {
	if q.method == "" {
		q.method = http.MethodGet
	}
	if q.path == "" {
		q.path = labTarget
	}
	req, err := http.NewRequestWithContext(r.c.Request.Context(), q.method, r.lab.Config.BaseURL+q.path, nil)
	if err != nil {
		return nil, LabStep{}, err
	}
	req.RemoteAddr = net.JoinHostPort(r.c.ClientIP(), "0")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", r.c.Request.UserAgent())
	step := LabStep{Title: q.title, Request: []string{q.method + " " + q.path}}
	sent := r.held
	if q.cookies != nil {
		sent = *q.cookies
	}
	if q.header != "" {
		req.Header.Set("Authorization", "Bearer "+q.header)
		step.Request = append(step.Request, "Authorization: Bearer "+q.header)
		sent = cookiePair{}
	}
	access, refresh := r.lab.inside.Auth.Cookies.Names()
	for _, k := range [][2]string{{access, sent.access}, {refresh, sent.refresh}} {
		if k[1] != "" {
			req.Header.Add("Cookie", k[0]+"="+k[1])
			step.Request = append(step.Request, "Cookie: "+k[0]+"="+k[1])
		}
	}
	a := &answer{header: http.Header{}}
	r.lab.site.ServeHTTP(a, req)
	r.lab.watchers.tell(r.session.ID)
	r.take(a, &a.set)
	step.Status, step.StatusText = a.status, http.StatusText(a.status)
	step.Header, step.Body = shownHeaders(a.header), indented(a.body.Bytes())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, r.held.access, r.held.refresh, q.header, sent.access, sent.refresh, a.set.access, a.set.refresh)
	return a, step, nil
}

// shownHeaders are those that tell something about tokens.
func shownHeaders(h http.Header) []string {
	var shown []string
	for _, name := range []string{"Www-Authenticate", "Set-Cookie", "Clear-Site-Data", "Cache-Control"} {
		for _, value := range h.Values(name) {
			shown = append(shown, strings.Replace(name, "Www", "WWW", 1)+": "+value)
		}
	}
	return shown
}

func indented(body []byte) string {
	var text bytes.Buffer
	if json.Indent(&text, body, "", "  ") != nil {
		return string(body)
	}
	return text.String()
}

func (r *labRun) lines(k cookiePair) []string {
	access, refresh := r.lab.inside.Auth.Cookies.Names()
	show := func(name, value string) string {
		if value == "" {
			return name + ": none"
		}
		return name + ": " + value
	}
	return []string{show(access, k.access), show(refresh, k.refresh)}
}

// say notes what the client does besides sending.
func (r *labRun) say(text string) { r.steps = append(r.steps, LabStep{Title: text}) }

// find notes what the experiment was to show, and whether it did.
func (r *labRun) find(ok bool, text string) { r.found = append(r.found, LabFinding{text, ok}) }

// name gives a token that is none of ours a name to be shown under.
func (r *labRun) name(raw, name string) {
	if r.named == nil {
		r.named = map[string]string{}
	}
	r.named[raw] = name
}

// ready sees to it that the cookies are good, however long ago they were set, and
// whether or not the answers to them arrived.
func (r *labRun) ready() error {
	claims, err := r.lab.inside.Auth.Tokens.Access.Verify(r.held.access)
	session, lookErr := r.look()
	if lookErr != nil {
		return lookErr
	}
	if err == nil && claims.RefreshID == session.Current.ID && claims.ExpiresAt.Sub(r.lab.Now()) > time.Second {
		return nil
	}
	_, err = r.send(request{title: "First a renewal, since the access token is of no use any more", cookies: r.withoutAccess()})
	return err
}

// wait lets time pass, really.
func (r *labRun) wait(until time.Time, what string) error {
	d := until.Sub(r.lab.Now())
	if d <= 0 {
		return nil
	}
	d = min(d, labAccessTTL) + 50*time.Millisecond
	r.say("Waited " + d.Round(time.Second/10).String() + ", until " + what)
	return r.lab.Sleep(r.c.Request.Context(), d)
}
