// Package media stores the files of the site, pictures and videos, in a folder or in an S3-compatible bucket. It
// determines a file's type only from its content, re-encodes every picture, streams every video, and serves both with
// range requests.
//
// Does not belong here: who may see or upload a file (controllers check the post first), how long it may be cached, and
// pictures drawn by code (utils/picture).
package media

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync/atomic"
	"time"
)

// Limits bounds the cost of a single upload. A zero means the default.
type Limits struct {
	ImageBytes int64 // 10 MB
	VideoBytes int64 // 500 MB
	Pixels     int   // of a picture, 40 megapixels
	Memory     int64 // for decoding a picture, 512 MB

	DecodeTime time.Duration // processor time for a large picture, 15 s; a small one gets a third of that
	Reserve    int64         // bytes of disk space that uploads leave free; zero is none
}

func (l Limits) withDefaults() Limits {
	if l.ImageBytes <= 0 {
		l.ImageBytes = 10 << 20
	}
	if l.VideoBytes <= 0 {
		l.VideoBytes = 500 << 20
	}
	if l.Pixels <= 0 {
		l.Pixels = 40_000_000
	}
	if l.Memory <= 0 {
		l.Memory = 512 << 20
	}
	if l.DecodeTime <= 0 {
		l.DecodeTime = 15 * time.Second
	}
	return l
}

// Store stores the files. It is safe for concurrent use.
type Store struct {
	bucket  Bucket
	limits  Limits
	decoder *decoder
	random  io.Reader // the source of randomness for names
	free    func() (int64, error)
	held    held

	holders atomic.Int32 // see Hold
	in, out atomic.Int64 // see Traffic
}

// Open opens the bucket that url names, such as s3://name?region=eu-west-1 (see s3Settings), or the folder dir if url
// is empty. A missing dir is created. Errors never contain a key from the URL.
func Open(ctx context.Context, url, dir string, limits Limits) (*Store, error) {
	bucket, err := openBucket(ctx, url, dir)
	if err != nil {
		return nil, fmt.Errorf("open media: %w", err)
	}
	limits = limits.withDefaults()
	return &Store{
		bucket:  bucket,
		limits:  limits,
		decoder: newDecoder(limits.DecodeTime),
		random:  rand.Reader,
		free:    freeSpaceOf(bucket),
		held:    newHeld(),
	}, nil
}

// Close closes the bucket.
func (s *Store) Close() error { return s.bucket.Close() }

// Everything under public/ (avatars and banners) may be seen by anyone who knows the name. Files under private/ are
// only served after checking the post they belong to.
const (
	public  = "public/"
	private = "private/"
)

const (
	typeJPEG = "image/jpeg"
	typePNG  = "image/png"
	typeMP4  = "video/mp4"
	typeWebM = "video/webm"
)

var endings = map[string]string{typeJPEG: ".jpg", typePNG: ".png", typeMP4: ".mp4", typeWebM: ".webm"}
var types = map[string]string{".jpg": typeJPEG, ".png": typePNG, ".mp4": typeMP4, ".webm": typeWebM}

// names matches the names that this package makes. The bucket is never asked for anything else: no ../, no partial .tmp
// file.
var names = regexp.MustCompile(`^(public|private)/[0-9a-f]{32}\.(jpg|png|mp4|webm)$`)

// newName makes an unguessable name (128 random bits).
func (s *Store) newName(folder, contentType string) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return "", fmt.Errorf("random name: %w", err)
	}
	return folder + hex.EncodeToString(b[:]) + endings[contentType], nil
}

// put stores what write writes. If that fails, nothing exists under the name.
func (s *Store) put(ctx context.Context, name, contentType string, write func(io.Writer) error) error {
	counted := func(w io.Writer) error { return write(&countedWriter{w, &s.in}) }
	if err := s.bucket.Put(ctx, name, contentType, counted); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// Delete removes the files. Empty names are skipped, missing files are not an error, and a failure doesn't prevent the
// removal of the others. While the files are held, nothing is removed, and the error is ErrHeld.
func (s *Store) Delete(ctx context.Context, list ...string) error {
	if s.holders.Load() > 0 {
		return ErrHeld
	}
	return s.remove(ctx, list...)
}

func (s *Store) remove(ctx context.Context, list ...string) error {
	var faults []error
	for _, name := range list {
		if !names.MatchString(name) {
			continue
		}
		if err := s.bucket.Delete(ctx, name); err != nil {
			faults = append(faults, fmt.Errorf("delete %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// cleanUpTime is for removing what a failed upload left behind.
const cleanUpTime = 10 * time.Second

// discard removes what a failed upload stored and no document ever named. The upload's context may be cancelled
// already.
func (s *Store) discard(ctx context.Context, list ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	return s.remove(ctx, list...)
}
