package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	"time"
)

// folder stores each file under its own name. Nothing outside of the folder can be reached through it, whatever a name
// or a link contains.
type folder struct{ root *os.Root }

const (
	// A partially written file is next to its final place, so that the rename that makes it visible stays on one file
	// system and is atomic.
	draftEnding = ".tmp"
	// Earlier versions could store a file's type in a second file.
	sidecarEnding = ".attrs"
	probeBytes    = 64 << 10
)

func openFolder(dir string, create bool) (Bucket, error) {
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil { // #nosec G703 -- the operator's own choice
			return nil, err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := folder{root}
	if err := f.makeFolders(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

func (f folder) makeFolders() error {
	for _, dir := range Folders() {
		if err := f.root.Mkdir(path.Clean(dir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return f.flush(".")
}

// removeDrafts removes partial files that a crash left behind, and counts those that are too recent to be distinguished
// from files still being written.
func (f folder) removeDrafts(ctx context.Context, before time.Time) (removed, young int, err error) {
	for _, dir := range Folders() {
		found, err := fs.Glob(f.root.FS(), dir+"*"+draftEnding)
		if err != nil {
			return removed, young, err
		}
		for _, name := range found {
			info, err := f.root.Stat(name)
			if err != nil {
				continue // already removed, or about to be
			}
			if !info.ModTime().Before(before) {
				young++
				continue
			}
			if err := errors.Join(ctx.Err(), f.remove(name)); err != nil {
				return removed, young, err
			}
			removed++
		}
	}
	return removed, young, nil
}

// writable checks that files can be written, by writing one.
func (f folder) writable() error {
	name := private + "probe" + draftEnding
	if err := f.remove(name); err != nil {
		return err
	}
	err := f.write(name, func(w io.Writer) error { _, err := w.Write(make([]byte, probeBytes)); return err })
	return errors.Join(err, f.remove(name))
}

func (f folder) Put(ctx context.Context, name, _ string, write func(io.Writer) error) error {
	draft := name + draftEnding
	err := f.write(draft, write)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = f.root.Rename(draft, name)
	}
	if err != nil {
		_ = f.root.Remove(draft)
		return err
	}
	if err := f.flush(path.Dir(name)); err != nil {
		_ = f.root.Remove(name)
		return err
	}
	return nil
}

// write creates a file and flushes it: a rename that survives a power failure must not name a file that doesn't.
func (f folder) write(name string, write func(io.Writer) error) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// flush makes the names in a folder durable. Windows doesn't support this, and keeps the names anyway.
func (f folder) flush(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	opened, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

func (f folder) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (f folder) Delete(_ context.Context, name string) error {
	return errors.Join(f.remove(name), f.remove(name+sidecarEnding))
}

func (f folder) remove(name string) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f folder) List(ctx context.Context, prefix string, visit func(Info) error) error {
	for _, dir := range Folders() {
		if !strings.HasPrefix(dir, prefix) && !strings.HasPrefix(prefix, dir) {
			continue
		}
		entries, err := fs.ReadDir(f.root.FS(), path.Clean(dir))
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := dir + entry.Name()
			if !strings.HasPrefix(name, prefix) || !entry.Type().IsRegular() {
				continue
			}
			info, err := f.root.Stat(name)
			if errors.Is(err, fs.ErrNotExist) { // deleted in the meantime
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := visit(Info{name, info.Size(), info.ModTime()}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f folder) Close() error { return f.root.Close() }
