package middlewares

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
)

// overHTTP2 runs the action behind Progress, on an HTTP/2 server with our deadlines.
func overHTTP2(t *testing.T, action gin.HandlerFunc, use func(*http.Client, string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		gin.SetMode(gin.ReleaseMode)
		engine := gin.New()
		engine.Any("/", Progress, action)
		near, far := net.Pipe()
		server := httptest.NewUnstartedServer(engine.Handler())
		_ = server.Listener.Close()
		server.Listener, server.EnableHTTP2 = newOneConn(far), true
		server.Config.ReadTimeout, server.Config.WriteTimeout = 30*time.Second, 30*time.Second
		server.StartTLS()
		client := server.Client()
		client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return near, nil }
		use(client, server.URL)
		client.CloseIdleConnections()
		_ = near.Close()
		server.Close()
	})
}

// slowly is a body that arrives in pieces.
type slowly struct {
	pieces, size int
	every        time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.pieces == 0 {
		return 0, io.EOF
	}
	s.pieces--
	time.Sleep(s.every)
	return min(len(p), s.size), nil
}

func TestLongRequestsOfHTTP2(t *testing.T) {
	for name, test := range map[string]struct {
		body  *slowly
		whole bool
	}{
		"an upload of ten minutes": {&slowly{600, 10_000, time.Second}, true},
		"a byte a second":          {&slowly{600, 1, time.Second}, false},
		"a stop of a minute":       {&slowly{3, 10_000, time.Minute}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var failed error
			overHTTP2(t, func(c *gin.Context) {
				_, failed = io.Copy(io.Discard, c.Request.Body)
				c.String(http.StatusOK, "done")
			}, func(client *http.Client, address string) {
				start := time.Now()
				response, err := client.Post(address, "video/mp4", test.body)
				if err == nil {
					_ = response.Body.Close()
				}
				if took := time.Since(start); test.whole && (err != nil || response.ProtoMajor != 2) || !test.whole && took > 2*time.Minute {
					t.Errorf("%v, %v after %v", response, err, took)
				}
			})
			if test.whole != (failed == nil) {
				t.Error(failed)
			}
		})
	}
}

func TestLongResponsesOfHTTP2(t *testing.T) {
	const size = 20 << 20 // more than the client's window, which it fills without being asked
	for name, test := range map[string]struct {
		every time.Duration // 100 kB
		whole bool
	}{
		"ten minutes": {2 * time.Second, true},
		"stalled":     {10 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			var failed error
			overHTTP2(t, func(c *gin.Context) {
				_, failed = c.Writer.Write(make([]byte, size))
			}, func(client *http.Client, address string) {
				response, err := client.Get(address)
				if err != nil {
					t.Error(err)
					return
				}
				got := 0
				for piece := make([]byte, 100_000); err == nil; time.Sleep(test.every) {
					var n int
					n, err = io.ReadFull(response.Body, piece)
					got += n
				}
				if test.whole != (got == size) {
					t.Errorf("%d bytes, %v", got, err)
				}
				_ = response.Body.Close()
			})
			if test.whole != (failed == nil) {
				t.Error(failed)
			}
		})
	}
}

func TestEventStreamsOfHTTP2(t *testing.T) {
	events := 0
	overHTTP2(t, func(c *gin.Context) {
		for range 60 {
			c.SSEvent("tick", "x")
			c.Writer.Flush()
			time.Sleep(15 * time.Second)
		}
	}, func(client *http.Client, address string) {
		response, err := client.Get(address)
		if err != nil {
			t.Error(err)
			return
		}
		text, err := io.ReadAll(response.Body)
		if events = len(text); err != nil {
			t.Errorf("after %d bytes: %v", events, err)
		}
	})
	if events != 60*len("event:tick\ndata:x\n\n") {
		t.Errorf("%d bytes of events", events)
	}
}
