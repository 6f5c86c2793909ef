// Package respond is the only place that writes responses. An action ends by calling Show, Done, Created or Invalid, or
// by returning an error; whether that becomes a page or JSON is decided only here.
//
// Does not belong here: who the user is (a function passed to New returns that), and what a page shows (templates).
package respond

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/compress"
)

// Action is a handler that returns its error instead of writing it.
type Action func(c *gin.Context) error

// Page is the "." of every template.
type Page struct {
	Viewer    any      // the viewer: nil, or the result of the Viewer function
	Data      any      // the action's output, the same value that the API encodes
	Errors    Fields   // faults of the form's fields, by field name
	Faults    []string // the names of these fields, in the order in which they are shown
	Message   string   // what is wrong with the form as a whole, or the text of the error page
	Flash     string   // shown once, after a change
	Path      string   // path and query of this page, for "log in and come back"
	Status    int
	RequestID string
	BaseURL   string
	Canonical string // the canonical URL of its content; empty for an error, or the result of a form
}

// canonical is the single URL of a page's content, however it was reached (RFC 6596): the position in a list, its order
// and added parameters don't count. All our paths are lowercase, but are matched case-insensitively.
func canonical(baseURL string, u *url.URL) string {
	asked, kept := u.Query(), url.Values{}
	for _, name := range []string{"kind", "tab", "q"} {
		if value := asked.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	address := baseURL + "/" + strings.ToLower(strings.Trim(u.EscapedPath(), "/"))
	if len(kept) > 0 {
		address += "?" + kept.Encode()
	}
	return address
}

// Fields are messages by field name.
type Fields map[string]string

// Responder holds what all responses share.
type Responder struct {
	render  *Renderer
	viewer  func(*gin.Context) any
	baseURL string
	flash   Flash
	log     *slog.Logger
	encoder *compress.Encoder
	crowds  *crowds
}

// New makes a Responder. The viewer function returns the viewer (nil if nobody is logged in).
func New(render *Renderer, viewer func(*gin.Context) any, baseURL string, flash Flash, log *slog.Logger) *Responder {
	return &Responder{render: render, viewer: viewer, baseURL: baseURL, flash: flash, log: log, encoder: compress.Fast(), crowds: &crowds{last: map[string]*crowd{}}}
}

const (
	responderKey = "respond"
	requestIDKey = "requestID"
)

// Use makes the Responder available to the actions of a request.
func (r *Responder) Use(c *gin.Context) { c.Set(responderKey, r) }

func from(c *gin.Context) *Responder { return c.MustGet(responderKey).(*Responder) }

// SetRequestID stores the request's id, which appears in error responses and the log.
func SetRequestID(c *gin.Context, id string) { c.Set(requestIDKey, id) }

// RequestID is the id that SetRequestID stored.
func RequestID(c *gin.Context) string { return c.GetString(requestIDKey) }

// Handle adapts an action to Gin: it writes the error that the action returns.
func Handle(action Action) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := action(c); err != nil {
			Error(c, err)
		}
	}
}

// Show responds to a read: with the page and status 200, or the envelope.
func Show(c *gin.Context, page string, data any) error {
	if WantsJSON(c) {
		return writeEnvelope(c, http.StatusOK, "OK", data)
	}
	r := from(c)
	return r.page(c, page, r.newPage(c, http.StatusOK, data))
}

// Done responds to a change: with a redirect to a page that shows the message once (303), or the envelope with status
// 200.
func Done(c *gin.Context, message, path string, data any) error {
	c.Set(changedKey, true)
	if WantsJSON(c) {
		return writeEnvelope(c, http.StatusOK, message, data)
	}
	from(c).flash.set(c, message)
	redirect(c, path)
	return nil
}

// Created is Done for something that now has a URL of its own: in the API, the response is 201 with that URL in
// Location.
func Created(c *gin.Context, message, page, api string, data any) error {
	if WantsJSON(c) {
		c.Set(changedKey, true)
		c.Header("Location", api)
		return writeEnvelope(c, http.StatusCreated, message, data)
	}
	return Done(c, message, page, data)
}

// Invalid responds to rejected input: with the same form, the submitted values and a message at each faulty field, or
// with the error envelope. Errors that aren't about the input, and nil, are returned unchanged.
func Invalid(c *gin.Context, page string, data any, err error) error {
	if err == nil {
		return nil
	}
	e := apperr.From(err)
	if WantsJSON(c) || !aboutInput(e) {
		return err
	}
	retryAfter(c, e)
	r := from(c)
	p := r.newPage(c, e.Status(), data)
	p.Message, p.Errors = e.Message, Fields{}
	for _, f := range e.Fields {
		p.Errors[f.Name] = f.Message
		p.Faults = append(p.Faults, f.Name)
	}
	return r.page(c, page, p)
}

// aboutInput reports whether a user can fix the error by submitting the form again, possibly later.
func aboutInput(e *apperr.Error) bool {
	switch e.Code {
	case apperr.Invalid, apperr.Conflict, apperr.UnsupportedMedia, apperr.TooLarge, apperr.Unauthorized, apperr.RateLimited, apperr.NoRoom:
		return true
	}
	return false
}

// Redirect redirects the reader of a page to another page, without a message.
func Redirect(c *gin.Context, path string) error {
	c.Set(changedKey, true)
	redirect(c, path)
	return nil
}

func redirect(c *gin.Context, path string) {
	cacheHeaders(c, true)
	c.Redirect(http.StatusSeeOther, path)
}

// DocsPath is the only page under /api: it documents the API.
const DocsPath = "/api/docs"

// WantsJSON decides the format of the response. Under /api it is always JSON, except for the page with the API's
// documentation. Elsewhere it is JSON only if Accept names JSON and not HTML, so that link previews and curl (which
// send */*) get the page.
func WantsJSON(c *gin.Context) bool {
	if path := c.Request.URL.Path; strings.HasPrefix(path, "/api/") && path != DocsPath {
		return true
	}
	accept := c.GetHeader("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func (r *Responder) newPage(c *gin.Context, status int, data any) Page {
	p := Page{
		Viewer:    r.viewer(c),
		Data:      data,
		Flash:     r.flash.take(c),
		Path:      c.Request.URL.RequestURI(),
		Status:    status,
		RequestID: RequestID(c),
		BaseURL:   r.baseURL,
	}
	if status == http.StatusOK && c.Request.Method != http.MethodPost {
		p.Canonical = canonical(r.baseURL, c.Request.URL)
	}
	return p
}

// page renders into a buffer first: a template that fails halfway results in a clean error, never in half a page with
// status 200.
func (r *Responder) page(c *gin.Context, name string, p Page) error {
	buf := bytes.NewBuffer(make([]byte, 0, 32<<10)) // fits a page of the feed, so that it doesn't need to grow five times
	if err := r.render.Execute(buf, name, p); err != nil {
		return err
	}
	cacheHeaders(c, p.Viewer != nil)
	write(c, p.Status, "text/html; charset=utf-8", buf.Bytes())
	return nil
}

const varies = "Accept, Accept-Encoding, Cookie"

// cacheHeaders keeps private responses out of all caches, including the browser's: after logout, the Back button must
// not show a private page.
func cacheHeaders(c *gin.Context, private bool) {
	h := c.Writer.Header()
	if !slices.Contains(h.Values("Vary"), varies) {
		h.Add("Vary", varies) // next to the Origin that the cross-origin check adds
	}
	if private || len(h.Values("Set-Cookie")) > 0 || h.Get("Cache-Control") == "no-store" {
		h.Set("Cache-Control", "no-store")
		return
	}
	h.Set("Cache-Control", "private, no-cache")
}
