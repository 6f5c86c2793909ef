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

// Public is GET /media/public/:name: avatars and banners. Their names cannot be guessed, and what a name stands for never
// changes.
func (f Files) Public(c *gin.Context) error {
	name := "public/" + c.Param("name")
	// Former versions kept thumbnails here, of drafts too.
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

// Preview is GET /media/posts/:id/preview: a wide photo as wide as most screens need it.
func (f Files) Preview(c *gin.Context) error {
	return f.ofPost(c, func(p *models.Post) string { return p.Preview })
}

// Thumbnail is GET /media/posts/:id/thumbnail: the small picture of a photo, the one that stands for a video.
func (f Files) Thumbnail(c *gin.Context) error {
	return f.ofPost(c, func(p *models.Post) string { return p.Thumbnail })
}

// ofPost serves a file of a post to those who may see the post. That is asked at each request, so that a post that was
// unpublished is gone from everybody else at once.
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
