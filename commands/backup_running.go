package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"tokentube/config"
)

// backupSocket is where a running site serves backups to the "backup" command.
func backupSocket(cfg config.Config) string { return filepath.Join(cfg.DataDir, "backup.sock") }

// patience is how long the reader of a backup may block: until it is done, deleted files stay on disk.
const patience = time.Minute

// ServeBackups gives everyone who connects to a socket in DATA_DIR a backup, one at a time, until the database is
// closed. Only the user that runs the site can connect, and they can read the folder anyway: so, unlike a download, it
// includes the secrets.
func (d *Data) ServeBackups(cfg config.Config) {
	if cfg.MongoURI != "" {
		return
	}
	path := backupSocket(cfg)
	_ = os.Remove(path) // left by a killed process: only the process that has the database open listens
	listener, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		d.Log.Warn(`the "backup" command cannot reach this site while it runs`, "error", err)
		return
	}
	d.DB.UntilClosed(func(ctx context.Context) {
		defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
		for {
			to, err := listener.Accept()
			if err != nil {
				return
			}
			if err := d.giveBackup(ctx, to, cfg); err != nil && ctx.Err() == nil {
				d.Log.ErrorContext(ctx, "a backup was cut off", "error", err)
			}
		}
	})
}

// giveBackup writes a backup. If something fails, it is cut short: the reader notices that the end marker is missing.
func (d *Data) giveBackup(ctx context.Context, to net.Conn, cfg config.Config) error {
	defer func() { _ = to.Close() }()
	defer context.AfterFunc(ctx, func() { _ = to.Close() })()
	release := d.Media.Hold()
	defer release()
	files := d.Media
	if cfg.MediaURL != "" {
		files = nil
	}
	return writeSite(ctx, impatient{to}, cfg, files, d.DB.Snapshot, cfg.DataDir)
}

// impatient is a connection whose other end must keep reading.
type impatient struct{ net.Conn }

func (i impatient) Write(p []byte) (int, error) {
	if err := i.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return i.Conn.Write(p)
}

// fromRunning asks the running site for a backup. inUse is the error if no site is running, only a command that has the
// database open.
func fromRunning(ctx context.Context, cfg config.Config, inUse error) (write func(io.Writer) error, done func(), err error) {
	from, err := (&net.Dialer{}).DialContext(ctx, "unix", backupSocket(cfg))
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil, fmt.Errorf("run this as the user that runs the site: %w", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w\nWhile it runs, an administrator can download GET %s/api/v1/admin/backup", inUse, cfg.BaseURL)
	}
	stop := context.AfterFunc(ctx, func() { _ = from.Close() })
	write = func(to io.Writer) error {
		n, err := io.Copy(to, from)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n == 0 && err == nil {
			return errors.New("the running site could not make one: its log says why")
		}
		return err
	}
	return write, func() { stop(); _ = from.Close() }, nil
}
