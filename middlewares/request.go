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

// RequestID gives the request a name that the answer and the log share.
func RequestID(c *gin.Context) {
	id := rand.Text()[:16]
	respond.SetRequestID(c, id)
	c.Header("X-Request-Id", id)
}

// Log writes a line for each request, when it is over. The path and the query are left out: they hold what people look for, or
// pasted by mistake.
func Log(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		defer func() { // also of a response that is cut off
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

// Recover turns a panic into an error like any other.
func Recover(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the server's own way to cut a connection
			}
			log.ErrorContext(c, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()), "request_id", respond.RequestID(c))
			respond.Error(c, fmt.Errorf("panic: %v", p))
		}()
		c.Next()
	}
}

// slowest is what a client keeps up that a long request is kept open for: a file may take hours, but not for nothing.
var slowest = pace.Pace{Patience: 30 * time.Second, Rate: 8 << 10}

// Progress lets a request take longer than the server's own deadlines (utils/httpserver) while its body and its response
// move. It comes after the guard: somebody who may not be here gets no more time than anyone else.
func Progress(c *gin.Context) {
	control := http.NewResponseController(c.Writer)
	_ = control.SetWriteDeadline(time.Time{}) // until the first write
	if c.Request.ContentLength == 0 {
		_ = control.SetReadDeadline(time.Time{}) // the server reads on, to notice when the client leaves
	} else {
		c.Request.Body = slowest.Reader(c.Request.Body, control.SetReadDeadline)
	}
	c.Writer = &pacedWriter{c.Writer, slowest.Writer(c.Writer, control.SetWriteDeadline)}
	defer func() { // the server reads what is left of the body, and writes what is left of the response
		end := time.Now().Add(slowest.Patience)
		_ = control.SetReadDeadline(end)
		_ = control.SetWriteDeadline(end)
	}()
	c.Next()
}

// pacedWriter is the response that a client must keep taking.
type pacedWriter struct {
	gin.ResponseWriter
	paced io.Writer
}

func (w *pacedWriter) Write(p []byte) (int, error) { return w.paced.Write(p) }

func (w *pacedWriter) WriteString(s string) (int, error) { return w.paced.Write([]byte(s)) }

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// InFlight bounds the requests under way, of each client address and in all. Connections are bounded before (utils/httpserver),
// but one connection of HTTP/2 carries many requests, and behind a proxy are many clients.
func InFlight(requests *budget.Budget[netip.Prefix]) gin.HandlerFunc {
	return func(c *gin.Context) {
		var client netip.Prefix // of all whose address isn't known
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

// endable is the request with a context that end ends, as it ends what the request is waiting for: a body that doesn't come,
// or a client that doesn't take the response. After done, end does nothing: the connection may have another request then.
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

// full is the error for a budget that is used up: by the client itself, or by everybody together.
func full(err error, what string) error {
	const wait = 5 * time.Second
	if errors.Is(err, budget.ErrHolder) {
		e := apperr.New(apperr.RateLimited, "You have too many %s open at once. Try again in a moment.", what).Because(err)
		e.RetryAfter = wait
		return e
	}
	return apperr.Crowd(wait, "The site is very busy. Try again in a moment.").Because(err)
}

// OneRange leaves a request one byte range. More would be served as a list of parts, for each of which the file is opened and
// found again; thousands fit into one header. Nobody needs them: who sends several gets the whole (RFC 9110 §14.2).
func OneRange(c *gin.Context) {
	if ranges := c.Request.Header["Range"]; len(ranges) > 1 || len(ranges) == 1 && strings.Contains(ranges[0], ",") {
		c.Request.Header.Del("Range")
	}
}
