package localdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

func init() {
	roles["full"], roles["limit"], roles["denied"], roles["reserve"], roles["mounted"] = fillDisk, meetLimit, beDenied, openReserve, mountReadOnly
}

// TestFullDisk: a small disk, mounted by the child, fills up and is freed again.
func TestFullDisk(t *testing.T) {
	c := child(t, "full", t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS}
	me(c.SysProcAttr, 0)
	passes(t, c)
}

// TestReserve: on a full disk, only deletes and essential writes continue until there is space again.
func TestReserve(t *testing.T) {
	c := child(t, "reserve", t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS}
	me(c.SysProcAttr, 0)
	passes(t, c)
}

// TestReadOnlyMount: a file on a read-only mount can be read, checked and copied; a write explains what to do.
func TestReadOnlyMount(t *testing.T) {
	c := child(t, "mounted", t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS}
	me(c.SysProcAttr, 0)
	passes(t, c)
}

// TestFileLimit: no page beyond the first two can be written, wherever in the file it is, until the limit is lifted.
func TestFileLimit(t *testing.T) {
	passes(t, child(t, "limit", t.TempDir()))
}

// TestReadOnly: the child loses its permissions, and is not root even if the test is.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "site.db")
	db, err := Open(path)
	ok(t, err)
	insert(t, db.Collection("things"), d{{Key: "_id", Value: 1}})
	ok(t, db.Close())
	c := child(t, "denied", path)
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
		me(c.SysProcAttr, 1000)
	}
	passes(t, c)
	db, err = Open(path)
	ok(t, err)
	same(t, "documents", ids(find(t, db.Collection("things"), d{})), []int32{1, 2})
	ok(t, db.Check(ctx))
	ok(t, db.Close())
}

// me makes the child, in a separate user namespace, the user with that number inside it, and the current user outside.
func me(attr *syscall.SysProcAttr, inside int) {
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: os.Getuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: inside, HostID: os.Getgid(), Size: 1}}
}

func passes(t *testing.T, c *exec.Cmd) {
	t.Helper()
	out, err := c.CombinedOutput()
	if c.Process == nil {
		t.Skipf("user namespaces are not allowed here: %v", err)
	}
	if why, skipped := strings.CutPrefix(string(out), "skip: "); skipped && err == nil {
		t.Skip(why)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func fillDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		fmt.Println("skip: a small disk cannot be mounted here:", err)
		return nil
	}
	return runOut(dir, "no space left on device", func() error { return fillUp(dir) }, func() error { return os.Remove(ballastIn(dir)) })
}

func ballastIn(dir string) string { return filepath.Join(dir, "ballast") }

func fillUp(dir string) error {
	f, err := os.OpenFile(ballastIn(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk does not run full: %w", err)
	}
	return f.Close()
}

func openReserve(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		fmt.Println("skip: a small disk cannot be mounted here:", err)
		return nil
	}
	path := filepath.Join(dir, "site.db")
	db, err := Open(path, WithReserve(512<<10))
	if err != nil {
		return err
	}
	r := &reserved{db: db, dir: dir}
	for range 500 {
		if err := r.insert(ctx); err != nil {
			return fmt.Errorf("with room: %w", err)
		}
	}
	if err := fillUp(dir); err != nil {
		return err
	}
	if err := r.full(); err != nil {
		return err
	}
	if err := r.db.Close(); err != nil {
		return err
	}
	if r.db, err = Open(path, WithReserve(512<<10)); err != nil {
		return fmt.Errorf("a start on a full disk: %w", err)
	}
	if err := errors.Join(r.full(), os.Remove(ballastIn(dir))); err != nil {
		return err
	}
	time.Sleep(refillPause + 100*time.Millisecond)
	if err := r.insert(ctx); err != nil || r.db.Short() {
		return fmt.Errorf("with room again: %w (short: %v)", err, r.db.Short())
	}
	return errors.Join(r.db.Check(ctx), r.db.Close())
}

type reserved struct {
	db  *DB
	dir string
	n   int
}

