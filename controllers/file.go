package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
)

// Files serve what was uploaded.
type Files struct{ *App }

// Routes registers the feature.
func (f Files) Routes(r middlewares.Access) {
	r.Public.Download().Page(http.MethodGet, "/media/public/:name", f.Public)
	r.Public.Download().Page(http.MethodGet, "/media/posts/:id", f.Post)
}

// Public is GET /media/public/:name: avatars, banners and thumbnails. Their
// names cannot be guessed, and what a name stands for never changes.
func (f Files) Public(c *gin.Context) error {
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	return f.serve(c, "public/"+c.Param("name"))
}

// Post is GET /media/posts/:id: a post's own file. It is looked up at each
// request, so that a post that was unpublished is gone from everybody else at
// once.
func (f Files) Post(c *gin.Context) error {
	viewer, id, err := target(c)
	if err != nil {
		return err
	}
	post, err := f.Posts.Visible(c, viewer, id)
	if err == nil && post.Media == "" {
		err = store.ErrNotFound()
	}
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-cache")
	if post.Visibility != models.Public {
		c.Header("Cache-Control", "no-store")
	}
	c.Header("Vary", "Cookie")
	return f.serve(c, post.Media)
}

func (f Files) serve(c *gin.Context, name string) error {
	err := f.Media.Serve(c.Writer, c.Request, name)
	if err != nil {
		c.Writer.Header().Del("Cache-Control")
	}
	return err
}
