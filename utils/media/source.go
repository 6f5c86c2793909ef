package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"tokentube/utils/apperr"
)

// source reads an upload, counts its bytes, and stops at the limit or when the context is cancelled. It remembers the
// error, so that a broken connection isn't mistaken for a broken file.
type source struct {
	ctx   context.Context
	r     io.Reader
	limit int64
	what  string // "picture" or "video"
	n     int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	// One byte past the limit is enough to know.
	if room := s.limit - s.n + 1; int64(len(p)) > room {
		p = p[:room]
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	if s.n > s.limit {
		s.err = tooLarge(s.what, s.limit)
		return 0, s.err
	}
	if err != nil && err != io.EOF {
		s.err = s.translate(err)
		return n, s.err
	}
	return n, err
}

func (s *source) translate(err error) error {
	var capped *http.MaxBytesError
	if errors.As(err, &capped) {
		return tooLarge(s.what, min(s.limit, capped.Limit)).Because(err)
	}
	return fmt.Errorf("read the %s: %w", s.what, err)
}

func tooLarge(what string, limit int64) *apperr.Error {
	return apperr.New(apperr.TooLarge, "The %s is larger than %s.", what, size(limit))
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d kB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
