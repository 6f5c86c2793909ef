// Package controllers holds the actions: one file for each feature, with its input structs, output structs, actions and
// routes.
//
// Does not belong here: queries and rules (models), the format of a response (utils/respond), who may call (the access
// groups in Routes), the article's own paths (routes/article.go).
package controllers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/mail"
	"tokentube/utils/media"
	"tokentube/utils/metrics"
	"tokentube/utils/passkey"
	"tokentube/utils/password"
	"tokentube/utils/token"
)

// App is what the actions work with.
type App struct {
	*models.Site
	Config     config.Config
	Auth       *middlewares.Auth
	Media      *media.Store
	Hasher     *password.Hasher
	Log        *slog.Logger
	Now        func() time.Time
	Sleep      func(context.Context, time.Duration) error // until then, or until the request ends
	Letters    *mail.Letters
	Metrics    *metrics.Metrics // nil: metrics are off
	Passkeys   *passkey.Site    // nil: the site has no name that passkeys could be bound to
	office     postOffice
	decorators []Decorator[Post]

	commentDecorators []Decorator[Comment]
}

// New makes the App from the open database and file storage.
func New(cfg config.Config, site *models.Site, files *media.Store, log *slog.Logger, now func() time.Time) (*App, error) {
	hasher, err := password.NewHasher(cfg.BcryptCost)
	if err != nil {
		return nil, err
	}
	tokens, err := token.New(token.Config{
		AccessSecret: cfg.AccessTokenSecret, AccessSecretPrevious: cfg.AccessTokenSecretPrevious,
		RefreshSecret: cfg.RefreshTokenSecret, RefreshSecretPrevious: cfg.RefreshTokenSecretPrevious,
		AccessKey: cfg.JWTPrivateKey, AccessKeyPrevious: cfg.JWTPublicKeyPrevious,
		AccessTTL: cfg.AccessTokenExpiry, RefreshTTL: cfg.RefreshTokenExpiry, Issuer: cfg.JWTIssuer, Now: now,
	})
	if err != nil {
		return nil, err
	}
	auth := &middlewares.Auth{
		Tokens: tokens, Users: site.Users, Sessions: site.Sessions, Events: site.Events, Requests: site.Requests,
		Cookies: middlewares.Cookies{Prefix: cfg.CookiePrefix, Path: "/", Secure: secureCookies(cfg)},
		Streams: middlewares.NewStreams(), Uploads: middlewares.NewUploads(), Room: files.Room,
		Shared: site.DB.Shared(), Log: log, Now: now, Clock: new(middlewares.ClockWarning),
	}
	if cfg.RateLimit {
		auth.Limits = middlewares.NewLimits(site.Attempts, cfg.RefreshTokenSecret, now)
	}
	passkeys, err := passkey.New(cfg.BaseURL)
	if err != nil && !errors.Is(err, passkey.ErrNoName) {
		return nil, err
	}
	app := &App{Passkeys: passkeys, Site: site, Config: cfg, Auth: auth, Media: files, Hasher: hasher, Log: log, Now: now, Sleep: sleep}
	return app, app.openPostOffice(cfg)
}

