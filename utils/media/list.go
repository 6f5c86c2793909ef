package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Info is what the storage knows of a file.
type Info struct {
	Name    string
	Size    int64
	Changed time.Time
}

// Folders are where names begin.
func Folders() []string { return []string{public, private} }

// IsName tells a name that this package makes.
func IsName(name string) bool { return names.MatchString(name) }

// Each visits the files whose names begin with prefix, in the order of their
// names. Files that are not ours are passed over.
func (s *Store) Each(ctx context.Context, prefix string, visit func(Info) error) error {
	list := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list the files: %w", err)
		}
		if !IsName(object.Key) {
			continue
		}
		if err := visit(Info{object.Key, object.Size, object.ModTime}); err != nil {
			return err
		}
	}
}

// Exists tells whether there is a file with this name.
func (s *Store) Exists(ctx context.Context, name string) (bool, error) {
	if !IsName(name) {
		return false, nil
	}
	return s.bucket.Exists(ctx, name)
}

// ErrGone: the file was deleted since it was listed.
var ErrGone = errors.New("the file is gone")

// Read opens a file from its beginning. It is to be closed.
func (s *Store) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := s.bucket.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("read %s: %w", name, ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return file, nil
}

// ErrHeld: nothing is deleted at the moment. It is to be tried again.
var ErrHeld = errors.New("the files are held")

// Hold keeps files from being deleted until release is called, so that a copy of
// the database and the files that it names stay together.
func (s *Store) Hold() (release func()) {
	s.holders.Add(1)
	return func() { s.holders.Add(-1) }
}
