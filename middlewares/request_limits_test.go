package middlewares

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
)

// oneConn is a listener with a single connection.
type oneConn struct {
	conns chan net.Conn
	close func()
}

func newOneConn(conn net.Conn) oneConn {
	conns := make(chan net.Conn, 1)
	conns <- conn
	return oneConn{conns, sync.OnceFunc(func() { close(conns) })}
}

func (l oneConn) Accept() (net.Conn, error) {
	if conn, ok := <-l.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

func (l oneConn) Close() error {
	l.close()
	return nil
}

// over runs the action behind Progress, on a server with our deadlines, and gives the client its end of the connection.
func over(t *testing.T, action gin.HandlerFunc, client func(net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		gin.SetMode(gin.ReleaseMode)
		engine := gin.New()
		engine.POST("/", Progress, action)
		engine.GET("/", Progress, action)
		near, far := net.Pipe()
		listener := newOneConn(far)
		server := &http.Server{Handler: engine.Handler(), ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
		var all sync.WaitGroup
		all.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
		client(near)
		_ = near.Close()
		_ = server.Close()
		all.Wait()
	})
}

// post sends a body in pieces.
func post(conn net.Conn, pieces, size int, every time.Duration) error {
	_, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", pieces*size)
	for ; pieces > 0 && err == nil; pieces-- {
		time.Sleep(every)
		_, err = conn.Write(make([]byte, size))
	}
	return err
}

func TestAnUploadMayBeLongAndIsCutOffWhenItStops(t *testing.T) {
	for name, test := range map[string]struct {
		pieces, size int
		every        time.Duration
		whole        bool
	}{
		"ten minutes":        {600, 10_000, time.Second, true},
		"a byte a second":    {600, 1, time.Second, false},
		"a stop of a minute": {2, 100_000, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got int64
			var failed error
			over(t, func(c *gin.Context) {
				got, failed = io.Copy(io.Discard, c.Request.Body)
				if test.whole {
					time.Sleep(5 * time.Minute) // to look at what was sent
				}
				if err := c.Request.Context().Err(); err != nil && test.whole {
					t.Errorf("the request was given up: %v", err)
				}
				c.String(http.StatusOK, "done")
			}, func(conn net.Conn) {
				start := time.Now()
				sent := make(chan error, 1)
				go func() { sent <- post(conn, test.pieces, test.size, test.every) }()
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if test.whole && (err != nil || response.StatusCode != http.StatusOK) {
					t.Errorf("%v, %v", response, err)
				}
				if took := time.Since(start); !test.whole && took > 2*time.Minute {
					t.Errorf("it was given %v", took)
				}
				_ = conn.Close()
				<-sent
			})
			if test.whole && (failed != nil || got != int64(test.pieces*test.size)) || !test.whole && failed == nil {
				t.Errorf("%d bytes, %v", got, failed)
			}
		})
	}
}

func TestADownloadMayBeLongAndIsCutOffWhenItStops(t *testing.T) {
	const size = 10 << 20
	for name, test := range map[string]struct {
		piece int
		every time.Duration
		whole bool
	}{
		"ten minutes":     {20_000, time.Second, true},
		"a trickle":       {100, time.Second, false},
		"nothing for now": {20_000, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			var failed error
			over(t, func(c *gin.Context) {
				_, failed = c.Writer.Write(make([]byte, size))
			}, func(conn net.Conn) {
				start, got := time.Now(), 0
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
				for piece := make([]byte, test.piece); got < size; time.Sleep(test.every) {
					n, err := conn.Read(piece)
					if got += n; err != nil {
						break
					}
				}
				if took := time.Since(start); test.whole != (got >= size) || !test.whole && took > 5*time.Minute {
					t.Errorf("%d bytes in %v", got, took)
				}
			})
			if test.whole != (failed == nil) {
				t.Error(failed)
			}
		})
	}
}

// A body that is announced but never sent must not hold up a request that doesn't need it.
func TestABodyThatNobodyReadsHoldsNothing(t *testing.T) {
	over(t, func(c *gin.Context) { c.String(http.StatusOK, "done") }, func(conn net.Conn) {
		start := time.Now()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
		if took := time.Since(start); took > time.Minute+time.Second {
			t.Errorf("the connection was open for %v", took)
		}
	})
}

func TestAnEventStreamLastsAsLongAsItIsTaken(t *testing.T) {
	events := func(ended *error) gin.HandlerFunc {
		return func(c *gin.Context) {
			for range 200 {
				c.SSEvent("tick", strings.Repeat("x", 8000))
				c.Writer.Flush()
				select {
				case <-time.After(15 * time.Second):
				case <-c.Request.Context().Done():
					*ended = context.Cause(c.Request.Context())
					return
				}
			}
		}
	}
	for _, taken := range []bool{true, false} {
		var ended error
		over(t, events(&ended), func(conn net.Conn) {
			start := time.Now()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if !taken {
				time.Sleep(3 * time.Minute)
			}
			_, _ = io.Copy(io.Discard, conn)
			if took := time.Since(start); taken && took < 45*time.Minute {
				t.Errorf("it ended after %v", took)
			}
		})
		if taken != (ended == nil) {
			t.Errorf("taken: %v, and it ended with %v", taken, ended)
		}
	}
}
