package localdb

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

var (
	errDied   = errors.New("localdb: the function of a transaction panicked")
	errEnded  = errors.New("localdb: the transaction of this context has ended")
	errInside = errors.New("localdb: not possible inside a transaction")
)

// Atomically makes everything that do writes happen together or not at all. do gets a context, and every call that it
// makes with that context, on any collection of this database, is part of the transaction: its reads see its own
// writes, and others see them after the commit. It shares a flush with concurrent writes, as a single write does.
//
// Nothing happens if do returns an error, which Atomically then returns unchanged, if do panics, or if a write inside
// failed: from then on all calls inside fail, and Atomically returns that first error even if do does not.
//
// do may run more than once, so it must reset what it returns to its caller. No other write runs at the same time: it
// must be quick, and must not write with another context, which would deadlock. A nested call of Atomically is part of
// the outer one.
func (d *DB) Atomically(ctx context.Context, do func(ctx context.Context) error) error {
	if t := d.transaction(ctx); t != nil {
		return t.nested(ctx, do)
	}
	o := &operation{done: make(chan struct{}), turns: make(chan func())}
	died := false
	o.do = func(w *writeTx) error {
		if died {
			return errDied // the caller is gone
		}
		t, outcome := &transaction{tx: w.tx}, make(chan error)
		o.turns <- func() {
			err := errDied // remains if do ends its goroutine
			defer func() { outcome <- t.end(err) }()
			err = do(context.WithValue(ctx, inside{d}, t))
		}
		err := <-outcome
		w.wrote, w.nature, died = t.writes > 0, t.nature, err == errDied
		return err
	}
	return d.run(ctx, o)
}

// inside is the context key for a database's transaction.
type inside struct{ db *DB }

func (d *DB) transaction(ctx context.Context) *transaction {
	t, _ := ctx.Value(inside{d}).(*transaction)
	return t
}

// transaction is shared by the calls inside an Atomically. They run one at a time, whichever goroutine they come from.
type transaction struct {
	mu     sync.Mutex
	tx     *bbolt.Tx
	writes int   // how many calls wrote
	failed error // of the first write that failed
	ended  bool
	nature
}

func (t *transaction) usable(ctx context.Context) error {
	switch {
	case t.ended:
		return errEnded
	case t.failed != nil:
		return fmt.Errorf("localdb: a write of this transaction has failed: %w", t.failed)
	}
	return ctx.Err()
}

func (t *transaction) read(ctx context.Context, read func(*bbolt.Tx) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	return read(t.tx)
}

func (t *transaction) write(ctx context.Context, do func(*writeTx) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	w := &writeTx{tx: t.tx, essential: isEssential(ctx)}
	err := attempt(do, w)
	t.nature.add(w.nature)
	if w.wrote {
		t.writes++
	}
	if err != nil {
		t.failed = err // set here already: the caller may be a goroutine that do left behind
	}
	return err
}

// spoil records that a write failed, whether or not it reached the transaction.
func (t *transaction) spoil(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = err
	}
}

// end returns the outcome after do has returned err.
func (t *transaction) end(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if err == nil {
		return t.failed
	}
	return err
}

// nested runs a nested Atomically. If it fails after it wrote, the outer one fails too: its part alone cannot be rolled
// back.
func (t *transaction) nested(ctx context.Context, do func(context.Context) error) error {
	before, err := t.written(ctx)
	if err != nil {
		return err
	}
	err = errDied
	defer func() {
		if now, _ := t.written(ctx); err != nil && now > before {
			t.spoil(err)
		}
	}()
	err = do(ctx)
	return err
}

func (t *transaction) written(ctx context.Context) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writes, t.usable(ctx)
}

// spoil is deferred by every method that writes: an error in a transaction fails the transaction.
func (c *Collection) spoil(ctx context.Context, err *error) {
	if t := c.db.transaction(ctx); t != nil && *err != nil && !errors.Is(*err, mongo.ErrNoDocuments) {
		t.spoil(*err)
	}
}

// outside rejects operations on the whole file, which make no sense in a transaction.
func (d *DB) outside(ctx context.Context, what string) error {
	if d.transaction(ctx) != nil {
		return fmt.Errorf("%w: %s", errInside, what)
	}
	return nil
}
