package respond

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/logs"
)

// Error writes err in the format of the request and stops the chain. It is the
// only writer of errors: actions, guards, panics and unknown routes all end here.
func Error(c *gin.Context, err error) {
	defer c.Abort()
	r := from(c)
	e := apperr.From(err)
	r.logError(c, e, err)
	if c.Writer.Written() {
		return // half an answer is out already; a second one would only garble it
	}
	retryAfter(c, e)
	if WantsJSON(c) {
		writeErrorEnvelope(c, e)
		return
	}
	switch e.Code {
	case apperr.Unauthorized:
		redirect(c, LoginPath(c))
		return
	case apperr.Unconfirmed:
		redirect(c, there(c, "/confirm"))
		return
	}
	p := r.newPage(c, e.Status(), nil)
	p.Message = e.Message
	if err := r.page(c, "errors/show", p); err != nil {
		r.log.ErrorContext(c, "error page failed", "error", err, "request_id", p.RequestID)
		c.Header("Cache-Control", "no-store")
		c.Data(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("Something went wrong on our side.\n"))
	}
}

// retryAfter says when it is worth trying again, in whole seconds (RFC 9110
// 10.2.3).
func retryAfter(c *gin.Context, e *apperr.Error) {
	if e.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
}

// LoginPath leads to the login page and back to this one; after a form, to the
// page that the form stood on.
func LoginPath(c *gin.Context) string { return there(c, "/login") }

// there leads to a page that something has to be done on first, and back to this one.
func there(c *gin.Context, page string) string {
	if c.Request.Method == http.MethodGet {
		return page + "?next=" + url.QueryEscape(c.Request.URL.RequestURI())
	}
	if from := Back(c, ""); from != "" {
		return page + "?next=" + url.QueryEscape(from)
	}
	return page
}

// Back is the page of this site that a form was on, or, where the browser doesn't say, another one.
func Back(c *gin.Context, otherwise string) string {
	referer, err := url.Parse(c.GetHeader("Referer"))
	if err != nil || referer.Host != c.Request.Host || referer.Path == "" {
		return otherwise
	}
	return referer.RequestURI()
}

func (r *Responder) logError(c *gin.Context, e *apperr.Error, err error) {
	level := slog.LevelDebug
	if e.Crowded {
		if n := r.crowds.count(e.Message, r.flash.Now()); n > 0 {
			r.log.WarnContext(c, "refused, because there are too many at once", "message", e.Message, "refused", n, "route", logs.Route(c.FullPath()), "request_id", RequestID(c))
		}
	} else if isFault(e) {
		level = slog.LevelError
	}
	if errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil {
		level = slog.LevelInfo // the client went away
	}
	r.log.Log(c, level, "request failed", "code", e.Code, "error", err,
		"method", logs.Method(c.Request), "route", logs.Route(c.FullPath()), "request_id", RequestID(c))
}

// isFault tells what whoever runs the site must know of. Unavailable without a cause is no fault: it is what the site says
// where it is set up so.
func isFault(e *apperr.Error) bool {
	return e.Code == apperr.Internal || e.Code == apperr.NoRoom || e.Code == apperr.Unavailable && e.Unwrap() != nil
}

// crowdLine is how often the log has a line about one kind of crowd.
const crowdLine = 10 * time.Second

// crowds count who is refused because there are too many at once, by what they are told: in a storm, a line for each would
// be a storm in the log.
type crowds struct {
	mu   sync.Mutex
	last map[string]*crowd
}

type crowd struct {
	told time.Time
	more int // refused since
}

// count counts one more. It returns how many there were since the last line, if it is time for another one, or else 0.
func (s *crowds) count(kind string, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.last[kind]
	if c == nil {
		c = &crowd{}
		s.last[kind] = c
	}
	c.more++
	if since := now.Sub(c.told); since >= 0 && since < crowdLine { // a clock that was set back tells, too
		return 0
	}
	n := c.more
	c.told, c.more = now, 0
	return n
}
