package respond_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// lockedText is a log that many goroutines write to.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
}

// A thousand refusals because the site is overloaded make one line in the log, a warning; a fault of ours is an error
// each time.
func TestACrowdIsOneLineOfTheLog(t *testing.T) {
	pages, err := respond.NewRenderer(templates, respond.Funcs(func(name string) string { return name }, time.Now))
	if err != nil {
		t.Fatal(err)
	}
	var seconds atomic.Int64
	now := func() time.Time {
		return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds.Load()) * time.Second)
	}
	text := &lockedText{}
	gin.SetMode(gin.TestMode)
	engine := gin.New()
	engine.Use(respond.New(pages, func(*gin.Context) any { return nil }, "", respond.Flash{Now: now}, slog.New(slog.NewTextHandler(text, nil))).Use)
	fails := func(path string, err func() error) {
		engine.GET(path, respond.Handle(func(*gin.Context) error { return err() }))
	}
	fails("/crowd", func() error {
		return apperr.Crowd(5*time.Second, "Too many. Try again.").Because(errors.New("the queue is full"))
	})
	fails("/other", func() error { return apperr.Crowd(time.Second, "Too many others.") })
	fails("/fault", func() error {
		return apperr.New(apperr.Unavailable, "The database is away.").Because(errors.New("timeout"))
	})
	fails("/setup", func() error { return apperr.New(apperr.Unavailable, "This site has no such thing.") })
	ask := func(path string, times int) {
		var all sync.WaitGroup
		for range times {
			all.Go(func() {
				w := httptest.NewRecorder()
				engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != http.StatusServiceUnavailable || path == "/crowd" && w.Header().Get("Retry-After") != "5" {
					t.Errorf("%s: %d, %v", path, w.Code, w.Header())
				}
			})
		}
		all.Wait()
	}
	want := func(lines ...string) {
		t.Helper()
		got := text.lines()
		if len(got) != len(lines) {
			t.Fatalf("the log has %d lines, want %d: %s", len(got), len(lines), strings.Join(got, "\n"))
		}
		for i, line := range lines {
			for part := range strings.FieldsSeq(line) {
				if !strings.Contains(got[i], part) {
					t.Errorf("%q has no %q", got[i], part)
				}
			}
		}
	}
	ask("/crowd", 1000)
	want("level=WARN refused=1")
	ask("/other", 3)
	want("level=WARN refused=1", "level=WARN refused=1 route=/other")
	seconds.Store(9)
	ask("/crowd", 1)
	seconds.Store(10)
	ask("/crowd", 5)
	want("level=WARN refused=1", "level=WARN refused=1 route=/other", "level=WARN refused=1001 route=/crowd")
	ask("/setup", 2) // without a cause: the site is configured that way
	ask("/fault", 2)
	want("level=WARN", "level=WARN", "level=WARN", "level=ERROR route=/fault", "level=ERROR route=/fault")
}
