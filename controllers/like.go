package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/respond"
)

// Likes are the actions by which users like posts. It is the smallest protected
// feature of the site, and meant as an example for new ones.
type Likes struct{ *App }

// Routes registers the feature.
func (l Likes) Routes(r middlewares.Access) {
	r.Private.Both(http.MethodPut, "/likes/v/:id", l.Create)
	r.Private.Both(http.MethodDelete, "/likes/v/:id", l.Delete)
	r.Private.API(http.MethodPost, "/likes/toggle/v/:id", l.Toggle)
	r.Private.API(http.MethodPut, "/likes/t/:id", l.Create)
	r.Private.API(http.MethodDelete, "/likes/t/:id", l.Delete)
	r.Private.API(http.MethodPost, "/likes/toggle/t/:id", l.Toggle)
}

type likeState struct {
	IsLiked    bool  `json:"isLiked"`
	LikesCount int64 `json:"likesCount"`
}

// Create is PUT /likes/v/:id: likes a post. Doing it again changes nothing.
func (l Likes) Create(c *gin.Context) error { return l.change(c, l.Likes.Add) }

// Delete is DELETE /likes/v/:id: takes the like back.
func (l Likes) Delete(c *gin.Context) error { return l.change(c, l.Likes.Remove) }

// Toggle is POST /likes/toggle/v/:id: likes, or takes the like back.
func (l Likes) Toggle(c *gin.Context) error {
	return l.change(c, func(ctx context.Context, user, post bson.ObjectID) error {
		liked, err := l.Likes.Of(ctx, user, []bson.ObjectID{post})
		if err != nil {
			return err
		}
		if liked[post] {
			return l.Likes.Remove(ctx, user, post)
		}
		return l.Likes.Add(ctx, user, post)
	})
}

// change does it and answers how the post stands then.
func (l Likes) change(c *gin.Context, do func(ctx context.Context, user, post bson.ObjectID) error) error {
	user := middlewares.UserID(c)
	id, err := models.ParseID(c.Param("id"))
	if err != nil {
		return err
	}
	if err := do(c, user, id); err != nil {
		return err
	}
	post, err := l.Posts.Visible(c, user, id)
	if err != nil {
		return err
	}
	liked, err := l.Likes.Of(c, user, []bson.ObjectID{id})
	if err != nil {
		return err
	}
	message := "You no longer like this."
	if liked[id] {
		message = "You like this."
	}
	path := postPaths[string(post.Kind)] + "/" + id.Hex()
	return respond.Done(c, message, path, likeState{liked[id], post.LikesCount})
}
