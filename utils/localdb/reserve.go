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

// ErrFull is the error of a write for which there was no room. It changed nothing.
var ErrFull = errors.New("there is no room left for the data")

// The reserve is room inside the file that nothing uses. A full disk would otherwise refuse even what makes room: a delete
// writes pages before it frees any. When a write finds no room, the reserve is opened for deletes and for what is marked
// Essential; every other write is refused until the reserve is whole again. It is kept in small pieces, which also fit
// between other pages.
const (
	reservePieces = 32
	refillPause   = time.Second
)

var reserveBucket = []byte("reserve")

// WithReserve keeps so many bytes in the file, for deletes and essential writes on a full disk; none without it.
func WithReserve(bytes int) Option { return func(d *DB) { d.reserve = bytes } }

type essentialKey struct{}

// Essential marks the writes with this context as ones that go on with the reserve.
func Essential(ctx context.Context) context.Context {
	return context.WithValue(ctx, essentialKey{}, true)
}

func isEssential(ctx context.Context) bool { return ctx.Value(essentialKey{}) != nil }

// nature is what an operation does, as far as the reserve asks.
type nature struct{ frees, adds bool }

func (n *nature) add(other nature) {
	n.frees, n.adds = n.frees || other.frees, n.adds || other.adds
}

// urgent tells a write that may use the reserve: one that adds nothing but what is essential.
func (n nature) urgent() bool { return n.frees && !n.adds }

// note learns from a change of a document.
func (w *writeTx) note(before, after value) {
	switch {
	case w.essential || !isDocument(after):
		w.frees = true
	case !isDocument(before):
		w.adds = true
	}
}

// Short tells that the disk is full, as far as the last writes have shown.
func (d *DB) Short() bool { return d.short.Load() }

const (
	probeFile  = "probe.tmp"
	probeBytes = 64 << 10
)

// Probe writes a small file beside the data file, and removes it again. One caller at a time.
func (d *DB) Probe() error {
	path := filepath.Join(filepath.Dir(d.bolt.Path()), probeFile)
	err := os.WriteFile(path, make([]byte, probeBytes), 0o600)
	return errors.Join(err, os.RemoveAll(path))
}

// findShort notes that a write found no room.
func (d *DB) findShort() {
	if d.reserve > 0 {
		d.short.Store(true)
		d.refilled = time.Now()
	}
}

// useReserve opens the reserve, if it is there and one of the writes that found no room may use it.
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

// refill makes the reserve whole again, once there is room, and lets all writes try again.
func (d *DB) refill() {
	if !d.short.Load() || time.Since(d.refilled) < refillPause {
		return
	}
	d.refilled = time.Now()
	_ = d.fillReserve() // it stays as it is, and is tried again
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
		return nil // on a full disk the site starts all the same, so that room can be made
	}
	return err
}

// full tells the failures for which more room is the cure. Of one, bbolt keeps the text alone.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) || strings.HasPrefix(err.Error(), resizeFailed) {
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}
