package controllers

import (
	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// visible loads the post named in the path, if it is of this kind and the viewer may see it.
func (p postsOf) visible(c *gin.Context) (*models.Post, error) {
	viewer, id, err := target(c)
	if err != nil {
		return nil, err
	}
	post, err := p.Posts.Visible(c, viewer, id)
	if err == nil && post.Kind != p.kind {
		err = store.ErrNotFound()
	}
	return post, err
}

// own is like visible, but only for the post's owner.
func (p postsOf) own(c *gin.Context) (*models.Post, error) {
	post, err := p.visible(c)
	if err != nil {
		return nil, err
	}
	return p.Posts.Own(c, middlewares.UserID(c), post.ID)
}

type postPage struct {
	Post     Post        `json:"post"`
	More     []Post      `json:"more"`
	Comments commentList `json:"comments"`
}

const moreFromOwner = 6

// Show is GET /watch/:id, /photos/:id and /posts/:id: the post, its comments and more posts by its owner.
func (p postsOf) Show(c *gin.Context) error {
	post, out, err := p.viewed(c)
	if err != nil {
		return err
	}
	viewer := middlewares.UserID(c)
	others, err := p.Posts.Page(c, viewer, models.PostQuery{Owner: post.Owner}, store.Paging{Limit: moreFromOwner + 1})
	if err != nil {
		return err
	}
	more, err := p.posts(c, viewer, without(others.Items, post))
	if err != nil {
		return err
	}
	comments, err := p.commentList(c, post, out)
	if err != nil {
		return err
	}
	return respond.Show(c, "posts/show", postPage{out, more[:min(len(more), moreFromOwner)], comments})
}

func without(posts []*models.Post, one *models.Post) []*models.Post {
	rest := make([]*models.Post, 0, len(posts))
	for _, p := range posts {
		if p.ID != one.ID {
			rest = append(rest, p)
		}
	}
	return rest
}

// Read is GET /watch/:id, /photos/:id and /posts/:id of the API: only the post.
func (p postsOf) Read(c *gin.Context) error {
	_, out, err := p.viewed(c)
	if err != nil {
		return err
	}
	return respond.Show(c, "", out)
}

// viewed loads the post named in the path and records that it was viewed.
func (p postsOf) viewed(c *gin.Context) (*models.Post, Post, error) {
	post, err := p.visible(c)
	if err != nil {
		return nil, Post{}, err
	}
	p.countView(c, post)
	p.noteWatched(c, post)
	p.noteSeen(c, post.ID)
	out, err := p.onePost(c, post)
	return post, out, err
}

// countView counts a view of a published post, at most once per viewer and hour. The owner's views don't count. If
// counting fails, the post is still shown.
func (p postsOf) countView(c *gin.Context, post *models.Post) {
	if !post.Published() || post.Owner == middlewares.UserID(c) || middlewares.Passive(c.Request) ||
		!p.Auth.Limits.View(c, post.ID.Hex()) {
		return
	}
	counted, err := p.Views.Add(c, post.ID, middlewares.Viewer(c))
	if err != nil && !apperr.Is(err, apperr.NotFound) { // it may have been deleted since it was loaded
		p.Log.WarnContext(c, "view not counted", "post", post.ID.Hex(), "error", err)
	}
	if counted {
		post.Views++
	}
}
