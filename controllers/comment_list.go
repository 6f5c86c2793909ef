package controllers

import (
	"context"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
)

// commentList is a part of the comments on a post.
type commentList struct {
	Comments []Comment `json:"comments"`
	next
	commentNumbers
	CommentsCount int64  `json:"commentsCount"` // of the whole post, including replies
	CommentsOff   bool   `json:"commentsOff"`
	Post          Post   `json:"-"`
	SortBy        string `json:"-"`
	Content       string `json:"-"` // the text that was refused
}

// commentNumbers are the article's fields of a numbered page, null after a cursor. They use the count of the post or
// thread. A post's count includes replies, so there may seem to be more pages than there are.
type commentNumbers struct {
	Total   *int64 `json:"totalCommentsInteger"`
	Pages   *int   `json:"totalPages"`
	Current *int   `json:"currentPage"`
}

func numbersOf(p store.Paging, total int64, page store.Page[*models.Comment]) commentNumbers {
	if p.After != "" {
		return commentNumbers{}
	}
	current := max(p.Number, 1)
	pages := min((int(total)+p.Limit-1)/p.Limit, store.MaxNumber)
	switch {
	case page.Next != "":
		pages = min(max(pages, current+1), store.MaxNumber)
	case len(page.Items) > 0:
		pages = current
	default:
		pages = min(pages, current-1)
	}
	return commentNumbers{&total, &pages, &current}
}

// commentPage is a comment with the replies to it.
type commentPage struct {
	Comment Comment `json:"comment"`
	commentList
}

// commentedPost loads the post of the path for a viewer of its comments.
func (a *App) commentedPost(c *gin.Context) (*models.Post, Post, error) {
	viewer, id, err := target(c)
	if err != nil {
		return nil, Post{}, err
	}
	post, err := a.Posts.Visible(c, viewer, id)
	if err != nil {
		return nil, Post{}, err
	}
	out, err := a.onePost(c, post)
	return post, out, err
}

// commentList is the part of a post's comments that the request asks for.
func (a *App) commentList(c *gin.Context, post *models.Post, out Post) (commentList, error) {
	var in struct {
		Parent string `form:"parent"`
	}
	if err := input.Query(c.Request, &in); err != nil {
		return commentList{}, err
	}
	q, total := models.CommentQuery{Post: post}, out.CommentsCount
	if in.Parent != "" {
		parent, err := store.ParseID(in.Parent)
		if err != nil {
			return commentList{}, err
		}
		q.Parent = parent
		if total, err = a.repliesTo(c, parent); err != nil {
			return commentList{}, err
		}
	}
	return a.comments(c, q, total, out, "/comments/"+out.ID)
}

