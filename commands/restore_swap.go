package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"tokentube/utils/archive"
	"tokentube/utils/media"
)

// A restore takes effect in one step: renaming the folder that holds the unpacked and verified backup. After that, the
// parts are moved to their places. This can be interrupted at any point and resumed, and is rolled back if it cannot be
// completed.
//
// The media folder may be a mount point, or a link to another file system, and then cannot be renamed. So its new files
// are unpacked inside it, and only its content is moved.
const (
	stagingDir = "restoring"
	readyDir   = "restored"
	planFile   = "plan.json" // in the folder
)

// plan lists the moves, in order.
type plan struct {
	Aside string `json:"aside"` // the folder for what was there before
	Moves []move `json:"moves"`
}

// move moves a file or folder into the place of another one, which is moved aside. The paths are relative to the data
// folder.
type move struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Aside string `json:"aside"`
}

// planOf plans the moves of the unpacked parts, the database last.
func planOf(dataDir, aside string) plan {
	p := plan{Aside: aside}
	add := func(from, staged, to, kept string) {
		if exists(filepath.Join(dataDir, staged)) {
			p.Moves = append(p.Moves, move{from, to, kept})
		}
	}
	for _, folder := range media.Folders() {
		folder = filepath.Clean(folder)
		from := filepath.Join(archive.Media, stagingDir, folder)
		add(from, from, filepath.Join(archive.Media, folder), filepath.Join(archive.Media, aside, folder))
	}
	for _, file := range []string{archive.Secrets, archive.Database} {
		add(filepath.Join(readyDir, file), filepath.Join(stagingDir, file), file, filepath.Join(aside, file))
	}
	return p
}

// unfinishedRestore returns an error while a restore is incomplete.
func unfinishedRestore(dataDir string) error {
	if exists(filepath.Join(dataDir, readyDir)) {
		return errors.New("a restore was cut off before it was done: run \"restore\" again, which finishes it")
	}
	return nil
}

// commitRestore commits the restore and then completes it.
func commitRestore(dataDir, aside string) error {
	if err := commit(dataDir, aside); err != nil {
		unstage(dataDir)
		return fmt.Errorf("nothing was changed: %w", err)
	}
	return finishRestore(dataDir)
}

func commit(dataDir, aside string) error {
	staging := filepath.Join(dataDir, stagingDir)
	text, err := json.Marshal(planOf(dataDir, aside))
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(staging, planFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- our own folder
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close(), syncAll(staging), syncAll(stagedMedia(dataDir))); err != nil {
		return err
	}
	return os.Rename(staging, filepath.Join(dataDir, readyDir))
}

// finishRestore moves all parts to their places, or all of them back: whatever prevents a move (such as a mount point)
// may do so permanently, and must not leave the old site stuck.
func finishRestore(dataDir string) error {
	p, err := readPlan(dataDir)
	if err == nil {
		err = syncFolder(dataDir) // the commit must be durable before the first move
	}
	if err != nil {
		return err
	}
	for _, m := range p.Moves {
		if err := m.do(dataDir); err != nil {
			return undoRestore(dataDir, p, err)
		}
	}
	if err := endRestore(dataDir); err != nil {
		return err
	}
	p.gather(dataDir)
	return nil
}

func undoRestore(dataDir string, p plan, why error) error {
	for _, m := range slices.Backward(p.Moves) {
		if err := m.undo(dataDir); err != nil {
			return fmt.Errorf("the restore could be neither finished (%w) nor undone (%w): see to that, and run \"restore\" again, which finishes it", why, err)
		}
	}
	if err := endRestore(dataDir); err != nil {
		return errors.Join(why, err)
	}
	for _, folder := range []string{archive.Media, "."} {
		_ = os.Remove(filepath.Join(dataDir, folder, p.Aside)) // now empty again
	}
	return fmt.Errorf("the restore could not be finished and was undone, the site is what it was: %w", why)
}

// endRestore allows the site to start again once everything is in place, and removes the restore's temporary files.
func endRestore(dataDir string) error {
	if err := errors.Join(syncAll(filepath.Join(dataDir, archive.Media)), syncFolder(dataDir)); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dataDir, readyDir), filepath.Join(dataDir, stagingDir)); err != nil {
		return err
	}
	unstage(dataDir)
	return syncFolder(dataDir)
}

func readPlan(dataDir string) (p plan, err error) {
	path := filepath.Join(dataDir, readyDir, planFile)
	text, err := os.ReadFile(path) // #nosec G304 -- our own folder
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("the restore cannot be finished: %s: %w", path, err)
	}
	return p, nil
}

func (m move) in(dataDir string) (from, to, aside string) {
	return filepath.Join(dataDir, m.From), filepath.Join(dataDir, m.To), filepath.Join(dataDir, m.Aside)
}

func (m move) do(dataDir string) error {
	from, to, aside := m.in(dataDir)
	if !exists(from) {
		return nil // already done
	}
	if err := putAside(to, aside); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (m move) undo(dataDir string) error {
	from, to, aside := m.in(dataDir)
	if !exists(from) {
		if err := os.Rename(to, from); err != nil {
			return err
		}
	}
	if !exists(aside) || exists(to) && filepath.Base(to) != archive.Secrets {
		return nil // nothing was there before, or it was never moved
	}
	return os.Rename(aside, to)
}

// putAside moves aside what is in the way. Whatever was moved aside before stays: secrets generated by a start since
// then are useless.
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

// gather moves the old media files next to the old database if both are on one file system. Otherwise they stay.
func (p plan) gather(dataDir string) {
	kept := filepath.Join(dataDir, archive.Media, p.Aside)
	if p.Aside == "" || !exists(kept) {
		return
	}
	aside := filepath.Join(dataDir, p.Aside)
	if os.MkdirAll(aside, 0o700) == nil && os.Rename(kept, filepath.Join(aside, archive.Media)) != nil {
		_ = os.Remove(aside) // if nothing else is in it
	}
}

func stagedMedia(dataDir string) string { return filepath.Join(dataDir, archive.Media, stagingDir) }

// syncAll makes the folders under path durable, if it exists; the files in them already are.
func syncAll(path string) error {
	return filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == path {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		return syncFolder(name)
	})
}
