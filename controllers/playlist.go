package controllers

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// PlaylistActions let users manage their playlists. The items in a playlist are in playlist_item.go.
type PlaylistActions struct{ *App }

// Routes registers the feature.
func (l PlaylistActions) Routes(r middlewares.Access) {
	l.Decorate(l.isSaved)
	r.Private.Page(http.MethodGet, "/playlists", l.Index)
	r.Private.Both(http.MethodPost, "/playlists", l.Create)
	r.Public.API(http.MethodGet, "/playlists/user/:id", l.OfUser)
	r.Public.Both(http.MethodGet, "/playlists/:id", l.Show)
	r.Private.Page(http.MethodGet, "/playlists/:id/edit", l.Edit)
	r.Private.Both(http.MethodPatch, "/playlists/:id", l.Update)
	r.Private.Both(http.MethodDelete, "/playlists/:id", l.Delete)
	l.itemRoutes(r)
}

// Playlist is a playlist as returned to viewers who may see it.
type Playlist struct {
	ID           string    `json:"_id"`
	Name         string    `json:"name"`
	Description  string    `json:"description"`
	Visibility   string    `json:"visibility"`
	Owner        Owner     `json:"owner"`
	IsWatchLater bool      `json:"isWatchLater"`
	ItemsCount   *int64    `json:"itemsCount,omitempty"` // only for the owner, because it includes posts that others can't see
	CreatedAt    time.Time `json:"createdAt"`
	UpdatedAt    time.Time `json:"updatedAt"`
	IsMine       bool      `json:"-"`
}

// Path is the address of the playlist's page.
func (p Playlist) Path() string { return "/playlists/" + p.ID }

func (a *App) playlist(l *models.Playlist, owner *models.User, viewer bson.ObjectID) Playlist {
	out := Playlist{
		ID: l.ID.Hex(), Name: l.Name, Description: l.Description, Visibility: string(l.Visibility), Owner: a.owner(owner),
		IsWatchLater: l.IsWatchLater(), CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt, IsMine: l.Owner == viewer,
	}
	if out.IsMine {
		out.ItemsCount = &l.ItemsCount
	}
	return out
}

// playlists builds one page of a user's playlists.
func (a *App) playlists(c *gin.Context, owner bson.ObjectID) ([]Playlist, next, error) {
	p, err := paging(c)
	if err != nil {
		return nil, next{}, err
	}
	u, err := a.Users.Channel(c, owner)
	if err != nil {
		return nil, next{}, err
	}
	page, err := a.Playlists.Page(c, middlewares.UserID(c), owner, p)
	out := make([]Playlist, len(page.Items))
	for i, l := range page.Items {
		out[i] = a.playlist(l, u, middlewares.UserID(c))
	}
	return out, nextOf(c, page.Next), err
}

type playlistInput struct {
	Name        *string   `form:"name" json:"name"`
	Description *string   `form:"description" json:"description"`
	Visibility  *string   `form:"visibility" json:"visibility"`
	Order       *[]string `form:"order" json:"order"` // the ids of posts
}

// playlistFields are the values of the form's fields.
type playlistFields struct{ Name, Description, Visibility string }

type playlistsPage struct {
	Playlists []Playlist `json:"playlists"`
	next
	Form playlistFields `json:"-"` // the submitted values
}

// Index is GET /playlists: the user's own playlists.
func (l PlaylistActions) Index(c *gin.Context) error {
	list, next, err := l.playlists(c, middlewares.UserID(c))
	if err != nil {
		return err
	}
	return respond.Show(c, "playlists/index", playlistsPage{Playlists: list, next: next})
}

// OfUser is GET /playlist/user/:id of the API: all of the user's own playlists, or another user's public ones.
func (l PlaylistActions) OfUser(c *gin.Context) error {
	_, id, err := target(c)
	if err != nil {
		return err
	}
	list, next, err := l.playlists(c, id)
	if err != nil {
		return err
	}
	return respond.Show(c, "", playlistsPage{Playlists: list, next: next})
}

// Create is POST /playlists: creates a playlist.
func (l PlaylistActions) Create(c *gin.Context) error {
	user, in := middlewares.Current(c).User, playlistInput{}
	err := input.Read(c.Request, &in, nil)
	made := &models.Playlist{Owner: user.ID, Name: deref(in.Name, ""), Description: deref(in.Description, ""), Visibility: models.Visibility(deref(in.Visibility, ""))}
	if err == nil {
		err = l.Playlists.Create(c, made)
	}
	if err != nil {
		list, next, failed := l.playlists(c, user.ID)
		if failed != nil {
			return failed
		}
		return respond.Invalid(c, "playlists/index", playlistsPage{list, next, playlistFields{made.Name, made.Description, string(made.Visibility)}}, err)
	}
	out := l.playlist(made, user, user.ID)
	return respond.Created(c, "Playlist created.", respond.Back(c, out.Path()), "/api/v1/playlist/"+out.ID, out)
}