// repliesTo is how many replies a comment has; none if the viewer can't see it.
func (a *App) repliesTo(c *gin.Context, id bson.ObjectID) (int64, error) {
	comment, err := a.Comments.InThread(c, middlewares.UserID(c), id)
	if apperr.Is(err, apperr.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return comment.RepliesCount, nil
}

// comments builds the output of a list of comments, with its total and path.
func (a *App) comments(c *gin.Context, q models.CommentQuery, total int64, post Post, path string) (commentList, error) {
	list := commentList{Comments: []Comment{}, CommentsCount: post.CommentsCount, CommentsOff: post.CommentsOff, Post: post}
	var in struct {
		SortBy   string `form:"sortBy"`
		SortType string `form:"sortType"`
	}
	p, err := paging(c)
	if err == nil {
		err = input.Query(c.Request, &in)
	}
	if err != nil {
		return list, err
	}
	if in.SortBy != "" && in.SortBy != "createdAt" && in.SortBy != "likes" {
		return list, apperr.InvalidField("sortBy", "Sort by createdAt or likes.")
	}
	list.SortBy, q.Top = in.SortBy, in.SortBy == "likes"
	q.Oldest = !q.Parent.IsZero() && in.SortBy == "" // a thread is read from the start
	if in.SortType != "" {
		if q.Oldest, err = ascending(in.SortType); err != nil {
			return list, err
		}
	}
	page, err := a.Comments.Page(c, middlewares.UserID(c), q, p)
	if err != nil {
		return list, err
	}
	list.next, list.commentNumbers = nextAt(path, c.Request.URL.Query(), page.Next), numbersOf(p, total, page)
	a.noteSeen(c, q.Post.ID, append(shownIDs(page.Items), q.Parent)...)
	list.Comments, err = a.commentOutputs(c, middlewares.UserID(c), q.Post, page.Items)
	return list, err
}

func shownIDs(comments []*models.Comment) []bson.ObjectID {
	ids := make([]bson.ObjectID, len(comments))
	for i, c := range comments {
		ids[i] = c.ID
	}
	return ids
}

// thread is a comment with a part of the replies to it; a reply is shown in its thread.
func (a *App) thread(c *gin.Context, viewer, id bson.ObjectID) (page commentPage, err error) {
	top, err := a.Comments.InThread(c, viewer, id)
	if err == nil && !top.Parent.IsZero() {
		top, err = a.Comments.InThread(c, viewer, top.Parent)
	}
	if err != nil {
		return page, err
	}
	post, err := a.Posts.Visible(c, viewer, top.Post)
	if err != nil {
		return page, err
	}
	out, err := a.onePost(c, post)
	if err != nil {
		return page, err
	}
	if page.Comment, err = a.commentOutput(c, viewer, post, top); err != nil {
		return page, err
	}
	page.commentList, err = a.comments(c, models.CommentQuery{Post: post, Parent: top.ID}, top.RepliesCount, out, "/comments/c/"+page.Comment.ID)
	return page, err
}

// shownComment is the output of a comment that the viewer may see.
func (a *App) shownComment(ctx context.Context, viewer bson.ObjectID, comment *models.Comment) (Comment, error) {
	post, err := a.Posts.Visible(ctx, viewer, comment.Post)
	if err != nil {
		return Comment{}, err
	}
	return a.commentOutput(ctx, viewer, post, comment)
}

func (a *App) commentOutput(ctx context.Context, viewer bson.ObjectID, post *models.Post, comment *models.Comment) (Comment, error) {
	out, err := a.commentOutputs(ctx, viewer, post, []*models.Comment{comment})
	if err == nil && len(out) == 0 {
		err = store.ErrNotFound()
	}
	if err != nil {
		return Comment{}, err
	}
	return out[0], nil
}

// commentOutputs makes the outputs of comments on one post that the viewer may see.
func (a *App) commentOutputs(ctx context.Context, viewer bson.ObjectID, post *models.Post, comments []*models.Comment) ([]Comment, error) {
	ids, owners := make([]bson.ObjectID, 0, len(comments)), make([]bson.ObjectID, len(comments))
	for i, c := range comments {
		owners[i] = c.Owner
	}
	users, err := a.Users.CachedByIDs(ctx, owners)
	if err != nil {
		return nil, err
	}
	out := make([]Comment, 0, len(comments))
	for _, c := range comments {
		owner := users[c.Owner]
		if owner == nil && c.State != models.CommentDeleted && c.State != models.CommentBlocked {
			continue // deleted a moment ago
		}
		ids, out = append(ids, c.ID), append(out, a.comment(c, owner, viewer, post.Owner))
	}
	for _, decorate := range a.commentDecorators {
		if err := decorate(ctx, viewer, ids, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// comment is the output of a comment or, without an owner, of a placeholder.
func (a *App) comment(c *models.Comment, owner *models.User, viewer, poster bson.ObjectID) Comment {
	out := Comment{
		ID: c.ID.Hex(), Video: c.Post.Hex(), Content: c.Content, LikesCount: c.LikesCount, RepliesCount: c.RepliesCount,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, EditedAt: c.EditedAt,
	}
	if !c.Parent.IsZero() {
		parent := c.Parent.Hex()
		out.Parent = &parent
	}
	if c.State == models.CommentDeleted || c.State == models.CommentBlocked {
		out.IsDeleted, out.IsBlocked, out.LikesCount = c.State == models.CommentDeleted, c.State == models.CommentBlocked, 0
		return out
	}
	by := a.owner(owner)
	out.Owner, out.ByPoster = &by, c.Owner == poster
	out.IsMine, out.IsHidden = c.Owner == viewer, c.State == models.CommentHidden
	out.CanDelete = out.IsMine || poster == viewer
	return out
}
