// Package archive is the format of a backup: a tar file with the database, the media files and optionally the secrets.
// An entry at its end marks it as complete.
//
// Does not belong here: where backups come from and go to (commands, controllers).
package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"tokentube/utils/media"
)

// The entries of the tar file, in this order.
const (
	headEntry    = "tokentube-backup.json" // Head
	Database     = "tokentube.db"
	Secrets      = "secrets.env"
	Media        = "media"
	mediaEntries = Media + "/"
	endEntry     = "complete.sha256" // a digest of the names, sizes and contents before it
)

const formatVersion = 1

// Head describes a backup and its contents.
type Head struct {
	Format  int       `json:"tokentubeBackup"`
	Made    time.Time `json:"made"`
	Media   bool      `json:"media"` // false: the files were in a bucket
	Secrets bool      `json:"secrets"`
}

// Contents is what a backup is made from.
type Contents struct {
	Database string       // the path of a data file that nobody is writing to
	Secrets  string       // the path of the secrets; empty: not included
	Media    *media.Store // nil: not included
	Made     time.Time
}

// Write writes a backup. Read rejects a backup that Write couldn't complete.
func Write(ctx context.Context, to io.Writer, c Contents) error {
	w := &writer{ctx: ctx, tar: tar.NewWriter(to), digest: sha256.New(), made: c.Made.UTC().Truncate(time.Second)}
	head, err := json.Marshal(Head{Format: formatVersion, Made: w.made, Media: c.Media != nil, Secrets: c.Secrets != ""})
	if err != nil {
		return err
	}
	if err := w.text(headEntry, append(head, '\n')); err != nil {
		return err
	}
	if err := w.file(Database, c.Database); err != nil {
		return err
	}
	if c.Secrets != "" {
		if err := w.file(Secrets, c.Secrets); err != nil {
			return err
		}
	}
	if c.Media != nil {
		err := c.Media.Each(ctx, "", func(i media.Info) error { return w.media(c.Media, i) })
		if err != nil {
			return err
		}
	}
	if err := w.text(endEntry, sum(w.digest)); err != nil {
		return err
	}
	return w.tar.Close()
}

type writer struct {
	ctx    context.Context
	tar    *tar.Writer
	digest hash.Hash
	made   time.Time
}

func (w *writer) add(name string, size int64, content io.Reader) error {
	err := w.tar.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: size, ModTime: w.made, Format: tar.FormatPAX})
	if err != nil {
		return err
	}
	identify(w.digest, name, size)
	n, err := io.Copy(io.MultiWriter(w.tar, w.digest), reading{w.ctx, content})
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes and had %d", name, n, size)
	}
	return err
}

func (w *writer) text(name string, content []byte) error {
	return w.add(name, int64(len(content)), bytes.NewReader(content))
}

func (w *writer) file(name, path string) error {
	file, err := os.Open(path) // #nosec G304 -- the site's own files
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return w.add(name, info.Size(), file)
}

func (w *writer) media(store *media.Store, i media.Info) error {
	file, err := store.Read(w.ctx, i.Name)
	if errors.Is(err, media.ErrGone) {
		return nil // from a failed upload: files that the database names are held
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return w.add(mediaEntries+i.Name, i.Size, file)
}

// identify adds an entry's name and size to the digest, before its content. The size prevents the end of one entry from
// being taken for the beginning of the next.
func identify(digest hash.Hash, name string, size int64) {
	_, _ = fmt.Fprintf(digest, "%s\x00%d\x00", name, size) // writing to a hash never fails
}

func sum(digest hash.Hash) []byte { return []byte(hex.EncodeToString(digest.Sum(nil)) + "\n") }

// reading is a reader that fails once the context is cancelled.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
