package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tokentube/utils/media"
)

// ErrDamaged: the file is not a backup, or is incomplete.
var ErrDamaged = errors.New("this is not a whole backup")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Verify reads a backup to its end and checks that it is complete.
func Verify(ctx context.Context, from io.Reader) (Head, error) {
	return read(ctx, from, func(Head) error { return nil }, func(_ string, content io.Reader) error {
		_, err := io.Copy(io.Discard, content)
		return err
	})
}

// Unpack writes the contents of a backup into two empty folders. The one for media files is only created if the backup
// can contain any. The result is only valid if there was no error.
func Unpack(ctx context.Context, from io.Reader, dir, mediaDir string) (Head, error) {
	return read(ctx, from, func(head Head) error { return makeFolders(head, mediaDir) }, func(name string, content io.Reader) error {
		path := filepath.Join(dir, name)
		if inMedia, is := strings.CutPrefix(name, mediaEntries); is {
			path = filepath.Join(mediaDir, filepath.FromSlash(inMedia))
		}
		return store(path, content)
	})
}

func makeFolders(head Head, mediaDir string) error {
	if !head.Media {
		return nil
	}
	for _, folder := range media.Folders() {
		if err := os.MkdirAll(filepath.Join(mediaDir, folder), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// store writes a file and flushes it to disk before it returns.
func store(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- the name was checked
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Sync(), file.Close())
}

// read visits the header, the database, the secrets and the media files of a backup, in this order.
func read(ctx context.Context, from io.Reader, begin func(Head) error, visit func(name string, content io.Reader) error) (head Head, err error) {
	archive, digest := tar.NewReader(reading{ctx, from}), sha256.New()
	last := ""
	for {
		entry, err := archive.Next()
		if err != nil {
			return head, unreadable(ctx, err)
		}
		if err := fits(entry, head, last); err != nil {
			return head, err
		}
		if entry.Name == endEntry {
			return head, isEnd(ctx, archive, sum(digest))
		}
		last = entry.Name
		identify(digest, entry.Name, entry.Size)
		content := io.TeeReader(archive, digest)
		if entry.Name == headEntry {
			if head, err = readHead(content); err != nil {
				return head, unreadable(ctx, err)
			}
			if err := begin(head); err != nil {
				return head, err
			}
			continue
		}
		if err := visit(entry.Name, content); err != nil {
			return head, unreadable(ctx, err)
		}
	}
}

// fits checks an entry's name, which becomes a file's name, and its position.
func fits(entry *tar.Header, head Head, last string) error {
	isMedia := strings.HasPrefix(entry.Name, mediaEntries) && media.IsName(strings.TrimPrefix(entry.Name, mediaEntries))
	ok := plain(entry)
	switch entry.Name {
	case headEntry:
		ok = ok && last == "" && entry.Size < 4096
	case Database:
		ok = ok && last == headEntry
	case Secrets:
		ok = ok && last == Database && head.Secrets
	case endEntry:
		ok = ok && last != "" && last != headEntry && entry.Size < 4096
	default:
		ok = ok && isMedia && head.Media && last != headEntry
	}
	if !ok && last == "" {
		return damaged("it does not begin like one")
	}
	if !ok {
		return damaged("%q does not belong in it, or not there", entry.Name)
	}
	return nil
}

// plain reports whether an entry is an ordinary file, as written by Write: not a link or a device, and not larger
// unpacked than in the archive. A sparse file declares holes of any size, which would fill the disk.
func plain(entry *tar.Header) bool {
	for record := range entry.PAXRecords {
		if record != "size" { // for files over 8 GB
			return false
		}
	}
	return entry.Typeflag == tar.TypeReg
}

func readHead(content io.Reader) (head Head, err error) {
	text, err := io.ReadAll(content)
	if err != nil {
		return head, err
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Format < 1 {
		return head, damaged("it does not say its format")
	}
	if head.Format > formatVersion {
		return head, fmt.Errorf("the backup has format %d, and this program reads up to %d: use the newer program that wrote it", head.Format, formatVersion)
	}
	return head, nil
}

func isEnd(ctx context.Context, archive *tar.Reader, want []byte) error {
	got, err := io.ReadAll(archive)
	if err != nil {
		return unreadable(ctx, err)
	}
	if string(got) != string(want) {
		return damaged("its contents are not those that were written")
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		return damaged("there is more behind its end")
	}
	return nil
}

// unreadable converts a read error to its meaning for a backup. Errors of the disk or of the visitor are passed on.
func unreadable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return damaged("it is cut off")
	case errors.Is(err, tar.ErrHeader):
		return damaged("it is not a tar file, or is garbled")
	}
	return err
}
