package localdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// snapshots is what the files are named while they are needed; what a killed process left of them goes after a day.
const (
	snapshots    = "snapshot-*.db.tmp"
	leftoversFor = 24 * time.Hour
)

// Snapshot writes a copy of the file as it is at one moment into a folder, and checks it. Reads and writes go on
// meanwhile, unless the file outgrows what of it is mapped: then they wait. The copy is readable by this user alone;
// remove it after use.
func (d *DB) Snapshot(ctx context.Context, dir string) (path string, err error) {
	if err := d.outside(ctx, "Snapshot"); err != nil {
		return "", err
	}
	removeLeftovers(dir, time.Now().Add(-leftoversFor))
	file, err := os.CreateTemp(dir, snapshots) // mode 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	err = d.view(ctx, func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(untilDone{ctx, file})
		return cmp.Or(ctx.Err(), err) // bbolt does not wrap what the writer says
	})
	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("localdb: copying the data file: %w", err)
	}
	return file.Name(), CheckFile(ctx, file.Name())
}

func removeLeftovers(dir string, before time.Time) {
	found, _ := filepath.Glob(filepath.Join(dir, snapshots)) // fails on a bad pattern alone
	for _, path := range found {
		if info, err := os.Stat(path); err == nil && info.ModTime().Before(before) {
			_ = os.Remove(path)
		}
	}
}

// RemoveLeftovers removes what killed processes left beside the file: copies for a backup or a compaction. Whoever has the
// file open for writing is the only one who makes any.
func (d *DB) RemoveLeftovers() {
	removeLeftovers(filepath.Dir(d.bolt.Path()), time.Now())
	_ = os.Remove(d.bolt.Path() + compacting)
	_ = os.Remove(filepath.Join(filepath.Dir(d.bolt.Path()), probeFile))
}

// CheckFile is Check for a file that nobody has open. It changes nothing in it, and nothing in it expires.
func CheckFile(ctx context.Context, path string) error {
	d, err := OpenStill(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Check(ctx), d.Close())
}

// Still keeps every document from expiring.
func Still() Option { return WithClock(func() time.Time { return time.Time{} }) }

// OpenStill opens a file that must be there for reading only, beside others who do, also where it may not be written: no
// document expires, every write is refused.
func OpenStill(path string, opts ...Option) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return Open(path, append(opts, Still(), func(d *DB) { d.readOnly = true })...)
}

// untilDone is a writer that fails when the context ends.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(p)
}
