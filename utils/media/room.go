package media

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"tokentube/utils/apperr"
)

// Room refuses an upload of n bytes if it would take of the reserve of free disk space: a full disk stops far more than
// uploads. Where nobody knows how much is free, as in a bucket, there is room.
func (s *Store) Room(n int64) error {
	if s.free == nil || s.limits.Reserve == 0 {
		return nil
	}
	free, err := s.free()
	if err != nil || free-n >= s.limits.Reserve {
		return nil // if it is not known, writing will tell
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

// held is the memory for uploads that have arrived and are about to be decoded, which happens in memory. A large one waits
// for other large ones alone, so that a small one passes.
type held struct{ small, large *semaphore.Weighted }

const (
	smallUpload = 1 << 20
	heldSmall   = 32 << 20
	heldLarge   = 96 << 20
)

func newHeld() held {
	return held{semaphore.NewWeighted(heldSmall), semaphore.NewWeighted(heldLarge)}
}

// Memory waits until there is memory for an upload of n bytes, and takes it until release is called.
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

// FreeSpace is how many bytes the disk of a folder has left, for those who are not the system's administrator.
func FreeSpace(dir string) (int64, error) { return freeSpace(dir) }
