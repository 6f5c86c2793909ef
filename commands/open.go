package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"tokentube/config"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/localdb"
	"tokentube/utils/logs"
	"tokentube/utils/media"
)

const (
	pixels      = 40_000_000
	openTimeout = 30 * time.Second
)

// Data is the site's stored data: documents and files.
type Data struct {
	*models.Site
	Media *media.Store
	Log   *slog.Logger
}

// Open opens the database and the file storage. Call Prepare on the database before using it.
func Open(ctx context.Context, cfg config.Config, out io.Writer) (*Data, error) {
	if err := unfinishedRestore(cfg.DataDir); err != nil {
		return nil, err
	}
	return OpenWith(ctx, cfg, logs.New(out, cfg.LogFormat, cfg.LogLevel), time.Now)
}

// OpenWith is Open with the caller's log and clock.
func OpenWith(ctx context.Context, cfg config.Config, log *slog.Logger, now func() time.Time) (*Data, error) {
	return open(ctx, cfg, log, now, false)
}

func open(ctx context.Context, cfg config.Config, log *slog.Logger, now func() time.Time, readOnly bool) (*Data, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	files, err := media.Open(ctx, cfg.MediaURL, cfg.MediaDir(), media.Limits{ImageBytes: cfg.MaxImageBytes, VideoBytes: cfg.MaxVideoBytes, Pixels: pixels, Reserve: cfg.DiskReserve})
	if err != nil {
		return nil, fmt.Errorf("the file storage cannot be opened: %w", err)
	}
	db, err := store.Open(ctx, store.Settings{
		MongoURI: cfg.MongoURI, MongoDatabase: cfg.MongoDatabase, File: cfg.DatabaseFile(), ReadOnly: readOnly, Files: files, Now: now, Log: log,
	})
	if err != nil {
		return nil, errors.Join(running(err), files.Close())
	}
	site := models.New(db, models.Settings{
		Sessions: models.SessionPolicy{RefreshTTL: cfg.RefreshTokenExpiry, Grace: cfg.RefreshTokenGrace, MaxAge: cfg.SessionMaxAge},
		Quota:    cfg.UserQuota,
		Key:      cfg.RefreshTokenSecret,
	})
	return &Data{Site: site, Media: files, Log: log}, nil
}

// Close stops background work and closes the database and the file storage.
func (d *Data) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, err := range []error{d.DB.Close(ctx), d.Media.Close()} {
		if err != nil {
			d.Log.Error("closing", "error", err)
		}
	}
}

// running explains what to do when another process has the database open.
func running(err error) error {
	if !errors.Is(err, localdb.ErrInUse) {
		return err
	}
	return fmt.Errorf("the site is running, or another command is: stop it first (Ctrl-C where it runs, or \"docker compose stop\"), "+
		"then run this again. To work on another site, name its DATA_DIR.\n(%w)", err)
}
