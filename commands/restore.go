package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/archive"
	"tokentube/utils/localdb"
	"tokentube/utils/media"
)

var restoreCommand = command{
	name: "restore", args: "FILE [--force]",
	brief: "restore a site from a backup",
	help: `FILE comes from "backup" or GET /api/v1/admin/backup. The whole file and the database
in it are checked before anything changes.

DATA_DIR must not contain a site yet. With --force, an existing one is moved to
DATA_DIR/before-restore-DATE-TIME, where you can delete it once everything works. If
the media folder is a mount of its own, its old files stay inside it, in a folder with
that name.

Stop the site first. If the restore is interrupted (Ctrl-C, a full disk, a folder that
can't be written), nothing has changed. If it is killed, either nothing has changed, or
the site refuses to start until "restore" is run again and finishes.

Everyone must log in again, with the password they had at that time: sessions that
ended after the backup, perhaps because of a theft, must not come back to life.

A downloaded backup contains no secrets: those in DATA_DIR stay, or new ones are
generated at the next start.`,
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
	if err := mayReplace(s.Config, force); err != nil { // a site may have been started in the meantime
		unstage(s.Config.DataDir)
		return err
	}
	aside := asideName(s.Config.DataDir, time.Now())
	if err := commitRestore(s.Config.DataDir, aside); err != nil {
		return err
	}
	sayRestored(s, head, filepath.Join(s.Config.DataDir, aside))
	return nil
}

// sayRestored reports what has been restored, and what has not.
func sayRestored(s Site, head archive.Head, kept string) {
	s.say("Restored the site as it was on %s.", head.Made.Local().Format("2 January 2006 at 15:04"))
	for _, kept := range []string{kept, filepath.Join(s.Config.MediaDir(), filepath.Base(kept))} {
		if exists(kept) {
			s.say("What was there before is in %s.", kept)
		}
	}
	if !head.Media {
		s.say("The backup holds no media files: they are in the bucket of MEDIA_URL.")
	}
	if !head.Secrets {
		s.say("The backup holds no secrets: those of this folder or of the environment are used, or new ones are made.")
	}
	s.say("Everyone must log in again, with the password they had at that time.")
}

// asideName is a folder that doesn't exist yet.
func asideName(dataDir string, now time.Time) string {
	name := "before-restore-" + now.Format("2006-01-02-150405")
	for i := 2; exists(filepath.Join(dataDir, name)) || exists(filepath.Join(dataDir, archive.Media, name)); i++ {
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

// lockSite keeps the site from running while it is replaced. A damaged database needs no lock, because nobody can open
// it; it is the very reason to restore.
func lockSite(cfg config.Config) (unlock func(), err error) {
	if !exists(cfg.DatabaseFile()) {
		return func() {}, nil
	}
	db, err := localdb.Open(cfg.DatabaseFile(), localdb.Still())
	if errors.Is(err, localdb.ErrInUse) {
		return nil, running(err)
	}
	if err != nil {
		return func() {}, nil
	}
	return func() { _ = db.Close() }, nil
}

// mayReplace returns an error if there is a site that must not be replaced.
func mayReplace(cfg config.Config, force bool) error {
	if force {
		return nil
	}
	found := cfg.DatabaseFile()
	if !exists(found) {
		found = anyMedia(cfg.MediaDir())
	}
	if found == "" {
		return nil
	}
	return fmt.Errorf("there is a site in %s already (%s): with --force it is moved aside and kept", cfg.DataDir, found)
}

// anyMedia is the path of any media file, or "" if there is none.
func anyMedia(dir string) (found string) {
	for _, folder := range media.Folders() {
		_ = filepath.WalkDir(filepath.Join(dir, folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				found = path
				return fs.SkipAll
			}
			return nil
		})
	}
	return found
}

// stage unpacks and verifies the backup next to the site. After an error, it leaves nothing behind.
func stage(ctx context.Context, dataDir string, file *os.File) (head archive.Head, err error) {
	unstage(dataDir) // left by a restore that was killed
	defer func() {
		if err != nil {
			unstage(dataDir)
		}
	}()
	staging := filepath.Join(dataDir, stagingDir)
	if err := os.MkdirAll(staging, 0o700); err != nil {
		return head, err
	}
	if head, err = archive.Unpack(ctx, file, staging, stagedMedia(dataDir)); err != nil {
		return head, err
	}
	database := filepath.Join(staging, archive.Database)
	if err := localdb.CheckFile(ctx, database); err != nil {
		return head, err
	}
	return head, endSessions(ctx, database)
}

// unstage removes what was unpacked, and the media folder if it was created for that.
func unstage(dataDir string) {
	_ = os.RemoveAll(filepath.Join(dataDir, stagingDir)) // if this fails, the next restore reports why
	if os.RemoveAll(stagedMedia(dataDir)) == nil {
		_ = os.Remove(filepath.Join(dataDir, archive.Media)) // if it is empty
	}
}

// endSessions ends all logins in a database that is restored from the past. Otherwise, sessions that were ended since
// then (perhaps because a token was stolen) would be valid again, and tokens renewed since then would look stolen.
func endSessions(ctx context.Context, database string) error {
	db, err := store.Open(ctx, store.Settings{File: database, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	site, told := models.New(db, models.Settings{}), map[bson.ObjectID]bool{}
	err = site.Sessions.EndAll(ctx, models.Restored, func(ctx context.Context, s *models.Session) error {
		if told[s.User] {
			return nil
		}
		told[s.User] = true
		return site.Events.Add(ctx, models.EventSessionEnded, s, models.Device{})
	})
	return errors.Join(err, db.Close(ctx))
}
