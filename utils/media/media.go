// Package media stores the files of the site: pictures and videos, in a folder
// or in an S3-compatible bucket. It decides what a file is from its bytes alone,
// re-encodes every picture, streams every video, and serves both by range.
//
// It does not belong here: who may see or upload a file (controllers look at
// the post first), how long it may be cached, and pictures that are drawn by
// code (utils/picture).
package media

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/memblob" // mem://, for tests
	_ "gocloud.dev/blob/s3blob"  // s3://bucket?region=…&endpoint=…
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/semaphore"
)

// Limits says how much one upload may cost. A zero is the default.
type Limits struct {
	ImageBytes int64 // 10 MB
	VideoBytes int64 // 500 MB
	Pixels     int   // 40 megapixels, also for all pictures that are decoded at once
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
	return l
}

// Store keeps the files. It is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	limits Limits
	pixels *semaphore.Weighted // pixels that may still be decoded at this moment
	random io.Reader           // where names come from

	holders atomic.Int32 // see Hold
}

// Open opens the bucket that url names, such as s3://name?region=eu-west-1, or
// the folder dir when url is empty. The folder is made if it is missing.
func Open(ctx context.Context, url, dir string, limits Limits) (*Store, error) {
	bucket, err := openBucket(ctx, url, dir)
	if err != nil {
		return nil, fmt.Errorf("open media: %w", err)
	}
	limits = limits.withDefaults()
	return &Store{
		bucket: bucket,
		limits: limits,
		pixels: semaphore.NewWeighted(int64(limits.Pixels)),
		random: rand.Reader,
	}, nil
}

func openBucket(ctx context.Context, url, dir string) (*blob.Bucket, error) {
	if url != "" {
		return blob.OpenBucket(ctx, url)
	}
	if err := removeLeftovers(dir, time.Now().Add(-24*time.Hour)); err != nil {
		return nil, err
	}
	return fileblob.OpenBucket(dir, &fileblob.Options{
		CreateDir:   true,
		DirFileMode: 0o700,
		// A half-written file lies beside its final place, so that the rename
		// which makes it visible stays on one file system and is atomic.
		NoTempDir: true,
		// The name's ending says the type: no second file that could get lost.
		Metadata: fileblob.MetadataDontWrite,
	})
}

// removeLeftovers removes half-written files that a crash left behind. The
// young ones stay: another process may be writing them.
func removeLeftovers(dir string, before time.Time) error {
	found, err := filepath.Glob(filepath.Join(dir, "p*", "*.tmp"))
	if err != nil {
		return err
	}
	for _, path := range found {
		info, err := os.Stat(path)
		if err != nil || info.ModTime().After(before) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close closes the bucket.
func (s *Store) Close() error { return s.bucket.Close() }

// Everything under public/ may be seen by anyone who knows the name; what is
// under private/ is served only after a look at the post that owns it.
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

// names is what our own names look like. Nothing else is ever asked of the
// bucket: no ../, no half-written .tmp file.
var names = regexp.MustCompile(`^(public|private)/[0-9a-f]{32}\.(jpg|png|mp4|webm)$`)

// newName makes a name that cannot be guessed (128 random bits), so that a
// public file of a draft stays unknown until the post is published.
func (s *Store) newName(folder, contentType string) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return "", fmt.Errorf("random name: %w", err)
	}
	return folder + hex.EncodeToString(b[:]) + endings[contentType], nil
}

// put stores what write writes. If that fails, nothing appears under the name.
func (s *Store) put(ctx context.Context, name, contentType string, write func(io.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.bucket.NewWriter(ctx, name, &blob.WriterOptions{ContentType: contentType})
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	if err := write(w); err != nil {
		cancel() // before Close, which would otherwise keep the half that is there
		_ = w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// Delete removes the files. Empty names are skipped, a file that is gone
// already is no error, and one that fails does not keep the others. While the
// files are held, nothing is removed, and the error is ErrHeld.
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
		err := s.bucket.Delete(ctx, name)
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			faults = append(faults, fmt.Errorf("delete %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// discard removes what a failed upload stored, which no document ever named. The
// upload's own context may be the very thing that ended.
func (s *Store) discard(ctx context.Context, list ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.remove(ctx, list...)
}
