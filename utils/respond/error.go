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

// Error writes err in the format of the request and stops the chain. It is the only function that writes errors:
// actions, guards, panics and unknown routes all end here.
func Error(c *gin.Context, err error) {
	defer c.Abort()
	r := from(c)
	e := apperr.From(err)
	r.logError(c, e, err)
	if c.Writer.Written() {
		return // part of a response has been sent; a second one would only garble it
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

// retryAfter says when to retry, in whole seconds (RFC 9110 §10.2.3).
func retryAfter(c *gin.Context, e *apperr.Error) {
	if e.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
}

// LoginPath is the login page, with a way back to this page, or after a form, to the page that held it.
func LoginPath(c *gin.Context) string { return there(c, "/login") }

// there is the path of a page on which something must be done first, with a way back to this page.
func there(c *gin.Context, page string) string {
	if c.Request.Method == http.MethodGet {
		return page + "?next=" + url.QueryEscape(c.Request.URL.RequestURI())
	}
	if from := Back(c, ""); from != "" {
		return page + "?next=" + url.QueryEscape(from)
	}
	return page
}

// Back is the page of this site that held the form or, if the browser doesn't send it, the given default.
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
		level = slog.LevelInfo // the client disconnected
	}
	r.log.Log(c, level, "request failed", "code", e.Code, "error", err,
		"method", logs.Method(c.Request), "route", logs.Route(c.FullPath()), "request_id", RequestID(c))
}

// isFault reports whether the operator needs to know about the error. Unavailable without a cause is not a fault: it is
// how the site responds when configured that way.
func isFault(e *apperr.Error) bool {
	return e.Code == apperr.Internal || e.Code == apperr.NoRoom || e.Code == apperr.Unavailable && e.Unwrap() != nil
}

// crowdLine is the shortest interval between log lines about one kind of crowd.
const crowdLine = 10 * time.Second

// crowds counts refusals because of too many concurrent requests, by the message that is sent: under heavy load, a line
// for each would flood the log.
type crowds struct {
	mu   sync.Mutex
	last map[string]*crowd
}

type crowd struct {
	told time.Time
	more int // refused since then
}

// count counts one more refusal. If it is time for another log line, it returns the number since the last one,
// otherwise 0.
func (s *crowds) count(kind string, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.last[kind]
	if c == nil {
		c = &crowd{}
		s.last[kind] = c
	}
	c.more++
	if since := now.Sub(c.told); since >= 0 && since < crowdLine { // also logs if the clock was set back
		return 0
	}
	n := c.more
	c.told, c.more = now, 0
	return n
}
