package media

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
)

// Spool is an upload that waits on disk: what a slow client sends must not wait in memory. Its file has no name, so
// that it disappears with the process, however that ends; on systems where a file must have a name, it is removed when
// closed.
type Spool struct {
	Size int64

	file   *os.File
	remove func() error // nil: already removed
}

// Spool stores an upload of a picture as fast as it arrives. The caller must close it.
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

// newSpool makes an empty spool: on the disk of the media folder, or in the system's temporary folder if the media are
// in a bucket.
func (s *Store) newSpool() (*Spool, error) {
	file, remove, err := s.temporary()
	if err != nil {
		return nil, err
	}
	if remove() == nil { // most systems allow an open file to have no name
		remove = nil
	}
	return &Spool{file: file, remove: remove}, nil
}

func (s *Store) temporary() (file *os.File, remove func() error, err error) {
	if f, is := s.bucket.(folder); is {
		name := private + rand.Text() + draftEnding // what a crash leaves behind is removed with the other partial files
		file, err = f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return file, func() error { return f.root.Remove(name) }, err
	}
	if file, err = os.CreateTemp("", "tokentube-*"+draftEnding); err != nil {
		return nil, nil, err
	}
	return file, func() error { return os.Remove(file.Name()) }, nil
}

func (p *Spool) Read(b []byte) (int, error) { return p.file.Read(b) }

// Close discards the upload.
func (p *Spool) Close() {
	_ = p.file.Close() // it was only read
	if p.remove != nil {
		_ = p.remove()
	}
}
