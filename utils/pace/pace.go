// Package pace lets a transfer take as long as it moves, and no longer. A fixed deadline must be long enough for the largest
// file on the slowest line, and is then a gift to a client that sends or takes nothing.
//
// Does not belong here: how fast is fast enough (middlewares).
package pace

import (
	"io"
	"time"
)

// Pace is how slow a client may be: it may lag behind the rate for as long as the patience lasts, and what it moves buys time
// back, up to the whole patience again. Only the time spent waiting for the client counts.
type Pace struct {
	Patience time.Duration
	Rate     int // bytes a second
}

// atOnce is how much is moved under one deadline, at the rate in a quarter of the patience: a single write of a large file
// would be no progress until it is over.
func (p Pace) atOnce() int { return max(1, int(p.Patience.Seconds()*float64(p.Rate)/4)) }

// meter is the patience that is left for one direction of one request.
type meter struct {
	Pace
	deadline func(time.Time) error // of the connection or stream
	left     time.Duration
}

// move reads or writes once, before the patience is over.
func (m *meter) move(p []byte, do func([]byte) (int, error)) (int, error) {
	start := time.Now()
	_ = m.deadline(start.Add(m.left)) // a test's recorder has none
	n, err := do(p)
	gained := time.Duration(n) * time.Second / time.Duration(m.Rate)
	m.left = min(m.Patience, m.left-time.Since(start)+gained)
	return n, err
}

// Reader reads a body at this pace. The deadline ends with the body: it would otherwise end the request that is still at work.
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
