package localdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrInUse is returned by Open for a file that another process has open.
var ErrInUse = errors.New("in use by another process")

var (
	errNotOurs = errors.New("it is not a data file of this program, or is damaged")
	errEmpty   = errors.New("it is empty")
	errNewer   = errors.New("it has format")
)

// openFile opens or creates the data file. A file that is not ours, or is incomplete, is rejected and left unchanged.
func openFile(path string, readOnly bool) (*bbolt.DB, error) {
	info, err := os.Stat(path)
	created := errors.Is(err, fs.ErrNotExist)
	if !created {
		if err == nil {
			err = inspect(path, info)
		}
		if err != nil {
			return nil, explain(path, err)
		}
	}
	bolt, err := openBolt(path, readOnly)
	var failed *fs.PathError
	if created && errors.As(err, &failed) && failed.Op == "write" {
		err = errors.Join(err, os.Remove(path)) // it couldn't be filled because the disk is full: the next start must find nothing
	}
	return bolt, explain(path, err)
}

// inspect reads a file's own description before anything may write to it.
func inspect(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is no ordinary file", errNotOurs)
	}
	if info.Size() == 0 {
		// A data file is never empty. Starting over would hide that one was lost.
		return errEmpty
	}
	bolt, err := openBolt(path, true)
	if err != nil && !errors.Is(err, bolterrors.ErrTimeout) && !errors.As(err, new(syscall.Errno)) {
		return fmt.Errorf("%w (%w)", errNotOurs, err)
	}
	if err != nil {
		return err
	}
	return errors.Join(checkFile(bolt), bolt.Close())
}

// openBolt turns the panics that bbolt raises on unreadable pages into errors. A file that was replaced while waiting
// for its lock, by a compaction or a restore, counts as in use: anything written to it would be lost.
func openBolt(path string, readOnly bool) (bolt *bbolt.DB, err error) {
	defer damaged(&err)
	var file *os.File
	bolt, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, FreelistType: bbolt.FreelistMapType, ReadOnly: readOnly, PreLoadFreelist: true,
		OpenFile: func(name string, flag int, mode fs.FileMode) (opened *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode) // #nosec G304 -- the operator's own choice
			return file, err
		},
	})
	if err != nil {
		return nil, err
	}
	locked, err := file.Stat()
	if err == nil {
		var there fs.FileInfo
		if there, err = os.Stat(path); err == nil && !os.SameFile(locked, there) {
			err = bolterrors.ErrTimeout
		}
	}
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return bolt, nil
}

func damaged(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errNotOurs, r)
	}
}

func checkFile(bolt *bbolt.DB) (err error) {
	defer damaged(&err)
	info, err := os.Stat(bolt.Path()) // again, now that the file is locked
	if err != nil {
		return err
	}
	return bolt.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: it is cut off, %d bytes of %d", errNotOurs, info.Size(), tx.Size())
		}
		if meta := tx.Bucket(metaBucket); meta != nil {
			return checkFormat(meta.Get(formatKey))
		}
		if first, _ := tx.Cursor().First(); first != nil {
			return fmt.Errorf("%w: it is another program's bbolt file", errNotOurs)
		}
		return nil // ours, from a process that ended before it wrote anything
	})
}

func checkFormat(stored []byte) error {
	version, err := strconv.Atoi(string(stored))
	if err != nil || version < 1 {
		return fmt.Errorf("%w: it does not say its format", errNotOurs)
	}
	if version > formatVersion {
		return fmt.Errorf("%w %d, and this program reads up to %d", errNewer, version, formatVersion)
	}
	return nil
}

// explain adds to an error what can be done about it.
func explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("localdb: the data file %s is %w; "+
			"to run several, set MONGODB_URI to a MongoDB server that they share", path, ErrInUse)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("localdb: the data file cannot be opened for writing: %w; let the user that runs this "+
			"program write the file and its folder (a file system that is mounted read-only must be mounted for writing), "+
			"or set DATA_DIR to another folder", err)
	case errors.Is(err, errEmpty):
		return fmt.Errorf("localdb: the data file %s: %w; restore a backup, or delete it to start with no data", path, err)
	case errors.Is(err, errNewer):
		return fmt.Errorf("localdb: the data file %s: %w; it was left as it is: "+
			"start the newer program that wrote it, or restore a backup of before", path, err)
	case errors.Is(err, errNotOurs):
		return fmt.Errorf("localdb: %s cannot be used: %w; it was left as it is: move it away, or restore a backup", path, err)
	}
	return fmt.Errorf("localdb: opening %s: %w", path, err)
}
