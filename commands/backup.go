package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"tokentube/config"
	"tokentube/utils/archive"
	"tokentube/utils/localdb"
	"tokentube/utils/media"
)

var backupCommand = command{
	name: "backup", args: "FILE [--force] | FOLDER --keep N",
	brief: "save the whole site in one file",
	help: `FILE becomes a tar file with the database, the media folder and the generated
secrets (secrets.env): everything that "restore" needs to bring the site back on
another machine. Keep it as safe as the site: anyone who has it has every account.
Secrets from the environment are not included, and neither are media files in a
bucket (MEDIA_URL).

FILE appears once it is complete and has been read back. Only you can read it. An
existing file is replaced only with --force.

With --keep, the file is FOLDER/tokentube-DATE-TIME.tar (UTC), and once it is complete,
the oldest of that kind are deleted until N are left. That is for a timer.

The site may run or be stopped. If it runs, run this on the same machine as the same
user: the site itself makes the backup. From elsewhere, an administrator can download
one without the secrets: GET /api/v1/admin/backup (see "admin").

Back up a site on MongoDB (MONGODB_URI) with mongodump, and its media with the tools
of the bucket or the file system.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		var keep int
		flags.Func("keep", "", func(text string) (err error) {
			if keep, err = strconv.Atoi(text); err != nil || keep < 1 {
				return errors.New("must be a whole number from 1")
			}
			return nil
		})
		force := flags.Bool("force", false, "")
		found, err := positional(flags, args, "FILE")
		if err != nil {
			return nil, err
		}
		if keep > 0 && *force {
			return nil, errors.New("--force doesn't go with --keep, which never replaces a file")
		}
		return func(ctx context.Context, s Site) error {
			if keep > 0 {
				return backupInto(ctx, s, found[0], keep)
			}
			return backup(ctx, s, found[0], *force)
		}, nil
	},
}

func backup(ctx context.Context, s Site, path string, force bool) error {
	if s.Config.MongoURI != "" {
		return errors.New("this site keeps its documents in a MongoDB (MONGODB_URI): back that up with mongodump")
	}
	if err := mayWrite(path, force); err != nil {
		return err
	}
	write, done, err := maker(ctx, s.Config, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer done()
	head, size, err := writeArchive(ctx, path, write, force)
	if err != nil {
		return fmt.Errorf("the backup could not be written: %w", err)
	}
	s.say("Wrote %s, %d bytes: the database%s. It was read back and is whole.", path, size, also(head.Media, head.Secrets))
	if !head.Media {
		s.say("The media files are in the bucket of MEDIA_URL and not in it.")
	}
	if !head.Secrets {
		s.say("The secrets came from the environment and are not in it: keep them yourself.")
	}
	return nil
}

// maker returns the function that writes a backup: for a stopped site this process does, from a copy in folder; a
// running site writes it itself.
func maker(ctx context.Context, cfg config.Config, folder string) (write func(io.Writer) error, done func(), err error) {
	db, err := openStopped(cfg)
	if errors.Is(err, localdb.ErrInUse) {
		return fromRunning(ctx, cfg, err)
	}
	if err != nil {
		return nil, nil, err
	}
	var files *media.Store
	if cfg.MediaURL == "" {
		if files, err = media.Open(ctx, "", cfg.MediaDir(), media.Limits{}); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
	}
	done = func() {
		_ = db.Close()
		if files != nil {
			_ = files.Close()
		}
	}
	return func(to io.Writer) error { return writeSite(ctx, to, cfg, files, db.Snapshot, folder) }, done, nil
}

// writeSite writes all data of the site in DATA_DIR; files is nil if they are stored elsewhere.
func writeSite(ctx context.Context, to io.Writer, cfg config.Config, files *media.Store, snapshot func(context.Context, string) (string, error), folder string) error {
	database, err := snapshot(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(database) }()
	contents := archive.Contents{Database: database, Media: files, Made: time.Now()}
	if secrets := cfg.SecretsFile(); exists(secrets) {
		contents.Secrets = secrets
	}
	return archive.Write(ctx, to, contents)
}

func also(media, secrets bool) string {
	switch {
	case media && secrets:
		return ", the media files and the secrets"
	case media:
		return " and the media files"
	case secrets:
		return " and the secrets"
	}
	return ""
}

// openStopped opens the database file of a site that isn't running.
func openStopped(cfg config.Config) (*localdb.DB, error) {
	if err := unfinishedRestore(cfg.DataDir); err != nil {
		return nil, err
	}
	db, err := localdb.OpenStill(cfg.DatabaseFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSite(cfg)
	}
	return db, running(err)
}

func noSite(cfg config.Config) error {
	return fmt.Errorf("there is no site in %s (DATA_DIR)", cfg.DataDir)
}

// mayWrite reports early what would otherwise only fail after the work is done.
func mayWrite(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", path)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is no ordinary file", path)
	case err == nil && !force:
		return fmt.Errorf("%s exists already: name another file, or replace it with --force", path)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if folder, err := os.Stat(filepath.Dir(path)); err != nil || !folder.IsDir() {
		return fmt.Errorf("there is no folder %s", filepath.Dir(path))
	}
	return nil
}

// writeArchive writes to a temporary file, verifies what it wrote, and only then publishes it as path.
func writeArchive(ctx context.Context, path string, write func(io.Writer) error, force bool) (head archive.Head, size int64, err error) {
	draft, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.tmp") // mode 0600
	if err != nil {
		return head, 0, err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	err = write(draft)
	if err == nil {
		err = draft.Sync()
	}
	if err == nil {
		_, err = draft.Seek(0, 0)
	}
	if err == nil {
		head, err = archive.Verify(ctx, draft)
	}
	info, statErr := draft.Stat()
	if err = errors.Join(err, statErr, draft.Close()); err != nil {
		return head, 0, err
	}
	return head, info.Size(), errors.Join(publish(draft.Name(), path, force), syncFolder(filepath.Dir(path)))
}

// publish renames. Without force it never replaces a file that appeared in the meantime: unlike a rename, a link fails
// then. Some file systems have no links.
func publish(from, to string, force bool) error {
	if force {
		return os.Rename(from, to)
	}
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if exists(to) {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	return os.Rename(from, to)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// syncFolder makes a rename durable.
func syncFolder(path string) error {
	folder, err := os.Open(path) // #nosec G304 -- the operator's own choice
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
