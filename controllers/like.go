package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// LikeActions let users like posts. It is the smallest protected feature of the site, and an example for new ones.
type LikeActions struct{ *App }

// Routes registers the feature.
func (l LikeActions) Routes(r middlewares.Access) {
	l.Decorate(l.isLiked)
	r.Private.Both(http.MethodGet, "/liked", l.Index)
	r.Private.At("/comments/:id").Both(http.MethodPut, "/likes/v/:id", l.Create) // a page for posts of all kinds
	r.Private.At("/comments/:id").Both(http.MethodDelete, "/likes/v/:id", l.Delete)
	r.Private.API(http.MethodPost, "/likes/v/:id/toggle", l.Toggle)
}

type likeState struct {
	IsLiked    bool  `json:"isLiked"`
	LikesCount int64 `json:"likesCount"`
}

// isLiked marks the posts that the viewer likes.
func (l LikeActions) isLiked(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID, posts []Post) error {
	liked, err := l.Likes.Of(ctx, viewer, ids)
	for i, id := range ids {
		posts[i].IsLiked = liked[id]
	}
	return err
}

// Index is GET /liked: the posts that the user likes, latest like first.
func (l LikeActions) Index(c *gin.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := l.Likes.Page(c, middlewares.UserID(c), p)
	if err != nil {
		return err
	}
	list, err := l.postList(c, page)
	if err != nil {
		return err
	}
	return respond.Show(c, "likes/index", list)
}

// Create is PUT /likes/v/:id: likes a post. It is idempotent.
func (l LikeActions) Create(c *gin.Context) error { return l.change(c, l.Likes.Add) }

// Delete is DELETE /likes/v/:id: withdraws the like.
func (l LikeActions) Delete(c *gin.Context) error { return l.change(c, l.Likes.Remove) }

// Toggle is POST /likes/v/:id/toggle: adds or withdraws the like.
func (l LikeActions) Toggle(c *gin.Context) error { return l.change(c, l.Likes.Toggle) }

// change makes the change and responds with the updated post.
func (l LikeActions) change(c *gin.Context, do func(ctx context.Context, user, post bson.ObjectID) error) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := do(c, user, id); err != nil {
		return err
	}
	post, err := l.shownPost(c, id)
	if err != nil {
		return err
	}
	return likeDone(c, post.Path(), likeState{post.IsLiked, post.LikesCount})
}

func likeDone(c *gin.Context, path string, now likeState) error {
	message := map[bool]string{true: "Liked.", false: "Like removed."}[now.IsLiked]
	return respond.Done(c, message, path, now)
}