func (r *reserved) insert(ctx context.Context) error {
	r.n++
	_, err := r.db.Collection("things").InsertOne(ctx, d{{Key: "_id", Value: r.n}, {Key: "text", Value: strings.Repeat("text", 300)}})
	if err != nil {
		r.n--
	}
	return err
}

func (r *reserved) remove(ctx context.Context) error {
	done, err := r.db.Collection("things").DeleteOne(ctx, d{{Key: "_id", Value: r.n}})
	if err == nil && done.DeletedCount != 1 {
		err = fmt.Errorf("%d documents were deleted", done.DeletedCount)
	}
	r.n--
	return err
}

// full uses the database while the disk is full.
func (r *reserved) full() error {
	var err error
	for range 2000 { // into the free space within the file
		if err = r.insert(ctx); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		return fmt.Errorf("a write on a full disk: %w", err)
	}
	if !r.db.Short() {
		return errors.New("it does not know that the disk is full")
	}
	for i := range 100 {
		if err := errors.Join(r.remove(ctx), r.insert(Essential(ctx)), fillUp(r.dir)); err != nil {
			return fmt.Errorf("change %d on a full disk: %w", i, err)
		}
		if err := r.insert(ctx); !errors.Is(err, ErrFull) {
			return fmt.Errorf("change %d took the reserve for a write like any other: %w", i, err)
		}
	}
	err = r.db.Atomically(ctx, func(ctx context.Context) error { return r.remove(ctx) })
	if err != nil {
		return fmt.Errorf("a transaction that deletes: %w", err)
	}
	n := r.n
	err = r.db.Atomically(ctx, func(ctx context.Context) error {
		r.n = n
		return errors.Join(r.remove(ctx), r.insert(ctx), r.insert(ctx))
	})
	r.n = n
	if !errors.Is(err, ErrFull) {
		return fmt.Errorf("a transaction that deletes and adds: %w", err)
	}
	all, err := r.db.Collection("things").CountDocuments(ctx, bson.D{})
	if err != nil || all != int64(r.n) {
		return fmt.Errorf("%d documents of %d, %w", all, r.n, err)
	}
	return r.db.Check(ctx)
}

func mountReadOnly(dir string) error {
	path := filepath.Join(dir, "site.db")
	db, err := Open(path)
	if err != nil {
		return err
	}
	_, err = db.Collection("things").InsertOne(ctx, d{{Key: "_id", Value: 1}})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	err = syscall.Mount(dir, dir, "", syscall.MS_BIND, "")
	if err == nil {
		err = syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	}
	if err != nil {
		fmt.Println("skip: nothing can be mounted read-only here:", err)
		return nil
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "mounted for writing") || !strings.Contains(err.Error(), path) {
		return fmt.Errorf("opening on a read-only mount: %w", err)
	}
	first, err := OpenStill(path)
	if err != nil {
		return err
	}
	second, err := OpenStill(path)
	if err != nil {
		return err
	}
	copied, err := second.Snapshot(ctx, os.TempDir())
	if err != nil {
		return err
	}
	n, err := first.Collection("things").CountDocuments(ctx, bson.D{})
	if err != nil || n != 1 {
		return fmt.Errorf("%d documents, %w", n, err)
	}
	if _, err := first.Collection("things").InsertOne(ctx, d{}); !errors.Is(err, errReadOnly) {
		return fmt.Errorf("a write: %w", err)
	}
	return errors.Join(first.Close(), second.Close(), os.Remove(copied))
}

func meetLimit(dir string) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	set := func(most uint64) func() error {
		return func() error {
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: limit.Max})
		}
	}
	return runOut(dir, "file too large", set(8192), set(limit.Cur))
}

// runOut writes, with and without space, and checks for exactly what was acknowledged.
func runOut(dir, want string, take, give func() error) error {
	path := filepath.Join(dir, "site.db")
	db, err := Open(path)
	if err != nil {
		return err
	}
	w := &fillers{db: db, want: want, kept: map[string]bool{}}
	if err := w.things().EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "name", Value: 1}}), {Keys: d{{Key: "tags", Value: 1}}}}); err != nil {
		return err
	}
	err = errors.Join(w.write("before", 50, false), take(), w.write("without", 2000, true), w.build(false), w.intact(), w.startWithout(path), w.intact(),
		give(), w.write("after", 50, false), w.build(true), w.intact(), w.db.Close())
	if err != nil {
		return err
	}
	if w.db, err = Open(path); err != nil {
		return err
	}
	return errors.Join(w.intact(), w.db.Close())
}

