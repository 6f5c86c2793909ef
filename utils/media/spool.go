package media

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
)

// Spool is an upload that waits on the disk: what a slow client sends must not wait in memory. It has no name, so that it is
// gone with the process, however that ends; where a file must have one, it is gone when it is closed.
type Spool struct {
	Size int64

	file   *os.File
	remove func() error // nil: it is gone already
}

// Spool takes an upload of a picture as fast as it comes. It is to be closed.
func (s *Store) Spool(ctx context.Context, r io.Reader) (*Spool, error) {
	if err := s.Room(0); err != nil {
		return nil, err
	}
	p, err := s.newSpool()
	if err != nil {
		return nil, fmt.Errorf("spool an upload: %w", err)
	}
	src := &source{ctx: ctx, r: r, limit: s.limits.ImageBytes, what: "picture"}
	if p.Size, err = io.Copy(p.file, src); err == nil {
		_, err = p.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// newSpool makes an empty one: on the disk of the media folder, or in the system's folder for temporary files where the
// media are in a bucket.
func (s *Store) newSpool() (*Spool, error) {
	file, remove, err := s.temporary()
	if err != nil {
		return nil, err
	}
	if remove() == nil { // most systems let an open file have no name
		remove = nil
	}
	return &Spool{file: file, remove: remove}, nil
}

func (s *Store) temporary() (file *os.File, remove func() error, err error) {
	if f, is := s.bucket.(folder); is {
		name := private + rand.Text() + draftEnding // what a crash leaves of it goes with the half-written files
		file, err = f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return file, func() error { return f.root.Remove(name) }, err
	}
	if file, err = os.CreateTemp("", "tokentube-*"+draftEnding); err != nil {
		return nil, nil, err
	}
	return file, func() error { return os.Remove(file.Name()) }, nil
}

func (p *Spool) Read(b []byte) (int, error) { return p.file.Read(b) }

// Close forgets the upload.
func (p *Spool) Close() {
	_ = p.file.Close() // it was only read
	if p.remove != nil {
		_ = p.remove()
	}
}
