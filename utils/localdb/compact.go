package localdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// Space is the size of the data file, and how much of it is free for new documents. A file never shrinks by itself.
type Space struct{ Bytes, Free int64 }

// Space measures the file.
func (d *DB) Space(ctx context.Context) (s Space, err error) {
	if !d.readOnly {
		if err := d.Ping(ctx); err != nil { // bbolt updates its statistics when a write transaction ends
			return s, err
		}
	}
	info, err := os.Stat(d.bolt.Path())
	if err != nil {
		return s, err
	}
	stats, used := d.bolt.Stats(), int64(0)
	err = d.view(ctx, func(tx *bbolt.Tx) error { used = tx.Size(); return nil })
	s.Bytes = info.Size()
	s.Free = int64(stats.FreePageN+stats.PendingPageN)*int64(d.bolt.Info().PageSize) + max(0, s.Bytes-used)
	return s, err
}

// copyTogether is how many bytes are copied per transaction.
const copyTogether = 4 << 20

// compacting is the suffix of an unfinished copy; what a kill leaves of it is removed at the next start.
const compacting = ".compact.tmp"

// Compact rewrites the file without its free pages, verifies the copy, and replaces the file with it. The file is
// locked meanwhile, and stays unchanged if anything fails.
func Compact(ctx context.Context, path string) (before, after Space, err error) {
	if _, err := os.Stat(path); err != nil {
		return before, after, err
	}
	d, err := Open(path, Still())
	if err != nil {
		return before, after, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Check(ctx); err != nil {
		return before, after, err
	}
	if before, err = d.Space(ctx); err != nil {
		return before, after, err
	}
	draft := path + compacting
	defer func() { _ = os.Remove(draft) }()
	if err := d.copyTo(ctx, draft); err != nil {
		return before, after, fmt.Errorf("localdb: compacting %s, which stays as it is: %w", path, err)
	}
	if after, err = measure(ctx, draft); err != nil {
		return before, after, err
	}
	return before, after, d.replace(draft)
}

// copyTo writes a copy that is on disk when it returns.
func (d *DB) copyTo(ctx context.Context, path string) error {
	if err := os.RemoveAll(path); err != nil { // left by a killed process
		return err
	}
	to, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType, NoSync: true, NoGrowSync: true})
	if err != nil {
		return err
	}
	err = d.view(ctx, func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, from *bbolt.Bucket) error { return copyBucket(ctx, to, name, from) })
	})
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

func copyBucket(ctx context.Context, to *bbolt.DB, name []byte, from *bbolt.Bucket) error {
	cursor := from.Cursor()
	key, value := cursor.First()
	for first := true; first || key != nil; first = false {
		err := to.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			bucket.FillPercent = 1
			for size := 0; key != nil && size < copyTogether; key, value = cursor.Next() {
				if err := bucket.Put(key, value); err != nil {
					return err
				}
				size += len(key) + len(value)
			}
			return errors.Join(bucket.SetSequence(from.Sequence()), ctx.Err())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// measure verifies a file and measures it.
func measure(ctx context.Context, path string) (s Space, err error) {
	d, err := OpenStill(path)
	if err != nil {
		return s, err
	}
	err = d.Check(ctx)
	s, spaceErr := d.Space(ctx)
	return s, errors.Join(err, spaceErr, d.Close())
}

// replace puts another file in the place of this one, which is still locked: a process waiting for the lock notices
// that the file has been replaced (openBolt). On systems where an open file cannot be replaced, it is closed first.
func (d *DB) replace(draft string) error {
	path := d.bolt.Path()
	if err := os.Rename(draft, path); err != nil {
		if err := errors.Join(d.Close(), os.Rename(draft, path)); err != nil {
			return err
		}
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = folder.Sync() // Windows doesn't support this, and keeps the name anyway
	return folder.Close()
}
