package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// CommentActions let users discuss posts.
type CommentActions struct{ *App }

// Routes registers the feature.
func (a CommentActions) Routes(r middlewares.Access) {
	a.DecorateComments(a.isLiked)
	r.Public.Both(http.MethodGet, "/comments/:id", a.Index)
	r.Public.Both(http.MethodGet, "/comments/c/:id", a.Show)
	r.Private.Limit(a.Auth.Limits.Comments).Both(http.MethodPost, "/comments/:id", a.Create)
	r.Private.Page(http.MethodGet, "/comments/c/:id/edit", a.Edit)
	r.Private.Both(http.MethodPatch, "/comments/c/:id", a.Update)
	r.Private.Both(http.MethodDelete, "/comments/c/:id", a.Delete)
	r.Private.At("/comments/c/:id").Both(http.MethodPut, "/likes/c/:id", a.like(a.CommentLikes.Add))
	r.Private.At("/comments/c/:id").Both(http.MethodDelete, "/likes/c/:id", a.like(a.CommentLikes.Remove))
	r.Private.API(http.MethodPost, "/likes/c/:id/toggle", a.like(a.CommentLikes.Toggle))
}

// Index is GET /comments/:id: the comments on a post, or with ?parent= the replies to one of them.
func (a CommentActions) Index(c *gin.Context) error {
	post, out, err := a.commentedPost(c)
	if err != nil {
		return err
	}
	list, err := a.commentList(c, post, out)
	if err != nil {
		return err
	}
	return respond.Show(c, "comments/index", list)
}

// Show is GET /comments/c/:id: a comment with the replies to it; a reply is shown in its thread.
func (a CommentActions) Show(c *gin.Context) error {
	viewer, id, err := target(c)
	if err != nil {
		return err
	}
	page, err := a.thread(c, viewer, id)
	if err != nil {
		return err
	}
	return respond.Show(c, "comments/show", page)
}

type commentInput struct {
	Content string `form:"content" json:"content"`
	Parent  string `form:"parent" json:"parent"` // empty: the comment isn't a reply
}

// Create is POST /comments/:id: adds a comment to a post, or a reply to one of its comments.
func (a CommentActions) Create(c *gin.Context) error {
	post, out, err := a.commentedPost(c)
	if err != nil {
		return err
	}
	var in commentInput
	comment := &models.Comment{Owner: middlewares.UserID(c), Post: post.ID}
	if err = input.Read(c.Request, &in, nil); err == nil && in.Parent != "" {
		comment.Parent, err = store.ParseID(in.Parent)
	}
	if err == nil {
		comment.Content = in.Content
		err = a.Comments.Create(c, comment)
	}
	if err != nil {
		return a.invalid(c, post, out, in, err)
	}
	shown, err := a.commentOutput(c, comment.Owner, post, comment)
	if err != nil {
		return err
	}
	message, page := "Comment posted.", out.Path()+"#comment-"+shown.ID
	if shown.Parent != nil {
		message, page = "Reply posted.", shown.Path()
	}
	return respond.Created(c, message, page, "/api/v1/comments/c/"+shown.ID, shown)
}

// invalid shows the form again with the user's input: below the post's comments, or in the thread.
func (a CommentActions) invalid(c *gin.Context, post *models.Post, out Post, in commentInput, cause error) error {
	if parent, err := store.ParseID(in.Parent); err == nil {
		page, err := a.thread(c, middlewares.UserID(c), parent)
		if err != nil {
			return cause
		}
		page.Content = in.Content
		return respond.Invalid(c, "comments/show", page, cause)
	}
	list, err := a.commentList(c, post, out)
	if err != nil {
		return err
	}
	list.Content = in.Content
	return respond.Invalid(c, "comments/index", list, cause)
}

// commentForm is the form to edit a comment.
type commentForm struct {
	Comment Comment `json:"comment"`
	Content string  `json:"content"`
}

// Edit is GET /comments/c/:id/edit: the form.
func (a CommentActions) Edit(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	comment, err := a.Comments.Own(c, user, id)
	if err != nil {
		return err
	}
	out, err := a.shownComment(c, user, comment)
	if err != nil {
		return err
	}
	return respond.Show(c, "comments/edit", commentForm{out, out.Content})
}

// Update is PATCH /comments/c/:id: replaces the text.
func (a CommentActions) Update(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	before, err := a.Comments.Own(c, user, id)
	if err != nil {
		return err
	}
	out, err := a.shownComment(c, user, before)
	if err != nil {
		return err
	}
	var in commentInput
	if err := input.Read(c.Request, &in, nil); err != nil {
		return respond.Invalid(c, "comments/edit", commentForm{out, in.Content}, err)
	}
	comment, err := a.Comments.Update(c, user, id, in.Content)
	if err != nil {
		return respond.Invalid(c, "comments/edit", commentForm{out, in.Content}, err)
	}
	if out, err = a.shownComment(c, user, comment); err != nil {
		return err
	}
	return respond.Done(c, "Changes saved.", out.Path(), out)
}

// Delete is DELETE /comments/c/:id: for its author, and for the owner of the post.
func (a CommentActions) Delete(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	comment, err := a.Comments.Delete(c, user, id)
	if err != nil {
		return err
	}
	post, err := a.shownPost(c, comment.Post)
	if err != nil {
		return err
	}
	return respond.Done(c, "Comment deleted.", post.Path()+"#comments", struct {
		CommentsCount int64 `json:"commentsCount"`
	}{post.CommentsCount})
}

// like is PUT and DELETE /likes/c/:id, and POST /likes/c/:id/toggle of the API.
func (a CommentActions) like(do func(ctx context.Context, user, comment bson.ObjectID) error) respond.Action {
	return func(c *gin.Context) error {
		user, id, err := target(c)
		if err != nil {
			return err
		}
		if err := do(c, user, id); err != nil {
			return err
		}
		comment, err := a.Comments.Visible(c, user, id)
		if err != nil {
			return err
		}
		out, err := a.shownComment(c, user, comment)
		if err != nil {
			return err
		}
		path := out.Path()
		if page := respond.Back(c, ""); page != "" {
			path = page + "#comment-" + out.ID
		}
		return likeDone(c, path, likeState{out.IsLiked, out.LikesCount})
	}
}

// isLiked marks the comments that the viewer likes.
func (a CommentActions) isLiked(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID, comments []Comment) error {
	liked, err := a.CommentLikes.Of(ctx, viewer, ids)
	for i, id := range ids {
		comments[i].IsLiked = liked[id]
	}
	return err
}
