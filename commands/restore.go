package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tokentube/config"
	"tokentube/utils/archive"
	"tokentube/utils/localdb"
)

var restoreCommand = command{
	name: "restore", args: "FILE [--force]",
	brief: "bring a site back from a backup",
	help: `FILE is what "backup" or GET /api/v1/admin/backup wrote. It is read to its end and
checked, and so is the database in it, before anything changes.

DATA_DIR must hold no site yet. With --force the one that is there is moved to
DATA_DIR/before-restore-DATE-TIME, where you can delete it once all is well.

The site must be stopped. If the restore is cut off (Ctrl-C, a crash, a full
disk), either nothing has changed, or the site refuses to start and "restore",
run again, finishes it.

A backup that was downloaded holds no secrets: those of DATA_DIR stay, or new ones
are made at the next start, and then everybody must log in again.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		force := flags.Bool("force", false, "")
		found, err := positional(flags, args, "FILE")
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, s Site) error { return restore(ctx, s, found[0], *force) }, nil
	},
}

func restore(ctx context.Context, s Site, path string, force bool) error {
	if s.Config.MongoURI != "" {
		return errors.New("this site keeps its documents in a MongoDB (MONGODB_URI): fill that with mongorestore, " +
			"or restore without MONGODB_URI and copy the site there with \"migrate\"")
	}
	if unfinishedRestore(s.Config.DataDir) != nil {
		if err := finishRestore(s.Config.DataDir); err != nil {
			return err
		}
		s.say("A restore that had been cut off is finished now: the site may start. %s was not read; run restore again if you want that one.", path)
		return nil
	}
	file, err := openBackup(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	unlock, err := lockSite(s.Config)
	if err != nil {
		return err
	}
	defer unlock()
	if err := mayReplace(s.Config, force); err != nil {
		return err
	}
	head, err := stage(ctx, s.Config.DataDir, file)
	if err != nil {
		return fmt.Errorf("nothing was changed: %s: %w", path, err)
	}
	if err := mayReplace(s.Config, force); err != nil { // a site that was started meanwhile
		return err
	}
	aside := asideName(s.Config.DataDir, time.Now())
	if err := commitRestore(s.Config.DataDir, aside); err != nil {
		return err
	}
	sayRestored(s, head, filepath.Join(s.Config.DataDir, aside))
	return nil
}

// sayRestored tells what is there now, and what is not.
func sayRestored(s Site, head archive.Head, kept string) {
	s.say("Restored the site as it was on %s.", head.Made.Local().Format("2 January 2006 at 15:04"))
	if exists(filepath.Join(kept, archive.Database)) || exists(filepath.Join(kept, archive.Media)) {
		s.say("What was there before is in %s.", kept)
	}
	if !head.Media {
		s.say("The backup holds no media files: they are in the bucket of MEDIA_URL.")
	}
	if !head.Secrets {
		s.say("The backup holds no secrets: unless this folder or the environment has those of that site, everybody must log in again.")
	}
}

// asideName is a folder that is not there yet.
func asideName(dataDir string, now time.Time) string {
	name := "before-restore-" + now.Format("2006-01-02-150405")
	for i := 2; exists(filepath.Join(dataDir, name)); i++ {
		name = fmt.Sprintf("before-restore-%s-%d", now.Format("2006-01-02-150405"), i)
	}
	return name
}

func openBackup(path string) (*os.File, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator's own choice
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no ordinary file", path), err, file.Close())
	}
	return file, nil
}

// lockSite keeps the site from running while it is replaced. A database that is
// damaged cannot be opened by anybody: it needs no lock, and is what one restores
// for.
func lockSite(cfg config.Config) (unlock func(), err error) {
	db, err := localdb.OpenStill(cfg.DatabaseFile())
	if errors.Is(err, localdb.ErrInUse) {
		return nil, fmt.Errorf("the site is running: stop it first (%w)", err)
	}
	if err != nil {
		return func() {}, nil
	}
	return func() { _ = db.Close() }, nil
}

// mayReplace tells whether there is a site, and whether that may go.
func mayReplace(cfg config.Config, force bool) error {
	if force {
		return nil
	}
	what := cfg.DatabaseFile()
	if !exists(what) {
		found := errors.New("found")
		err := filepath.WalkDir(cfg.MediaDir(), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				what = path
				return found
			}
			return nil
		})
		if !errors.Is(err, found) {
			return nil
		}
	}
	return fmt.Errorf("there is a site in %s already (%s): with --force it is moved aside and kept", cfg.DataDir, what)
}

// stage unpacks and checks the backup beside the site. After an error nothing is
// left of it.
func stage(ctx context.Context, dataDir string, file *os.File) (head archive.Head, err error) {
	staging := filepath.Join(dataDir, stagingDir)
	if err := os.RemoveAll(staging); err != nil { // of a restore that was killed
		return head, err
	}
	if err := os.MkdirAll(staging, 0o700); err != nil {
		return head, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(staging)
		}
	}()
	if head, err = archive.Unpack(ctx, file, staging); err != nil {
		return head, err
	}
	return head, localdb.CheckFile(ctx, filepath.Join(staging, archive.Database))
}
