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

// snapshots is the name pattern of snapshots in use; those left by a killed process are removed after a day.
const (
	snapshots    = "snapshot-*.db.tmp"
	leftoversFor = 24 * time.Hour
)

// Snapshot writes a copy of the file at a single point in time to a folder, and verifies it. Reads and writes continue,
// unless the file outgrows its memory mapping: then they wait. Only this user can read the copy; remove it after use.
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
		return cmp.Or(ctx.Err(), err) // bbolt doesn't wrap the writer's error
	})
	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("localdb: copying the data file: %w", err)
	}
	return file.Name(), CheckFile(ctx, file.Name())
}

func removeLeftovers(dir string, before time.Time) {
	found, _ := filepath.Glob(filepath.Join(dir, snapshots)) // only fails on a bad pattern
	for _, path := range found {
		if info, err := os.Stat(path); err == nil && info.ModTime().Before(before) {
			_ = os.Remove(path)
		}
	}
}

// RemoveLeftovers removes what killed processes left next to the file: copies for a backup or a compaction. Only the
// process that has the file open for writing creates them.
func (d *DB) RemoveLeftovers() {
	removeLeftovers(filepath.Dir(d.bolt.Path()), time.Now())
	_ = os.Remove(d.bolt.Path() + compacting)
	_ = os.Remove(filepath.Join(filepath.Dir(d.bolt.Path()), probeFile))
}

// CheckFile is Check for a file that no process has open. It modifies nothing, and no document expires.
func CheckFile(ctx context.Context, path string) error {
	d, err := OpenStill(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Check(ctx), d.Close())
}

// Still keeps every document from expiring.
func Still() Option { return WithClock(func() time.Time { return time.Time{} }) }

// OpenStill opens an existing file for reading only. Other processes may do the same, and the file may be in a
// read-only place. No document expires, and every write is refused.
func OpenStill(path string, opts ...Option) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return Open(path, append(opts, Still(), func(d *DB) { d.readOnly = true })...)
}

// untilDone is a writer that fails once the context is cancelled.
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
