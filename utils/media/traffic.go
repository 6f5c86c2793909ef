package media

import (
	"io"
	"sync/atomic"
)

// Traffic is how many bytes have been stored in files since the start, and how many were read to be served.
func (s *Store) Traffic() (in, out int64) { return s.in.Load(), s.out.Load() }

type countedWriter struct {
	io.Writer
	n *atomic.Int64
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n.Add(int64(n))
	return n, err
}

type countedReader struct {
	io.ReadSeeker
	n *atomic.Int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p)
	r.n.Add(int64(n))
	return n, err
}
