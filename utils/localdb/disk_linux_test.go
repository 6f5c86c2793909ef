package localdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

func init() {
	roles["full"], roles["limit"], roles["denied"] = fillDisk, meetLimit, beDenied
}

// TestFullDisk: a small disk, of the child's own, runs full and gets free again.
func TestFullDisk(t *testing.T) {
	c := child(t, "full", t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS}
	me(c.SysProcAttr, 0)
	passes(t, c)
}

// TestFileLimit: no page beyond the first two can be written, wherever in the file it lies, until the limit is lifted.
func TestFileLimit(t *testing.T) {
	passes(t, child(t, "limit", t.TempDir()))
}

// TestReadOnly: permissions are taken from the child, which is not root even where the test is.
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

// me makes the child, in a user namespace of its own, the user of that number there, and this one outside.
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
	ballast := filepath.Join(dir, "ballast")
	take := func() error {
		f, err := os.Create(ballast)
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("the disk does not run full: %w", err)
		}
		return f.Close()
	}
	return runOut(dir, "no space left on device", take, func() error { return os.Remove(ballast) })
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

// runOut writes, with and without space, and looks for exactly what was acknowledged.
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

// fillers know what was acknowledged (kept: true) and what was refused (false).
type fillers struct {
	db    *DB
	want  string // the system's word for no space
	kept  map[string]bool
	shown bool
}

func (w *fillers) things() *Collection { return w.db.Collection("things") }

// write lets four writers insert up to n documents each. Where the space runs out, each goes on until it was refused
// five times.
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

// startWithout opens the file, and makes a new one, while there is no space.
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
	// The folder may stay closed: nothing is written beside the file.
	db, err := Open(path)
	if err != nil {
		return err
	}
	_, err = db.Collection("things").InsertOne(ctx, d{{Key: "_id", Value: 2}})
	return errors.Join(err, db.Check(ctx), db.Close())
}
