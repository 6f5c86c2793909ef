package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Folders are the prefixes of all names, sorted.
func Folders() []string { return []string{private, public} }

// IsName reports whether this package could have made the name.
func IsName(name string) bool { return names.MatchString(name) }

// Each visits the files whose names begin with prefix, sorted by name. Files that are not ours are skipped.
func (s *Store) Each(ctx context.Context, prefix string, visit func(Info) error) error {
	err := s.bucket.List(ctx, prefix, func(i Info) error {
		if !IsName(i.Name) {
			return nil
		}
		return visit(i)
	})
	if err != nil {
		return fmt.Errorf("list the files: %w", err)
	}
	return nil
}

// Exists reports whether there is a file with this name.
func (s *Store) Exists(ctx context.Context, name string) (bool, error) {
	if !IsName(name) {
		return false, nil
	}
	file, err := s.bucket.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", name, err)
	}
	return true, file.Close()
}

// Size is the size of a file in bytes; 0 if it doesn't exist.
func (s *Store) Size(ctx context.Context, name string) (int64, error) {
	if !IsName(name) {
		return 0, nil
	}
	file, err := s.bucket.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", name, err)
	}
	n, err := file.Seek(0, io.SeekEnd)
	return n, errors.Join(err, file.Close())
}

// ErrGone: the file was deleted after it was listed.
var ErrGone = errors.New("the file is gone")

// Read opens a file at its beginning. The caller must close it.
func (s *Store) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := s.bucket.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return file, nil
}

// ErrHeld: files can't be deleted at the moment. Retry later.
var ErrHeld = errors.New("the files are held")

// Hold prevents files from being deleted until release is called, so that a copy of the database stays consistent with
// the files that it names.
func (s *Store) Hold() (release func()) {
	s.holders.Add(1)
	return func() { s.holders.Add(-1) }
}

// RemoveDrafts removes partial files of uploads that were killed, if they were last written before the given time, and
// counts more recent ones. A bucket has no partial files.
func (s *Store) RemoveDrafts(ctx context.Context, before time.Time) (removed, young int, err error) {
	f, ok := s.bucket.(folder)
	if !ok {
		return 0, 0, nil
	}
	removed, young, err = f.removeDrafts(ctx, before)
	if err != nil {
		return removed, young, fmt.Errorf("remove half-written files: %w", err)
	}
	return removed, young, nil
}

// Local reports whether the files' times come from this machine's clock.
func (s *Store) Local() bool {
	_, ok := s.bucket.(folder)
	return ok
}

// Writable checks that the folder accepts a small file. A bucket is not checked: that costs money.
func (s *Store) Writable() error {
	f, ok := s.bucket.(folder)
	if !ok {
		return nil
	}
	if err := f.writable(); err != nil {
		return fmt.Errorf("the media folder takes no files: %w", err)
	}
	return nil
}
