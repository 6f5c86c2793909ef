package localdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// ErrFull is returned by a write for which there was no space. It changed nothing.
var ErrFull = errors.New("there is no room left for the data")

// The reserve is unused space inside the file. Without it, a full disk would refuse even operations that free space: a
// delete writes pages before it frees any. When a write finds no space, the reserve is released for deletes and for
// writes marked as Essential; all other writes are refused until the reserve is complete again. It is kept in small
// pieces, which also fit between other pages.
const (
	reservePieces = 32
	refillPause   = time.Second
)

var reserveBucket = []byte("reserve")

// WithReserve reserves this many bytes in the file for deletes and essential writes on a full disk; by default, none.
func WithReserve(bytes int) Option { return func(d *DB) { d.reserve = bytes } }

type essentialKey struct{}

// Essential marks the writes made with this context as ones that may use the reserve.
func Essential(ctx context.Context) context.Context {
	return context.WithValue(ctx, essentialKey{}, true)
}

func isEssential(ctx context.Context) bool { return ctx.Value(essentialKey{}) != nil }

// nature is what an operation does, as far as the reserve is concerned.
type nature struct{ frees, adds bool }

func (n *nature) add(other nature) {
	n.frees, n.adds = n.frees || other.frees, n.adds || other.adds
}

// urgent reports whether a write may use the reserve: it adds nothing that isn't essential.
func (n nature) urgent() bool { return n.frees && !n.adds }

// note updates the nature for a changed document.
func (w *writeTx) note(before, after value) {
	switch {
	case w.essential || !isDocument(after):
		w.frees = true
	case !isDocument(before):
		w.adds = true
	}
}

// Short reports whether the disk is full, as far as the latest writes have shown.
func (d *DB) Short() bool { return d.short.Load() }

const (
	probeFile  = "probe.tmp"
	probeBytes = 64 << 10
)

// Folder is the folder of the data file.
func (d *DB) Folder() string { return filepath.Dir(d.bolt.Path()) }

// Probe writes a small file next to the data file and removes it again. Only one caller at a time.
func (d *DB) Probe() error {
	path := filepath.Join(d.Folder(), probeFile)
	err := os.WriteFile(path, make([]byte, probeBytes), 0o600)
	return errors.Join(err, os.RemoveAll(path))
}

// findShort records that a write found no space.
func (d *DB) findShort() {
	if d.reserve > 0 {
		d.short.Store(true)
		d.refilled = time.Now()
	}
}

// useReserve releases the reserve, if it exists and one of the failed writes may use it.
func (d *DB) useReserve(batch []*operation) bool {
	if d.reserve == 0 || !slices.ContainsFunc(batch, func(o *operation) bool { return o.urgent() }) {
		return false
	}
	return d.update(func(tx *bbolt.Tx) error {
		if tx.Bucket(reserveBucket) == nil {
			return errNothing
		}
		return tx.DeleteBucket(reserveBucket)
	}) == nil
}

// refill restores the reserve once there is space, and allows all writes again.
func (d *DB) refill() {
	if !d.short.Load() || time.Since(d.refilled) < refillPause {
		return
	}
	d.refilled = time.Now()
	_ = d.fillReserve() // on failure it stays as it is, and is tried again
}

func (d *DB) fillReserve() error {
	if d.reserve == 0 {
		return nil
	}
	err := d.update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(reserveBucket)
		if err != nil {
			return err
		}
		before := bucket.Sequence()
		for i := range byte(reservePieces) {
			if bucket.Get([]byte{i}) != nil {
				continue
			}
			if err := errors.Join(bucket.Put([]byte{i}, make([]byte, d.reserve/reservePieces)), bucket.SetSequence(before+1)); err != nil {
				return err
			}
		}
		if bucket.Sequence() == before {
			return errNothing
		}
		return nil
	})
	d.short.Store(errors.Is(err, ErrFull))
	if errors.Is(err, errNothing) || errors.Is(err, ErrFull) {
		return nil // the site starts even on a full disk, so that space can be freed
	}
	return err
}

// full recognizes failures that more space would fix. For one of them, bbolt only keeps the text.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) || strings.HasPrefix(err.Error(), resizeFailed) {
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}