// fillers records what was acknowledged (true) and what was refused (false).
type fillers struct {
	db    *DB
	want  string // the system's error message for a full disk
	kept  map[string]bool
	shown bool
}

func (w *fillers) things() *Collection { return w.db.Collection("things") }

// write lets four writers insert up to n documents each. When space runs out, each continues until it was refused five
// times.
func (w *fillers) write(phase string, n int, runsOut bool) error {
	outcomes := make([][]error, 4)
	together(4, func(i int) {
		for j, refusals := 0, 0; j < n && refusals < 5; j++ {
			_, err := w.things().InsertOne(ctx, d{{Key: "name", Value: fmt.Sprint(phase, i, j)}, {Key: "tags", Value: a{j, -j, "x"}},
				{Key: "text", Value: strings.Repeat("text", 300)}})
			outcomes[i] = append(outcomes[i], err)
			if err != nil {
				refusals++
			}
		}
	})
	refused := 0
	for i, list := range outcomes {
		for j, err := range list {
			w.kept[fmt.Sprint(phase, i, j)] = err == nil
			if err == nil {
				continue
			}
			refused++
			if !strings.HasPrefix(err.Error(), "localdb: writing: ") || !strings.Contains(err.Error(), w.want) {
				return fmt.Errorf("unclear: %w", err)
			}
			if !w.shown {
				fmt.Println(err)
				w.shown = true
			}
		}
	}
	if (refused > 0) != runsOut {
		return fmt.Errorf("%s: %d writes were refused", phase, refused)
	}
	return nil
}

// startWithout opens the file, and creates a new one, while there is no space.
func (w *fillers) startWithout(path string) (err error) {
	if err := w.db.Close(); err != nil {
		return err
	}
	if w.db, err = Open(path); err != nil {
		return fmt.Errorf("a start with the disk full: %w", err)
	}
	other := filepath.Join(filepath.Dir(path), "other.db")
	_, err = Open(other)
	if err == nil || !strings.Contains(err.Error(), other) || !strings.Contains(err.Error(), w.want) {
		return fmt.Errorf("a new file on a full disk: %w", err)
	}
	fmt.Println(err)
	if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the failed start left a file: %w", err)
	}
	return nil
}

func (w *fillers) intact() error {
	for name, kept := range w.kept {
		n, err := w.things().CountDocuments(ctx, d{{Key: "name", Value: name}})
		if err != nil {
			return err
		}
		if (n == 1) != kept {
			return fmt.Errorf("%s is there %d times, and was acknowledged: %v", name, n, kept)
		}
	}
	all, err := w.things().CountDocuments(ctx, bson.D{})
	if err != nil {
		return err
	}
	fmt.Println(all, "documents,", len(w.kept), "writes")
	return w.db.Check(ctx)
}

func beDenied(path string) error {
	denied := func(path string) error {
		_, err := Open(path)
		if err == nil || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "let the user") {
			return fmt.Errorf("opening what may not be written: %w", err)
		}
		fmt.Println(err)
		return nil
	}
	dir := filepath.Dir(path)
	defer os.Chmod(dir, 0o700)
	err := errors.Join(os.Chmod(path, 0), denied(path), os.Chmod(path, 0o400), denied(path),
		os.Chmod(dir, 0o500), denied(filepath.Join(dir, "new.db")), denied(path), os.Chmod(path, 0o600))
	if err != nil {
		return err
	}
	// The folder may remain read-only: nothing is written next to the file.
	db, err := Open(path)
	if err != nil {
		return err
	}
	_, err = db.Collection("things").InsertOne(ctx, d{{Key: "_id", Value: 2}})
	return errors.Join(err, db.Check(ctx), db.Close())
}