func secureCookies(cfg config.Config) func(*http.Request) bool {
	return middlewares.SecureCookies(cfg.CookieSecure, cfg.Env == "development" && !cfg.HTTPS() && cfg.CookiePrefix == "")
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

// target is the caller, and the id that the path names with :id.
func target(c *gin.Context) (viewer, id bson.ObjectID, err error) {
	id, err = store.ParseID(c.Param("id"))
	return middlewares.UserID(c), id, err
}

// Viewer is the viewer, as pages show them.
type Viewer struct {
	ID, Username, FullName, Email string
	Avatar                        Address
	Theft                         *time.Time // when a token was reused, if a notice is to be shown
	EmailLostAt                   *time.Time // when somebody else claimed their address, if they have no other
	unread                        func() int
	IsAdmin                       bool
	IsNew                         bool // has not published anything yet
}

// Unread is how many notifications they haven't read. It is only computed for pages.
func (v Viewer) Unread() int {
	if v.unread == nil { // not for a page
		return 0
	}
	return v.unread()
}

// ManyUnread reports that there are more than are counted.
func (v Viewer) ManyUnread(n int) bool { return n >= models.MaxUnread }

// Viewer returns the viewer for the pages; nil if nobody is logged in.
func (a *App) Viewer(c *gin.Context) any {
	id := middlewares.Current(c)
	u := id.User
	if u == nil {
		return nil
	}
	unread := func() int {
		n, err := a.Notifications.Unread(c, u.ID)
		if err != nil {
			a.Log.WarnContext(c, "notifications not counted", "error", err)
		}
		return n
	}
	return Viewer{unread: unread, IsAdmin: u.HasRole(models.Admin), IsNew: u.PostsCount == 0, Theft: u.TheftToTell(id.Session), ID: u.ID.Hex(), Username: u.Username, FullName: u.FullName, Email: u.Address(), EmailLostAt: u.EmailLostAt, Avatar: a.file(u.Avatar)}
}

// file is the URL of a public file.
func (a *App) file(name string) Address {
	if name == "" {
		return Address{}
	}
	return Address{a.Config.BaseURL, "/media/" + name}
}

// user is the public form of a user; own adds what only they may see.
func (a *App) user(u *models.User, own bool) User {
	out := User{
		ID: u.ID.Hex(), Username: u.Username, FullName: u.FullName, Bio: u.Bio,
		Avatar: a.file(u.Avatar), CoverImage: a.file(u.CoverImage),
		SubscribersCount: u.SubscribersCount, SubscriptionsCount: u.SubscriptionsCount, PostsCount: u.PostsCount,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
	if own {
		confirmed := u.UnconfirmedSince == nil && u.EmailLostAt == nil
		out.Email, out.NewEmail, out.EmailConfirmed, out.Roles = u.Address(), u.NewEmail, &confirmed, u.Roles
	}
	return out
}

func (a *App) owner(u *models.User) Owner {
	return Owner{ID: u.ID.Hex(), Username: u.Username, FullName: u.FullName, Avatar: a.file(u.Avatar), SubscribersCount: u.SubscribersCount}
}

// Decorator adds the viewer's relation to posts or comments (liked, saved and so on), in a fixed number of queries for
// all of them. Each feature registers its own.
type Decorator[T any] func(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID, outputs []T) error

// Decorate registers a Decorator of posts.
func (a *App) Decorate(d Decorator[Post]) { a.decorators = append(a.decorators, d) }

// DecorateComments registers a Decorator of comments.
func (a *App) DecorateComments(d Decorator[Comment]) {
	a.commentDecorators = append(a.commentDecorators, d)
}

// posts builds the output of posts that the viewer may see.
func (a *App) posts(ctx context.Context, viewer bson.ObjectID, posts []*models.Post) ([]Post, error) {
	ids, owners := make([]bson.ObjectID, len(posts)), make([]bson.ObjectID, len(posts))
	for i, p := range posts {
		ids[i], owners[i] = p.ID, p.Owner
	}
	users, err := a.Users.CachedByIDs(ctx, owners)
	if err != nil {
		return nil, err
	}
	out := make([]Post, 0, len(posts))
	for i, p := range posts {
		if u := users[p.Owner]; u != nil { // nil if it was deleted a moment ago
			ids[len(out)] = ids[i]
			out = append(out, a.post(p, u, viewer))
		}
	}
	for _, decorate := range a.decorators {
		if err := decorate(ctx, viewer, ids[:len(out)], out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// shownPost is the output of a post that the viewer may see.
func (a *App) shownPost(c *gin.Context, id bson.ObjectID) (Post, error) {
	viewer := middlewares.UserID(c)
	post, err := a.Posts.Visible(c, viewer, id)
	if err != nil {
		return Post{}, err
	}
	return a.onePost(c, post)
}

// onePost is the output of a post that the viewer may see, loaded already.
func (a *App) onePost(c *gin.Context, post *models.Post) (Post, error) {
	out, err := a.posts(c, middlewares.UserID(c), []*models.Post{post})
	if err == nil && len(out) == 0 {
		err = store.ErrNotFound()
	}
	if err != nil {
		return Post{}, err
	}
	return out[0], nil
}

func (a *App) post(p *models.Post, owner *models.User, viewer bson.ObjectID) Post {
	out := Post{
		ID: p.ID.Hex(), Kind: string(p.Kind), Title: p.Title, Description: p.Description, Tags: p.Tags,
		Owner: a.owner(owner), IsPublished: p.Published(), IsHidden: p.Visibility == models.Hidden, PublishedAt: p.PublishedAt,
		Views: p.Views, LikesCount: p.LikesCount, CommentsCount: p.CommentsCount, CommentsOff: p.CommentsOff,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, EditedAt: p.EditedAt, IsMine: p.Owner == viewer,
	}
	if p.CommentsOff {
		out.CommentsCount = 0 // nobody sees any
	}
	original := Address{a.Config.BaseURL, "/media/posts/" + out.ID}
	thumbnail := Address{}
	if p.Thumbnail != "" {
		thumbnail = Address{a.Config.BaseURL, original.Path + "/thumbnail"}
	}
	switch p.Kind {
	case models.Video:
		out.VideoFile, out.Thumbnail = &original, &thumbnail
		out.Width, out.Height = p.Width, p.Height
		if p.Duration > 0 {
			out.Duration = &p.Duration
		}
	case models.Photo:
		out.Photo, out.Thumbnail, out.Alt = &original, &thumbnail, p.Alt
		out.Width, out.Height = p.Width, p.Height
		if p.Preview != "" {
			out.Preview = &Address{a.Config.BaseURL, original.Path + "/preview"}
		}
	case models.Text:
		out.Content, out.Description = p.Description, ""
	}
	return out
}
