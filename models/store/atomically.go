package store

import "context"

// unit is the state of one call of Atomically, besides what the engine keeps in the context.
type unit struct{ after []func() }

type unitKey struct{}

// unitOf is the unit that ctx is in, or nil.
func unitOf(ctx context.Context) *unit {
	u, _ := ctx.Value(unitKey{}).(*unit)
	return u
}

// Atomically runs do so that either everything that it writes with the given context happens, or nothing does. A nested
// Atomically is part of the outer one.
//
// do may run more than once, so it must not modify state that it doesn't initialise. It may only call the database,
// only with its own context, and nothing slow: with the embedded engine, all other writers wait for it. An error of a
// write rolls everything back, even if do ignores it.
//
// A MongoDB without transactions (a standalone server) runs the steps one by one. Write children before their parents'
// counts: then a crash in between leaves at worst a wrong count, which Repair corrects.
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

// WithFence adds a condition to everything that is changed with the context: the fence runs first, in the same unit,
// and an error from it rolls the unit back. Whatever the fence writes is committed with the rest.
func WithFence(ctx context.Context, fence func(ctx context.Context) error) context.Context {
	return context.WithValue(ctx, fenceKey{}, fence)
}

// After runs f when the change that ctx belongs to is over, however it ended. If a cache dropped an entry earlier, a
// concurrent reader could put back the state from before the change.
func After(ctx context.Context, f func()) {
	if u := unitOf(ctx); u != nil {
		u.after = append(u.after, f)
		return
	}
	f()
}
