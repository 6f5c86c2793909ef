package localdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// ErrDisk is returned by a write that failed in a way that leaves the disk's content uncertain, and by all later ones.
var ErrDisk = errors.New("the disk may have lost a write")

// maxBatch bounds how many operations share a transaction.
const maxBatch = 256

// maxGather bounds how long to wait for writers after a slow commit, such as that of a large index.
const maxGather = 5 * time.Millisecond

var (
	errNothing = errors.New("nothing to commit")
	errSpoiled = errors.New("an operation failed after it had written")
)

// operation is one write. It is computed inside the transaction that commits it, so that reading and then writing is
// atomic. do may run twice: it must reset what it returns to its caller.
type operation struct {
	do    func(*writeTx) error
	turns chan func() // what do runs in the caller's goroutine
	state atomic.Int32
	err   error
	done  chan struct{}

	essential bool // see Essential
	nature         // of its last run
}

// The states of an operation: one that is waiting is either started or withdrawn.
const (
	waiting int32 = iota
	begun
	withdrawn
)

func (o *operation) begin() bool {
	return o.state.CompareAndSwap(waiting, begun) || o.state.Load() == begun
}
func (o *operation) withdraw() bool { return o.state.CompareAndSwap(waiting, withdrawn) }

// writeTx is the transaction that operations share. An operation that fails before it wrote anything affects no other.
type writeTx struct {
	tx        *bbolt.Tx
	wrote     bool
	essential bool // the current write is essential
	nature
}

// write runs an operation: in the context's transaction, or else in the queue.
func (d *DB) write(ctx context.Context, do func(*writeTx) error) error {
	if t := d.transaction(ctx); t != nil {
		return t.write(ctx, do)
	}
	return d.run(ctx, &operation{do: do, done: make(chan struct{}), essential: isEssential(ctx)})
}

// run queues an operation and waits for its outcome. If the context is cancelled first, an operation that has not begun
// is withdrawn and never happens. Once it has begun, only the outcome counts: the context cannot tell whether the write
// happened.
func (d *DB) run(ctx context.Context, o *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.queue(ctx, o); err != nil {
		return err
	}
	for ended := ctx.Done(); ; {
		select {
		case turn := <-o.turns:
			turn()
		case <-o.done:
			return o.err
		case <-ended:
			if o.withdraw() {
				return ctx.Err()
			}
			ended = nil
		}
	}
}

// Ping checks that writes are possible. It waits for its turn in the queue, and writes nothing.
func (d *DB) Ping(ctx context.Context) error {
	return d.write(ctx, func(*writeTx) error { return nil })
}

func (d *DB) queue(ctx context.Context, o *operation) error {
	d.gate.RLock()
	defer d.gate.RUnlock()
	if d.closed {
		return ErrClosed
	}
	if d.readOnly {
		return errReadOnly
	}
	select {
	case d.operations <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer is the only goroutine that writes. It commits together everything that was queued during the last flush: under
// load, many operations share one fsync, and a single one doesn't wait.
func (d *DB) writer() {
	expected, took := 1, time.Duration(0)
	for o := range d.operations {
		d.gather(min(expected, maxBatch), min(took/4, maxGather))
		batch := []*operation{o}
		for n := len(d.operations); n > 0 && len(batch) < maxBatch; n-- {
			batch = append(batch, <-d.operations)
		}
		d.refill()
		start := time.Now()
		d.commit(batch)
		expected, took = len(batch)+len(d.operations), time.Since(start)
		for _, o := range batch {
			close(o.done)
		}
	}
}

// gather lets the callers that the last commit woke up queue their next write next to those that were waiting.
// Otherwise, writers split into two groups that wait for each other's flushes. It waits for them only for a fraction of
// the time that a flush takes.
func (d *DB) gather(expected int, most time.Duration) {
	for start := time.Now(); len(d.operations)+1 < expected && time.Since(start) < most; {
		runtime.Gosched()
	}
}

// commit runs operations in one transaction. If one fails after it wrote, each runs again in its own transaction, so
// that only the faulty one returns the error; likewise if the disk is full and one of them may use the reserve. After a
// disk error, none runs again: the transaction may have been committed nevertheless.
func (d *DB) commit(batch []*operation) {
	err := d.transact(batch)
	if errors.Is(err, errSpoiled) && len(batch) > 1 || errors.Is(err, ErrFull) && d.useReserve(batch) {
		for i := range batch {
			d.commit(batch[i : i+1])
		}
		return
	}
	if err == nil || errors.Is(err, errSpoiled) {
		return
	}
	for _, o := range batch { // including those rejected because of a neighbour's write, which is not stored now
		o.err = fmt.Errorf("localdb: writing: %w", err)
	}
}

func (d *DB) transact(batch []*operation) error {
	err := d.update(func(tx *bbolt.Tx) error {
		wrote := false
		for _, o := range batch {
			if !o.begin() {
				continue
			}
			w := &writeTx{tx: tx, essential: o.essential}
			o.err = attempt(o.do, w)
			o.nature = w.nature
			if o.err == nil && w.wrote && d.short.Load() && !w.urgent() {
				o.err = fmt.Errorf("localdb: writing: %w", ErrFull)
			}
			if o.err != nil && w.wrote {
				return errSpoiled
			}
			wrote = wrote || w.wrote
		}
		if !wrote {
			return errNothing // saves a flush
		}
		return nil
	})
	if errors.Is(err, ErrFull) {
		d.findShort()
	}
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// update stops all writing after a failure that may have lost data: after a failed flush, the system considers the
// pages written, so the next flush would succeed although the file is not what it seems. Reads continue: they show the
// failed write or not, as after any write without a response, but never a part of it.
func (d *DB) update(do func(*bbolt.Tx) error) error {
	if d.failed != nil {
		return d.failed
	}
	err := d.bolt.Update(do)
	switch {
	case err == nil, errors.Is(err, errNothing), errors.Is(err, errSpoiled):
		return err
	case beforeFlush(err):
		return full(err)
	}
	d.failed = fmt.Errorf("%w (%w), so there are no more writes: stop the site, look after the disk, restart the machine, "+
		"check the file (a backup does), start again", ErrDisk, err)
	return d.failed
}

// beforeFlush recognizes failures that left all valid data intact, as on a full disk: the file could not grow (for
// which bbolt only keeps the text), or writing a page failed. The page that makes the others valid has a checksum, and
// its predecessor is another page.
func beforeFlush(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && failed.Op == "write" || strings.HasPrefix(err.Error(), resizeFailed)
}

const resizeFailed = "file resize error: "

// attempt turns a panic into an error: a single bad document must not end the process.
func attempt(do func(*writeTx) error, w *writeTx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("localdb: panic in a write: %v", r)
		}
	}()
	return do(w)
}
