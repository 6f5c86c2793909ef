package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// itemRoutes registers the actions on the items of playlists. The article's API adds and removes items with PATCH; the
// buttons on the pages use PUT and DELETE on the item itself.
func (l PlaylistActions) itemRoutes(r middlewares.Access) {
	r.Private.Both(http.MethodGet, "/playlists/watch-later", l.WatchLater)
	r.Private.Both(http.MethodPut, "/playlists/watch-later/:id", l.AddLater)
	r.Private.Both(http.MethodDelete, "/playlists/watch-later/:id", l.RemoveLater)
	r.Private.Both(http.MethodGet, "/playlists/save/:id", l.Save)
	r.Private.API(http.MethodPatch, "/playlists/add/:post/:id", l.Add)
	r.Private.API(http.MethodPatch, "/playlists/remove/:post/:id", l.Remove)
	r.Private.At("/playlists/:id").Both(http.MethodPatch, "/playlists/move/:post/:id", l.Move)
	r.Private.Page(http.MethodPut, "/playlists/:id/items/:post", l.Add)
	r.Private.Page(http.MethodDelete, "/playlists/:id/items/:post", l.Remove)
}

// WatchLater is GET /playlists/watch-later: the user's Watch later list, which is empty until they first use it.
func (l PlaylistActions) WatchLater(c *gin.Context) error {
	user := middlewares.UserID(c)
	list, err := l.Playlists.WatchLater(c, user)
	if apperr.Is(err, apperr.NotFound) {
		list, err = models.NewWatchLater(user, l.Now()), nil
	}
	if err != nil {
		return err
	}
	return l.show(c, list)
}

type savePage struct {
	Post      Post            `json:"video"`
	Playlists []playlistState `json:"playlists"`
}

type playlistState struct {
	Playlist
	IsSaved bool `json:"isSaved"`
}

// Save is GET /playlists/save/:id: the user's playlists, each with whether it contains the post.
func (l PlaylistActions) Save(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	post, err := l.shownPost(c, id)
	if err != nil {
		return err
	}
	lists, err := l.Playlists.All(c, user)
	if err != nil {
		return err
	}
	saved, err := l.Playlists.Saved(c, user, []bson.ObjectID{id})
	if err != nil {
		return err
	}
	in := map[bson.ObjectID]bool{}
	for _, item := range saved {
		in[item.Playlist] = true
	}
	page := savePage{post, []playlistState{}}
	for _, list := range lists {
		page.Playlists = append(page.Playlists, playlistState{l.playlist(list, middlewares.Current(c).User, user), in[list.ID]})
	}
	return respond.Show(c, "playlists/save", page)
}

// Add is PATCH /playlist/add/:post/:id of the API, and PUT /playlists/:id/items/:post.
func (l PlaylistActions) Add(c *gin.Context) error {
	return l.change(c, l.Playlists.Add, true, "Saved to the playlist.")
}

// Remove is PATCH /playlist/remove/:post/:id of the API, and DELETE /playlists/:id/items/:post.
func (l PlaylistActions) Remove(c *gin.Context) error {
	return l.change(c, l.Playlists.Remove, false, "Removed from the playlist.")
}

// change applies do to one post of a playlist, and responds with the updated playlist.
func (l PlaylistActions) change(c *gin.Context, do func(ctx context.Context, user, playlist, post bson.ObjectID) error, saved bool, message string) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	post, err := store.ParseID(c.Param("post"))
	if err != nil {
		return err
	}
	if err := do(c, user, id, post); err != nil {
		return err
	}
	form, err := l.form(c)
	if err != nil {
		return err
	}
	return respond.Done(c, message, respond.Back(c, form.Path()), playlistState{form.Playlist, saved})
}

type move struct {
	Direction string `form:"direction" json:"direction"`
}

// Move is PATCH /playlists/move/:post/:id: moves a post up or down by one position.
func (l PlaylistActions) Move(c *gin.Context) error {
	var in move
	err := input.Read(c.Request, &in, nil)
	if err == nil && in.Direction != "up" && in.Direction != "down" {
		err = apperr.InvalidField("direction", "Use up or down.")
	}
	if err != nil {
		return err
	}
	return l.change(c, func(ctx context.Context, user, playlist, post bson.ObjectID) error {
		return l.Playlists.Move(ctx, user, playlist, post, in.Direction == "up")
	}, true, "Moved "+in.Direction+".")
}

type watchLaterState struct {
	IsWatchLater bool `json:"isWatchLater"`
}

// AddLater is PUT /playlists/watch-later/:id.
func (l PlaylistActions) AddLater(c *gin.Context) error {
	return l.changeLater(c, l.Playlists.AddLater, true, "Saved to “Watch later”.")
}

// RemoveLater is DELETE /playlists/watch-later/:id.
func (l PlaylistActions) RemoveLater(c *gin.Context) error {
	return l.changeLater(c, l.Playlists.RemoveLater, false, "Removed from “Watch later”.")
}

func (l PlaylistActions) changeLater(c *gin.Context, do func(ctx context.Context, user, post bson.ObjectID) error, saved bool, message string) error {
	user, post, err := target(c)
	if err != nil {
		return err
	}
	if err := do(c, user, post); err != nil {
		return err
	}
	return respond.Done(c, message, respond.Back(c, "/playlists/watch-later"), watchLaterState{saved})
}
