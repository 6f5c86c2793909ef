package media

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"tokentube/utils/apperr"
)

// Room rejects an upload of n bytes if it would use up some of the reserved disk space: a full disk stops far more than
// uploads. If the free space is unknown, as in a bucket, every upload is accepted.
func (s *Store) Room(n int64) error {
	if s.free == nil || s.limits.Reserve == 0 {
		return nil
	}
	free, err := s.free()
	if err != nil || free-n >= s.limits.Reserve {
		return nil // if it is unknown, writing will show it
	}
	e := apperr.New(apperr.NoRoom, "The site has no room for uploads right now. Everything else works. Try again later.")
	e.RetryAfter = time.Minute
	return e
}

func freeSpaceOf(b Bucket) func() (int64, error) {
	f, is := b.(folder)
	if !is {
		return nil
	}
	return func() (int64, error) { return freeSpace(f.root.Name()) }
}

// held is the memory for uploads that have arrived and are about to be decoded, which happens in memory. A large upload
// only waits for other large ones, so that small ones aren't held up.
type held struct{ small, large *semaphore.Weighted }

const (
	smallUpload = 1 << 20
	heldSmall   = 32 << 20
	heldLarge   = 96 << 20
)

func newHeld() held {
	return held{semaphore.NewWeighted(heldSmall), semaphore.NewWeighted(heldLarge)}
}

// Memory waits until there is memory for an upload of n bytes, and holds it until release is called.
func (s *Store) Memory(ctx context.Context, n int64) (release func(), err error) {
	of, all := s.held.large, int64(heldLarge)
	if n <= smallUpload {
		of, all = s.held.small, heldSmall
	}
	n = min(n, all)
	if err := of.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { of.Release(n) }, nil
}

// FreeSpace is how many bytes are free on a folder's disk, for processes without administrator rights.
func FreeSpace(dir string) (int64, error) { return freeSpace(dir) }
