package commands_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"tokentube/e2e/testsite"
)

// countdown is a context that is cancelled, as by Ctrl-C, after it has been checked a number of times.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// interrupted runs a command that is stopped later and later, until it completes.
func interrupted(t *testing.T, do func(ctx context.Context) error, after func(stopped bool)) {
	t.Helper()
	for asked := int64(0); ; asked++ {
		ctx := &countdown{Context: t.Context()}
		ctx.left.Store(asked)
		err := do(ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("asked %d times: %v", asked, err)
		}
		after(err != nil)
		if err == nil {
			if asked < 10 {
				t.Fatalf("it asked only %d times", asked)
			}
			return
		}
		if asked > 10 {
			asked += asked / 3 // the places are similar
		}
	}
}

func TestCtrlCLeavesNothingBroken(t *testing.T) {
	cfg := embedded(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "site.tar")
	before := tree(t, cfg.DataDir)
	interrupted(t, func(ctx context.Context) error { _, err := runUnder(ctx, t, cfg, "backup", path); return err }, func(stopped bool) {
		same(t, "the site", before, tree(t, cfg.DataDir))
		if left := len(tree(t, folder)); stopped && left != 0 || !stopped && left != 1 {
			t.Fatalf("stopped: %v, and %d files are there", stopped, left)
		}
	})
	other := elsewhere(t, cfg)
	first := testsite.Start(t, other)
	first.User("carol")
	first.Close()
	before = tree(t, other.DataDir)
	interrupted(t, func(ctx context.Context) error {
		_, err := runUnder(ctx, t, other, "restore", path, "--force")
		return err
	}, func(stopped bool) {
		if stopped {
			same(t, "the old site", before, tree(t, other.DataDir))
		}
	})
	hasAliceAndHerPhoto(t, other)
}
