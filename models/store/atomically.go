package store

import "context"

// unit is what one call of Atomically remembers, beside what the engine keeps in the context.
type unit struct{ after []func() }

type unitKey struct{}

// unitOf is the unit that ctx is inside of, or nil.
func unitOf(ctx context.Context) *unit {
	u, _ := ctx.Value(unitKey{}).(*unit)
	return u
}

// Atomically runs do so that everything it writes with the context it is given happens, or nothing does. An Atomically
// inside another one is part of it.
//
// do may run more than once: it must not change what it does not set itself. It calls the database only, with its own
// context only, and nothing slow: with the embedded engine, all other writers wait for it. An error of a write undoes
// everything, even if do goes on after it.
//
// A MongoDB without transactions (a standalone server) runs the steps one by one. Write children before the counts of their
// parents: a crash in between then leaves a count wrong, which Repair corrects, and nothing else.
func (db *DB) Atomically(ctx context.Context, do func(ctx context.Context) error) error {
	if unitOf(ctx) != nil {
		return translate(do(ctx))
	}
	u, done := &unit{}, db.measure(everything, "transaction")
	err := db.engine.atomically(ctx, func(ctx context.Context) error {
		u.after = u.after[:0]
		ctx = context.WithValue(ctx, unitKey{}, u)
		if fence, ok := ctx.Value(fenceKey{}).(func(context.Context) error); ok {
			if err := fence(ctx); err != nil {
				return err
			}
		}
		return do(ctx)
	})
	done(err)
	for _, f := range u.after {
		f()
	}
	return translate(err)
}

type fenceKey struct{}

// WithFence puts a condition on everything that is changed together with the context: the fence runs first, in the same
// unit, and its error undoes the unit. It may write, and what it writes happens with the rest.
func WithFence(ctx context.Context, fence func(ctx context.Context) error) context.Context {
	return context.WithValue(ctx, fenceKey{}, fence)
}

// After runs f when the change that ctx belongs to is over, however it ended. What a cache forgets earlier, another
// reader could put back from before the change.
func After(ctx context.Context, f func()) {
	if u := unitOf(ctx); u != nil {
		u.after = append(u.after, f)
		return
	}
	f()
}