// deref returns the submitted value, or a default if the field was missing.
func deref(sent *string, otherwise string) string {
	if sent == nil {
		return otherwise
	}
	return *sent
}

type playlistPage struct {
	Playlist
	postList
}

// Show is GET /playlists/:id: the playlist with its posts.
func (l PlaylistActions) Show(c *gin.Context) error {
	viewer, id, err := target(c)
	if err != nil {
		return err
	}
	list, err := l.Playlists.Visible(c, viewer, id)
	if err != nil {
		return err
	}
	return l.show(c, list)
}

func (l PlaylistActions) show(c *gin.Context, list *models.Playlist) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	owner, err := l.Users.Channel(c, list.Owner)
	if err != nil {
		return err
	}
	viewer := middlewares.UserID(c)
	page, err := l.Playlists.Items(c, viewer, list, p)
	if err != nil {
		return err
	}
	posts, err := l.postList(c, page)
	if err != nil {
		return err
	}
	return respond.Show(c, "playlists/show", playlistPage{l.playlist(list, owner, viewer), posts})
}

type playlistForm struct {
	Playlist
	Form playlistFields `json:"-"` // the submitted values
}

// Edit is GET /playlists/:id/edit.
func (l PlaylistActions) Edit(c *gin.Context) error {
	form, err := l.form(c)
	if err != nil {
		return err
	}
	return respond.Show(c, "playlists/edit", form)
}

func (l PlaylistActions) form(c *gin.Context) (playlistForm, error) {
	user, id, err := target(c)
	if err != nil {
		return playlistForm{}, err
	}
	list, err := l.Playlists.Own(c, user, id)
	if err != nil {
		return playlistForm{}, err
	}
	out := l.playlist(list, middlewares.Current(c).User, user)
	return playlistForm{out, playlistFields{out.Name, out.Description, out.Visibility}}, nil
}

// Update is PATCH /playlists/:id: changes any of the name, description, visibility and order of posts.
func (l PlaylistActions) Update(c *gin.Context) error {
	form, err := l.form(c)
	if err != nil {
		return err
	}
	in := playlistInput{}
	err = input.Read(c.Request, &in, nil)
	if err == nil {
		err = l.update(c, in)
	}
	if err != nil {
		form.Form = playlistFields{deref(in.Name, form.Name), deref(in.Description, form.Description), deref(in.Visibility, form.Visibility)}
		return respond.Invalid(c, "playlists/edit", form, err)
	}
	form, err = l.form(c)
	if err != nil {
		return err
	}
	return respond.Done(c, "Playlist saved.", form.Path(), form.Playlist)
}

func (l PlaylistActions) update(c *gin.Context, in playlistInput) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if in.Name == nil && in.Description == nil && in.Visibility == nil && in.Order == nil {
		return apperr.InvalidField("name", "Send a name, a description, a visibility or an order.")
	}
	return l.DB.Atomically(c, func(ctx context.Context) error {
		if in.Order != nil {
			order := make([]bson.ObjectID, len(*in.Order))
			for i, hex := range *in.Order {
				if order[i], err = store.ParseID(hex); err != nil {
					return apperr.InvalidField("order", "List only posts that are in the playlist.")
				}
			}
			if err := l.Playlists.Reorder(ctx, user, id, order); err != nil {
				return err
			}
		}
		if in.Name == nil && in.Description == nil && in.Visibility == nil {
			return nil
		}
		_, err := l.Playlists.Update(ctx, user, id, models.PlaylistChanges{Name: in.Name, Description: in.Description, Visibility: (*models.Visibility)(in.Visibility)})
		return err
	})
}

// Delete is DELETE /playlists/:id. It does not delete the posts.
func (l PlaylistActions) Delete(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := l.Playlists.Delete(c, user, id); err != nil {
		return err
	}
	return respond.Done(c, "Playlist deleted.", "/playlists", nil)
}

// isSaved marks the posts that are in the viewer's playlists.
func (l PlaylistActions) isSaved(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID, posts []Post) error {
	saved, err := l.Playlists.Saved(ctx, viewer, ids)
	for _, item := range saved {
		if i := slices.Index(ids, item.Post); i >= 0 {
			posts[i].IsSaved = true
			posts[i].IsWatchLater = posts[i].IsWatchLater || item.Later
		}
	}
	return err
}
