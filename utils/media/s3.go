package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/minio/minio-go/v7"
)

// s3 is a bucket of an S3-compatible storage. Files are stored under the prefix.
type s3 struct {
	client    *minio.Core
	transport *http.Transport
	bucket    string
	prefix    string
}

func (s *s3) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Open requests the size immediately, and the content when it is read.
func (s *s3) Open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	info, err := s.client.StatObject(ctx, s.bucket, s.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return nil, translate(err)
	}
	return &object{ctx: ctx, s3: s, name: s.prefix + name, size: info.Size}, nil
}

func (s *s3) Delete(ctx context.Context, name string) error {
	err := translate(s.client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{}))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *s3) List(ctx context.Context, prefix string, visit func(Info) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}) {
		if o.Err != nil {
			return translate(o.Err)
		}
		if err := visit(Info{o.Key[len(s.prefix):], o.Size, o.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err() // when a context is cancelled, the list ends too, without an error
}

// translate converts the one error that callers check for.
func translate(err error) error {
	if err != nil && minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// object reads a file in a bucket with range requests. Seeking costs nothing until the next read.
type object struct {
	ctx      context.Context
	s3       *s3
	name     string
	at, size int64
	body     io.ReadCloser // from offset at, or nil
}

func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	if o.body == nil {
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	n, err := o.body.Read(p[:min(int64(len(p)), o.size-o.at)])
	o.at += int64(n)
	if err == io.EOF && o.at < o.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (o *object) open() error {
	var options minio.GetObjectOptions
	if o.at > 0 {
		if err := options.SetRange(o.at, 0); err != nil { // to the end
			return err
		}
	}
	body, _, _, err := o.s3.client.GetObject(o.ctx, o.s3.bucket, o.name, options)
	if err != nil {
		return translate(err)
	}
	o.body = body
	return nil
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start of the file")
	}
	if offset == o.at {
		return offset, nil
	}
	o.at = offset
	return offset, o.Close()
}

func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	err := o.body.Close()
	o.body = nil
	return err
}
