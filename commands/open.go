package commands

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"tokentube/config"
	"tokentube/controllers"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/media"
	"tokentube/utils/password"
	"tokentube/utils/token"
)

const (
	pixels      = 40_000_000
	openTimeout = 30 * time.Second
)

// Open opens the database and the file storage and makes the App. The database
// is to be prepared when the routes are made, which register what features add.
func Open(ctx context.Context, cfg config.Config, logs io.Writer) (*controllers.App, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := unfinishedRestore(cfg.DataDir); err != nil {
		return nil, err
	}
	log := newLogger(cfg, logs)
	store, err := media.Open(ctx, cfg.MediaURL, cfg.MediaDir(), media.Limits{ImageBytes: cfg.MaxImageBytes, VideoBytes: cfg.MaxVideoBytes, Pixels: pixels})
	if err != nil {
		return nil, fmt.Errorf("the file storage cannot be opened: %w", err)
	}
	db, err := models.Open(ctx, models.Settings{
		MongoURI: cfg.MongoURI, MongoDatabase: cfg.MongoDatabase, File: cfg.DatabaseFile(),
		Now: time.Now, DeleteFiles: store.Delete, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return NewApp(cfg, db, store, log, time.Now)
}

// NewApp makes the models and what the actions need beside them. Prepare the
// database before it is used.
func NewApp(cfg config.Config, db *models.DB, store *media.Store, log *slog.Logger, now func() time.Time) (*controllers.App, error) {
	hasher, err := password.NewHasher(cfg.BcryptCost)
	if err != nil {
		return nil, err
	}
	tokens, err := newTokens(cfg, now)
	if err != nil {
		return nil, err
	}
	users, events := models.NewUsers(db), models.NewEvents(db)
	sessions := models.NewSessions(db, models.SessionPolicy{RefreshTTL: cfg.RefreshTokenExpiry, Grace: cfg.RefreshTokenGrace, MaxAge: cfg.SessionMaxAge})
	posts := models.NewPosts(db, users)
	auth := &middlewares.Auth{
		Tokens: tokens, Users: users, Sessions: sessions, Events: events,
		Cookies: middlewares.Cookies{Prefix: cfg.CookiePrefix, Path: "/", Secure: cfg.CookieSecure},
		Log:     log, Now: now,
	}
	if attempts := models.NewAttempts(db, cfg.RefreshTokenSecret); cfg.RateLimit {
		auth.Limits = middlewares.NewLimits(attempts, cfg.RefreshTokenSecret, now)
	}
	return &controllers.App{
		Config: cfg, DB: db, Auth: auth, Users: users, Sessions: sessions, Events: events,
		Posts: posts, Likes: models.NewLikes(db, posts), Views: models.NewViews(db, posts, cfg.RefreshTokenSecret),
		Media: store, Hasher: hasher, Log: log, Now: now, Sleep: sleep,
	}, nil
}

// sleep waits for a while, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newTokens(cfg config.Config, now func() time.Time) (*token.Tokens, error) {
	return token.New(token.Config{
		AccessSecret: cfg.AccessTokenSecret, AccessSecretPrevious: cfg.AccessTokenSecretPrevious,
		RefreshSecret: cfg.RefreshTokenSecret, RefreshSecretPrevious: cfg.RefreshTokenSecretPrevious,
		AccessKey: cfg.JWTPrivateKey, AccessKeyPrevious: cfg.JWTPublicKeyPrevious,
		AccessTTL: cfg.AccessTokenExpiry, RefreshTTL: cfg.RefreshTokenExpiry, Issuer: cfg.JWTIssuer, Now: now,
	})
}

// Close ends background work and closes the database and the file storage.
func Close(app *controllers.App) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, err := range []error{app.DB.Close(ctx), app.Media.Close()} {
		if err != nil {
			app.Log.Error("closing", "error", err)
		}
	}
}

func newLogger(cfg config.Config, out io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // was checked
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
