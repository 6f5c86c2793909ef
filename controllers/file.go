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
	r.Public.Download().Page(http.MethodGet, "/media/posts/:id", f.Original)
	r.Public.Download().Page(http.MethodGet, "/media/posts/:id/preview", f.Preview)
	r.Public.Download().Page(http.MethodGet, "/media/posts/:id/thumbnail", f.Thumbnail)
}

// Public is GET /media/public/:name: avatars and banners. Their names can't be guessed, and the content of a name never
// changes.
func (f Files) Public(c *gin.Context) error {
	name := "public/" + c.Param("name")
	// Earlier versions kept thumbnails here, including those of drafts.
	of, err := f.Posts.HaveThumbnail(c, name)
	if err == nil && of {
		err = store.ErrNotFound()
	}
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	return f.serve(c, name)
}

// Original is GET /media/posts/:id: a post's video or photo.
func (f Files) Original(c *gin.Context) error {
	return f.ofPost(c, func(p *models.Post) string { return p.Media })
}

// Preview is GET /media/posts/:id/preview: a wide photo in the width that most screens need.
func (f Files) Preview(c *gin.Context) error {
	return f.ofPost(c, func(p *models.Post) string { return p.Preview })
}

// Thumbnail is GET /media/posts/:id/thumbnail: a small version of a photo, or the picture that represents a video.
func (f Files) Thumbnail(c *gin.Context) error {
	return f.ofPost(c, func(p *models.Post) string { return p.Thumbnail })
}

// ofPost serves a file of a post to those who may see the post. That is checked for each request, so an unpublished
// post disappears for everybody else immediately.
func (f Files) ofPost(c *gin.Context, file func(*models.Post) string) error {
	viewer, id, err := target(c)
	if err != nil {
		return err
	}
	post, err := f.Posts.Visible(c, viewer, id)
	if err == nil && file(post) == "" {
		err = store.ErrNotFound()
	}
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, no-cache")
	if !post.Published() {
		c.Header("Cache-Control", "no-store")
	}
	c.Header("Vary", "Cookie")
	return f.serve(c, file(post))
}

func (f Files) serve(c *gin.Context, name string) error {
	err := f.Media.Serve(c.Writer, c.Request, name)
	if err != nil {
		c.Writer.Header().Del("Cache-Control")
	}
	return err
}
