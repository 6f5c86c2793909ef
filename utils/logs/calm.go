package logs

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	window = 10 * time.Second
	burst  = 500   // similar lines in a window; further ones are counted
	kinds  = 1_000 // of lines that are distinguished in a window
)

// Calm is a handler that passes on the first lines of each kind in a window of ten seconds, and counts the rest: one
// line at the end reports how many there were. So a flood costs neither disk space nor the reader's attention, and no
// kind of error ever goes missing. Lines are of the same kind if they have the same level, message, method, route,
// status and code.
func Calm(to slog.Handler) slog.Handler { return calm{to, &storm{to: to, kinds: map[string]*kind{}}} }

type calm struct {
	slog.Handler
	*storm
}

// storm is shared by all handlers of one log.
type storm struct {
	to    slog.Handler
	mu    sync.Mutex
	end   time.Time // of the window
	kinds map[string]*kind
	timer *time.Timer // set while something must be reported at the end of the window
}

type kind struct {
	level slog.Level
	name  string
	lines int
}

func (h calm) WithAttrs(attrs []slog.Attr) slog.Handler {
	return calm{h.Handler.WithAttrs(attrs), h.storm}
}
func (h calm) WithGroup(name string) slog.Handler { return calm{h.Handler.WithGroup(name), h.storm} }

func (h calm) Handle(ctx context.Context, r slog.Record) error {
	if !h.take(r) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// take counts a line, and reports whether to pass it on.
func (s *storm) take(r slog.Record) bool {
	name := nameOf(r)
	s.mu.Lock()
	over := s.next(r.Time)
	k := s.kinds[name]
	if k == nil && len(s.kinds) >= kinds {
		name = r.Level.String() // one kind for all others
		k = s.kinds[name]
	}
	if k == nil {
		k = &kind{r.Level, name, 0}
		s.kinds[name] = k
	}
	k.lines++
	passes := k.lines <= burst
	if !passes && s.timer == nil {
		s.timer = time.AfterFunc(max(0, time.Until(s.end)), s.Flush)
	}
	s.mu.Unlock()
	s.tell(over)
	return passes
}

// next starts a new window if this one is over, and returns what was suppressed in it.
func (s *storm) next(now time.Time) []*kind {
	if now.Before(s.end) && s.end.Sub(now) <= window { // if the clock was set back, a new window starts
		return nil
	}
	return s.begin(now)
}

func (s *storm) begin(now time.Time) (over []*kind) {
	for _, k := range s.kinds {
		if k.lines > burst {
			over = append(over, k)
		}
	}
	clear(s.kinds)
	s.end = now.Add(window)
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return over
}

// Flush ends the window, and reports what was suppressed.
func (s *storm) Flush() {
	s.mu.Lock()
	over := s.begin(time.Now())
	s.mu.Unlock()
	s.tell(over)
}

func (s *storm) tell(over []*kind) {
	for _, k := range over {
		r := slog.NewRecord(time.Now(), max(k.level, slog.LevelWarn), "lines like each other were left out", 0)
		r.AddAttrs(slog.String("like", k.name), slog.Int("left_out", k.lines-burst))
		_ = s.to.Handle(context.Background(), r)
	}
}

// nameOf is what lines of one kind have in common.
func nameOf(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Level.String() + " " + strconv.Quote(r.Message))
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "method", "route", "status", "code":
			b.WriteString(" " + a.Key + "=" + a.Value.String())
		}
		return true
	})
	return b.String()
}
