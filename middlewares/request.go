package middlewares

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/respond"
)

// RequestID gives the request a name that the answer and the log share.
func RequestID(c *gin.Context) {
	id := rand.Text()[:16]
	respond.SetRequestID(c, id)
	c.Header("X-Request-Id", id)
}

// Log writes a line a request, when it is done. The query is left out: it may
// hold what somebody searched for.
func Log(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		log.LogAttrs(c, slog.LevelInfo, "request", slog.String("method", c.Request.Method), slog.String("path", c.Request.URL.Path),
			slog.Int("status", c.Writer.Status()), slog.Int("bytes", c.Writer.Size()), slog.Int64("ms", time.Since(start).Milliseconds()),
			slog.String("ip", ClientIP(c)), slog.String("request_id", respond.RequestID(c)))
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

// Timeout bounds how long a request may take to send, and its answer to be
// taken. A route with long work gives itself more.
func Timeout(read, write time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		control, now := http.NewResponseController(c.Writer), time.Now()
		_ = control.SetReadDeadline(now.Add(read)) // a test's recorder has none
		_ = control.SetWriteDeadline(now.Add(write))
	}
}
