package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tokentube/utils/archive"
)

// A restore takes effect in one step: the folder with what was unpacked and
// checked is renamed. From then on it counts as done, and what is left, moving the
// parts to their places, can be cut off and taken up at any point.
const (
	stagingDir = "restoring"
	readyDir   = "restored"
	asideFile  = "aside" // in the folder: where what was there before goes
)

// unfinishedRestore is an error while a restore is to be finished.
func unfinishedRestore(dataDir string) error {
	if exists(filepath.Join(dataDir, readyDir)) {
		return errors.New("a restore was cut off before it was done: run \"restore\" again, which finishes it")
	}
	return nil
}

func commitRestore(dataDir, aside string) error {
	staging := filepath.Join(dataDir, stagingDir)
	file, err := os.OpenFile(filepath.Join(staging, asideFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- our own folder
	if err != nil {
		return err
	}
	_, err = file.WriteString(aside)
	if err := errors.Join(err, file.Sync(), file.Close(), syncAll(staging)); err != nil {
		return err
	}
	if err := os.Rename(staging, filepath.Join(dataDir, readyDir)); err != nil {
		return err
	}
	return finishRestore(dataDir)
}

// finishRestore moves the parts to their places, the database last.
func finishRestore(dataDir string) error {
	ready := filepath.Join(dataDir, readyDir)
	name, err := os.ReadFile(filepath.Join(ready, asideFile)) // #nosec G304 -- our own folder
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(ready) // all was in its place, and this was being removed
	}
	if err != nil {
		return err
	}
	aside := filepath.Join(dataDir, filepath.Base(strings.TrimSpace(string(name))))
	for _, part := range []string{archive.Media, archive.Secrets, archive.Database} {
		from, to, old := filepath.Join(ready, part), filepath.Join(dataDir, part), filepath.Join(aside, part)
		if !exists(from) {
			continue // it was not in the backup, or is in its place already
		}
		if err := putAside(to, old); err != nil {
			return fmt.Errorf("the restore is not finished: %w", err)
		}
		if err := os.Rename(from, to); err != nil {
			return fmt.Errorf("the restore is not finished: %w", err)
		}
	}
	if err := syncFolder(dataDir); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(ready), syncFolder(dataDir))
}

// putAside moves what is in the way. What is aside already stays: secrets that a
// start has made since are of no use to anybody.
func putAside(path, aside string) error {
	if !exists(path) {
		return nil
	}
	if exists(aside) && filepath.Base(path) != archive.Secrets {
		return fmt.Errorf("%s came back after it had been moved to %s: move one of them away", path, aside)
	}
	if exists(aside) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(aside), 0o700); err != nil {
		return err
	}
	return os.Rename(path, aside)
}

// syncAll makes the folders under path last; the files in them do already.
func syncAll(path string) error {
	return filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncFolder(name)
	})
}
