package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/minio/minio-go/v7"
)

// partSize is the smallest part that S3 accepts. An upload of any length keeps only one part in memory; with at most
// 10,000 parts, a file may have 50 GB.
const partSize = 5 << 20

// upload sends what is written to it in parts. Content that fits in one part is sent as a whole.
type upload struct {
	ctx         context.Context
	s3          *s3
	name        string
	contentType string
	id          string // of the multipart upload, once it has begun
	part        []byte
	sent        []minio.CompletePart
}

func (s *s3) Put(ctx context.Context, name, contentType string, write func(io.Writer) error) error {
	u := &upload{ctx: ctx, s3: s, name: s.prefix + name, contentType: contentType}
	if err := write(u); err != nil {
		u.abandon(false)
		return err
	}
	if err := u.finish(); err != nil {
		u.abandon(true)
		return err
	}
	return nil
}

func (u *upload) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if len(u.part) == partSize {
			if err := u.send(); err != nil {
				return written, err
			}
		}
		n := min(len(p), partSize-len(u.part))
		if len(u.part) > 0 {
			// A second write: this is a stream. Growing by doubling would leave as much garbage behind.
			u.part = slices.Grow(u.part, partSize-len(u.part))
		}
		u.part = append(u.part, p[:n]...)
		written, p = written+n, p[n:]
	}
	return written, nil
}

func (u *upload) send() error {
	if u.id == "" {
		id, err := u.s3.client.NewMultipartUpload(u.ctx, u.s3.bucket, u.name, minio.PutObjectOptions{ContentType: u.contentType})
		if err != nil {
			return err
		}
		u.id = id
	}
	part, err := u.s3.client.PutObjectPart(u.ctx, u.s3.bucket, u.name, u.id, len(u.sent)+1, bytes.NewReader(u.part), int64(len(u.part)),
		minio.PutObjectPartOptions{Sha256Hex: u.digest(), DisableContentSha256: true})
	if err != nil {
		return err
	}
	u.sent = append(u.sent, minio.CompletePart{PartNumber: part.PartNumber, ETag: part.ETag})
	u.part = u.part[:0]
	return nil
}

// digest is what the signature covers: it ensures that what was sent arrives unchanged, even over plain HTTP. The
// library's own method signs each chunk, which fewer servers support.
func (u *upload) digest() string {
	sum := sha256.Sum256(u.part)
	return hex.EncodeToString(sum[:])
}

func (u *upload) finish() error {
	if u.id == "" {
		_, err := u.s3.client.PutObject(u.ctx, u.s3.bucket, u.name, bytes.NewReader(u.part), int64(len(u.part)), "", u.digest(),
			minio.PutObjectOptions{ContentType: u.contentType, DisableContentSha256: true})
		return err
	}
	if len(u.part) > 0 {
		if err := u.send(); err != nil {
			return err
		}
	}
	_, err := u.s3.client.CompleteMultipartUpload(u.ctx, u.s3.bucket, u.name, u.id, u.sent, minio.PutObjectOptions{})
	return err
}

// abandon removes the parts, and also the file itself if a lost response leaves its existence uncertain. What cannot be
// removed now is removed by "repair", or by the bucket's own rule for incomplete uploads.
func (u *upload) abandon(maybeThere bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), cleanUpTime)
	defer cancel()
	if u.id != "" {
		_ = u.s3.client.AbortMultipartUpload(ctx, u.s3.bucket, u.name, u.id)
	}
	if maybeThere {
		_ = u.s3.client.RemoveObject(ctx, u.s3.bucket, u.name, minio.RemoveObjectOptions{})
	}
}

// sender stops reading a request's body when the request ends. The standard transport may continue for a while if the
// response comes early or not at all, while the same bytes are being sent again or the buffer is being reused.
type sender struct{ http.RoundTripper }

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return s.RoundTripper.RoundTrip(r)
	}
	body := &sending{ReadCloser: r.Body}
	defer body.end()
	r = r.WithContext(r.Context()) // a copy: the caller's request must not be modified
	r.Body = body
	return s.RoundTripper.RoundTrip(r)
}

type sending struct {
	mu    sync.Mutex
	ended bool
	io.ReadCloser
}

func (b *sending) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, errors.New("the request has ended")
	}
	return b.ReadCloser.Read(p)
}

func (b *sending) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}
