package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The names of rotated backups. Sorting them by name sorts them by time.
const (
	keptPrefix = "tokentube-"
	keptLayout = "2006-01-02-150405"
	keptSuffix = ".tar"
)

// backupInto makes a backup in a folder and then deletes the oldest ones, until as many are left as should be kept. If
// the backup fails, nothing is deleted.
func backupInto(ctx context.Context, s Site, folder string, keep int) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s", folder)
	}
	made := keptPrefix + time.Now().UTC().Format(keptLayout) + keptSuffix
	if err := backup(ctx, s, filepath.Join(folder, made), false); err != nil {
		return err
	}
	before, err := keptIn(folder)
	if err != nil {
		return err
	}
	// Never the new one, even if the clock was wrong when the others were made.
	before = slices.DeleteFunc(before, func(name string) bool { return name == made })
	for len(before) >= keep {
		if err := os.Remove(filepath.Join(folder, before[0])); err != nil {
			return fmt.Errorf("an old backup could not be deleted: %w", err)
		}
		s.say("Deleted %s.", filepath.Join(folder, before[0]))
		before = before[1:]
	}
	return removeDrafts(folder, time.Now().Add(-24*time.Hour))
}

// keptIn are the backups in a folder, oldest first. Files with other names aren't touched.
func keptIn(folder string) (names []string, err error) {
	entries, err := os.ReadDir(folder) // sorted
	for _, e := range entries {
		if e.Type().IsRegular() && isKept(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func isKept(name string) bool {
	date, is := strings.CutPrefix(strings.TrimSuffix(name, keptSuffix), keptPrefix)
	_, err := time.Parse(keptLayout, date)
	return is && err == nil && strings.HasSuffix(name, keptSuffix)
}

// removeDrafts removes what killed backups left in a folder: nobody would notice it until the disk is full.
func removeDrafts(folder string, before time.Time) (err error) {
	found, _ := filepath.Glob(filepath.Join(folder, "."+keptPrefix+"*"+keptSuffix+"-*.tmp")) // only fails on a bad pattern
	for _, path := range found {
		if info, statErr := os.Lstat(path); statErr == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}
