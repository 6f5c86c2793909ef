// Package controllers holds the actions: one file a feature, with what it takes
// (input structs), what it answers (output structs), its actions and its routes.
//
// It does not belong here: queries and rules (models), the format of an answer
// (utils/respond), who may call (the access groups in Routes).
package controllers

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/media"
	"tokentube/utils/password"
)

// App is what the actions work with.
type App struct {
	Config   config.Config
	DB       *models.DB
	Auth     *middlewares.Auth
	Users    *models.Users
	Sessions *models.Sessions
	Events   *models.Events
	Posts    *models.Posts
	Likes    *models.Likes
	Views    *models.Views
	Media    *media.Store
	Hasher   *password.Hasher
	Log      *slog.Logger
	Now      func() time.Time
	Sleep    func(context.Context, time.Duration) error // until then, or until the request ends
}

// Viewer is who is looking, as pages show it.
type Viewer struct {
	ID, Username, FullName, Email string
	Avatar                        Address
	Theft                         *time.Time // when a token was used twice, if that is to be told
}

// Viewer tells the pages who is looking; nil is nobody.
func (a *App) Viewer(c *gin.Context) any {
	id := middlewares.Current(c)
	u := id.User
	if u == nil {
		return nil
	}
	return Viewer{Theft: u.TheftToTell(id.Session), ID: u.ID.Hex(), Username: u.Username, FullName: u.FullName, Email: u.Email, Avatar: a.file(u.Avatar)}
}

// file is the address of a public file.
func (a *App) file(name string) Address {
	if name == "" {
		return Address{}
	}
	return Address{a.Config.BaseURL, "/media/" + name}
}

// user is the public shape of a user; own adds what only they may see.
func (a *App) user(u *models.User, own bool) User {
	out := User{
		ID: u.ID.Hex(), Username: u.Username, FullName: u.FullName, Bio: u.Bio,
		Avatar: a.file(u.Avatar), CoverImage: a.file(u.CoverImage),
		SubscribersCount: u.SubscribersCount, SubscriptionsCount: u.SubscriptionsCount, PostsCount: u.PostsCount,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
	if own {
		out.Email, out.Roles = u.Email, u.Roles
	}
	return out
}

func (a *App) owner(u *models.User) Owner {
	return Owner{ID: u.ID.Hex(), Username: u.Username, FullName: u.FullName, Avatar: a.file(u.Avatar)}
}

// posts makes the outputs of many posts with two queries: their owners, and
// which of them the viewer likes. Posts whose owner is gone are left out.
func (a *App) posts(ctx context.Context, viewer bson.ObjectID, posts []*models.Post) ([]Post, error) {
	ids, owners := make([]bson.ObjectID, 0, len(posts)), make([]bson.ObjectID, 0, len(posts))
	for _, p := range posts {
		ids, owners = append(ids, p.ID), append(owners, p.Owner)
	}
	users, err := a.Users.ByIDs(ctx, owners)
	if err != nil {
		return nil, err
	}
	liked, err := a.Likes.Of(ctx, viewer, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Post, 0, len(posts))
	for _, p := range posts {
		if u := users[p.Owner]; u != nil {
			out = append(out, a.post(p, u, liked[p.ID], viewer))
		}
	}
	return out, nil
}

func (a *App) post(p *models.Post, owner *models.User, liked bool, viewer bson.ObjectID) Post {
	out := Post{
		ID: p.ID.Hex(), Kind: string(p.Kind), Title: p.Title, Description: p.Description, Tags: p.Tags,
		Owner: a.owner(owner), IsPublished: p.Visibility == models.Public, PublishedAt: p.PublishedAt,
		Views: p.Views, LikesCount: p.LikesCount, IsLiked: liked, CommentsCount: p.CommentsCount,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, EditedAt: p.EditedAt, IsMine: p.Owner == viewer,
	}
	original, thumbnail := Address{a.Config.BaseURL, "/media/posts/" + out.ID}, a.file(p.Thumbnail)
	switch p.Kind {
	case models.Video:
		out.VideoFile, out.Thumbnail, out.Duration = &original, &thumbnail, &p.Duration
		out.Width, out.Height = p.Width, p.Height
	case models.Photo:
		out.Photo, out.Thumbnail, out.Alt = &original, &thumbnail, p.Alt
		out.Width, out.Height = p.Width, p.Height
	case models.Text:
		out.Content, out.Description = p.Description, ""
	}
	return out
}

// uploads are the files that a request has stored so far.
type uploads struct {
	db    *models.DB
	names []string
}

// discard removes them again, unless they were kept: no failed request leaves a
// file behind, also when its client is gone.
func (u *uploads) discard(c *gin.Context) {
	_ = u.db.DeleteFiles(context.WithoutCancel(c), u.names...)
}

func (u *uploads) keep() { u.names = nil }

// add remembers stored files.
func (u *uploads) add(names ...string) { u.names = append(u.names, names...) }

// picture is an upload of one file that is stored under one name, put in *name.
func (u *uploads) picture(c *gin.Context, name *string, save func(context.Context, io.Reader) (string, error)) func(io.Reader) error {
	return func(r io.Reader) (err error) {
		*name, err = save(c, r)
		if err == nil {
			u.add(*name)
		}
		return err
	}
}
