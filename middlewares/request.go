package middlewares

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/budget"
	"tokentube/utils/logs"
	"tokentube/utils/pace"
	"tokentube/utils/respond"
)

// RequestID assigns an id to the request that appears in both the response and the log.
func RequestID(c *gin.Context) {
	id := rand.Text()[:16]
	respond.SetRequestID(c, id)
	c.Header("X-Request-Id", id)
}

// Log writes a line when a request is complete. It leaves out the path and the query, because they contain what people
// search for or paste by mistake.
func Log(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		defer func() { // also for an aborted response
			attrs := append(make([]slog.Attr, 0, 10),
				slog.String("method", logs.Method(c.Request)), slog.String("route", logs.Route(c.FullPath())),
				slog.Int("status", c.Writer.Status()), slog.Int("bytes", max(0, c.Writer.Size())), slog.Int64("ms", time.Since(start).Milliseconds()),
				slog.String("ip", logs.IP(ClientIP(c))), slog.String("request_id", respond.RequestID(c)))
			if id := Current(c); id.State == SignedIn {
				attrs = append(attrs, slog.String("user", id.User.ID.Hex()), slog.String("session", id.Session.ID.Hex()))
			}
			log.LogAttrs(c, slog.LevelInfo, "request", attrs...)
		}()
		c.Next()
	}
}

// Recover turns a panic into an ordinary error.
func Recover(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the standard way to abort a connection
			}
			log.ErrorContext(c, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()), "request_id", respond.RequestID(c))
			respond.Error(c, fmt.Errorf("panic: %v", p))
		}()
		c.Next()
	}
}

// slowest is the transfer rate below which a long request is aborted: a file may take hours, but only while it makes
// progress.
var slowest = pace.Pace{Patience: 30 * time.Second, Rate: 8 << 10}

// Progress lets a request exceed the server's own deadlines (utils/httpserver) while its body and its response make
// progress. It runs after the guard: unauthorized clients get no extra time.
func Progress(c *gin.Context) {
	control := http.NewResponseController(c.Writer)
	_ = control.SetWriteDeadline(time.Time{}) // until the first write
	if c.Request.ContentLength == 0 {
		_ = control.SetReadDeadline(time.Time{}) // the server keeps reading, to notice when the client disconnects
	} else {
		c.Request.Body = slowest.Reader(c.Request.Body, control.SetReadDeadline)
	}
	c.Writer = &pacedWriter{c.Writer, slowest.Writer(c.Writer, control.SetWriteDeadline)}
	defer func() { // the server still reads the rest of the body and writes the rest of the response
		end := time.Now().Add(slowest.Patience)
		_ = control.SetReadDeadline(end)
		_ = control.SetWriteDeadline(end)
	}()
	c.Next()
}

// pacedWriter is a response that the client must keep reading.
type pacedWriter struct {
	gin.ResponseWriter
	paced io.Writer
}

func (w *pacedWriter) Write(p []byte) (int, error) { return w.paced.Write(p) }

func (w *pacedWriter) WriteString(s string) (int, error) { return w.paced.Write([]byte(s)) }

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// InFlight bounds the requests in progress, per client address and in total. Connections are already bounded
// (utils/httpserver), but one HTTP/2 connection carries many requests, and many clients may share a proxy.
func InFlight(requests *budget.Budget[netip.Prefix]) gin.HandlerFunc {
	return func(c *gin.Context) {
		var client netip.Prefix // shared by all whose address is unknown
		if ip, err := netip.ParseAddr(ClientIP(c)); err == nil {
			client = budget.Address(ip)
		}
		ending, end, done := endable(c)
		giveBack, err := requests.Take(client, end)
		if err != nil {
			respond.Error(c, full(err, "requests"))
			return
		}
		defer done()
		defer giveBack()
		c.Request = ending
		c.Next()
	}
}

// endable is the request with a context that end cancels, together with blocking I/O: a body that doesn't arrive, or a
// client that doesn't read the response. After done, end does nothing: the connection may carry another request by
// then.
func endable(c *gin.Context) (r *http.Request, end, done func()) {
	ctx, cancel := context.WithCancel(c.Request.Context())
	control := http.NewResponseController(c.Writer)
	var mu sync.Mutex
	over := false
	end = func() {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		cancel()
		_ = control.SetReadDeadline(time.Now())
		_ = control.SetWriteDeadline(time.Now())
	}
	done = func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		cancel()
	}
	return c.Request.WithContext(ctx), end, done
}

// full is the error for a budget used up by the client itself, or by all clients together.
func full(err error, what string) error {
	const wait = 5 * time.Second
	if errors.Is(err, budget.ErrHolder) {
		e := apperr.New(apperr.RateLimited, "You have too many %s open at once. Try again in a moment.", what).Because(err)
		e.RetryAfter = wait
		return e
	}
	return apperr.Crowd(wait, "The site is very busy. Try again in a moment.").Because(err)
}

// OneRange allows a request only one byte range. Several would be sent as multiple parts, and the file would be opened
// and searched for each; thousands fit into one header. Nobody needs that: a request for several ranges gets the whole
// file (RFC 9110 §14.2).
func OneRange(c *gin.Context) {
	if ranges := c.Request.Header["Range"]; len(ranges) > 1 || len(ranges) == 1 && strings.Contains(ranges[0], ",") {
		c.Request.Header.Del("Range")
	}
}
