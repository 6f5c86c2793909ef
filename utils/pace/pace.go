// Package pace lets a transfer take as long as it makes progress, and no longer. A fixed deadline must be long enough
// for the largest file on the slowest connection, which is then a gift to clients that send or read nothing.
//
// Does not belong here: how fast is fast enough (middlewares).
package pace

import (
	"io"
	"time"
)

// Pace is how slow a client may be: it may fall behind the rate until its patience is used up; transferring data earns
// patience back, up to the full amount. Only the time spent waiting for the client counts.
type Pace struct {
	Patience time.Duration
	Rate     int // bytes per second
}

// atOnce is how much is transferred under one deadline: a quarter of the patience at the given rate. A single large
// write would show no progress until it is complete.
func (p Pace) atOnce() int { return max(1, int(p.Patience.Seconds()*float64(p.Rate)/4)) }

// meter is the patience left for one direction of one request.
type meter struct {
	Pace
	deadline func(time.Time) error // of the connection or stream
	left     time.Duration
}

// move reads or writes once, before the patience is used up.
func (m *meter) move(p []byte, do func([]byte) (int, error)) (int, error) {
	start := time.Now()
	_ = m.deadline(start.Add(m.left)) // a test's recorder has no deadlines
	n, err := do(p)
	gained := time.Duration(n) * time.Second / time.Duration(m.Rate)
	m.left = min(m.Patience, m.left-time.Since(start)+gained)
	return n, err
}

// Reader reads a body at this pace. The deadline is cleared at the end of the body: otherwise it would abort the
// request while it is still being handled.
func (p Pace) Reader(body io.ReadCloser, deadline func(time.Time) error) io.ReadCloser {
	return &reader{body, meter{p, deadline, p.Patience}}
}

type reader struct {
	io.ReadCloser
	meter meter
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.meter.move(p[:min(len(p), r.meter.atOnce())], r.ReadCloser.Read)
	if err == io.EOF {
		_ = r.meter.deadline(time.Time{})
	}
	return n, err
}

// Writer writes a response at this pace.
func (p Pace) Writer(w io.Writer, deadline func(time.Time) error) io.Writer {
	return &writer{w, meter{p, deadline, p.Patience}}
}

type writer struct {
	w     io.Writer
	meter meter
}

func (w *writer) Write(p []byte) (written int, err error) {
	for {
		piece := p[:min(len(p), w.meter.atOnce())]
		n, err := w.meter.move(piece, w.w.Write)
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}
