package controllers

import (
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/picture"
	"tokentube/utils/respond"
)

// Posts are the actions on videos, photos and text posts.
type Posts struct{ *App }

// places are the page and the API path of each kind of post.
var places = []struct {
	kind      models.Kind
	page, api string
}{
	{models.Video, "/watch", "/videos"},
	{models.Photo, "/photos", "/photos"},
	{models.Text, "/posts", "/tweets"},
}

// Routes registers the feature.
func (p Posts) Routes(r middlewares.Access) {
	r.Private.Page(http.MethodGet, "/create", p.New)
	for _, place := range places {
		one := p.of(place.kind)
		r.Public.Page(http.MethodGet, place.page+"/:id", one.Show)
		r.Public.API(http.MethodGet, place.api+"/:id", one.Read)
		r.Private.Page(http.MethodGet, place.page+"/:id/edit", one.Edit)
		r.Private.Page(http.MethodGet, place.page+"/:id/delete", one.ConfirmDelete)
		edit := r.Private.Upload(p.Config.MaxImageBytes)
		edit.Page(http.MethodPatch, place.page+"/:id", one.Update)
		edit.API(http.MethodPatch, place.api+"/:id", one.Update)
		r.Private.Page(http.MethodDelete, place.page+"/:id", one.Delete)
		r.Private.API(http.MethodDelete, place.api+"/:id", one.Delete)
	}
	r.Private.API(http.MethodPatch, "/videos/toggle/:id", p.of(models.Video).Toggle)

	video := r.Private.Upload(p.Config.MaxVideoBytes + p.Config.MaxImageBytes)
	video.Page(http.MethodPost, "/watch", p.of(models.Video).Create)
	video.API(http.MethodPost, "/videos/publish-video", p.of(models.Video).Create)
	photo := r.Private.Upload(p.Config.MaxImageBytes)
	photo.Both(http.MethodPost, "/photos", p.of(models.Photo).Create)
	r.Private.Page(http.MethodPost, "/posts", p.of(models.Text).Create)
	r.Private.API(http.MethodPost, "/tweets", p.of(models.Text).Create)
}

// postsOf are the actions on posts of one kind.
type postsOf struct {
	*App
	kind models.Kind
}

func (p Posts) of(kind models.Kind) postsOf { return postsOf{p.App, kind} }

type postInput struct {
	Kind        string  `form:"kind" json:"kind,omitempty"`
	Title       *string `form:"title" json:"title"`
	Description *string `form:"description" json:"description"`
	Content     *string `form:"content" json:"content"` // of a text post
	Tags        *string `form:"tags" json:"tags"`       // separated by commas
	Alt         *string `form:"alt" json:"alt"`         // of a photo
	Visibility  *string `form:"visibility" json:"visibility"`
}

// postForm is the form as the page shows it.
type postForm struct {
	Post        *Post  `json:"post,omitempty"`
	Kind        string `json:"kind"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Content     string `json:"content"`
	Tags        string `json:"tags"`
	Alt         string `json:"alt"`
	Visibility  string `json:"visibility"`
}

func (in postInput) form(kind models.Kind) postForm {
	return postForm{
		Kind: string(kind), Title: text(in.Title), Description: text(in.Description), Content: text(in.Content),
		Tags: text(in.Tags), Alt: text(in.Alt), Visibility: text(in.Visibility),
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// New is GET /create: one page with a form for each kind.
func (p Posts) New(c *gin.Context) error {
	kind, err := kindOf(c.DefaultQuery("kind", string(models.Video)))
	if err != nil {
		return err
	}
	return respond.Show(c, "posts/new", postForm{Kind: string(kind), Visibility: string(models.Public)})
}

func kindOf(text string) (models.Kind, error) {
	for _, place := range places {
		if text == string(place.kind) {
			return place.kind, nil
		}
	}
	return "", apperr.InvalidField("kind", "One of: video, photo, text.")
}

// Create is POST /watch, /photos and /posts, and /videos/publish-video, /photos
// and /tweets.
func (p postsOf) Create(c *gin.Context) error {
	var in postInput
	post := &models.Post{Owner: middlewares.UserID(c), Kind: p.kind}
	files := uploads{db: p.DB}
	defer files.discard(c)
	err := input.Read(c.Request, &in, p.files(c, post, &files))
	if err == nil {
		err = p.create(c, in, post, &files)
	}
	if err != nil {
		return respond.Invalid(c, "posts/new", in.form(p.kind), err)
	}
	files.keep()
	out := p.post(post, middlewares.Current(c).User, false, post.Owner)
	message := "Your post is published."
	if !out.IsPublished {
		message = "Your draft is saved."
	}
	return respond.Created(c, message, out.Path(), p.apiPath()+out.ID, out)
}

func (p postsOf) apiPath() string {
	for _, place := range places {
		if place.kind == p.kind {
			return "/api/v1" + place.api + "/"
		}
	}
	return ""
}

// files takes the files that a post of this kind has.
func (p postsOf) files(c *gin.Context, post *models.Post, files *uploads) input.Files {
	switch p.kind {
	case models.Video:
		return input.Files{
			"videoFile": func(r io.Reader) error {
				video, err := p.Media.SaveVideo(c, r)
				post.Media, post.Width, post.Height = video.Name, video.Width, video.Height
				post.Duration, post.Size = video.Duration, video.Size
				files.add(video.Name)
				return err
			},
			"thumbnail": files.picture(c, &post.Thumbnail, p.Media.SaveThumbnail),
		}
	case models.Photo:
		return input.Files{"photo": func(r io.Reader) error {
			photo, err := p.Media.SavePhoto(c, r)
			post.Media, post.Width, post.Height = photo.Name, photo.Width, photo.Height
			post.Thumbnail, post.Size = photo.Thumbnail, photo.Size
			files.add(photo.Name, photo.Thumbnail)
			return err
		}}
	}
	return nil
}

func (p postsOf) create(c *gin.Context, in postInput, post *models.Post, files *uploads) error {
	post.Title, post.Description, post.Alt = text(in.Title), text(in.Description), text(in.Alt)
	post.Tags, post.Visibility = models.ParseTags(text(in.Tags)), models.Visibility(text(in.Visibility))
	if p.kind == models.Text {
		post.Description = text(in.Content)
	}
	if err := post.Check(); err != nil {
		return err
	}
	if post.Media == "" && p.kind != models.Text {
		return apperr.InvalidField(map[models.Kind]string{models.Video: "videoFile", models.Photo: "photo"}[p.kind], "Choose a file.")
	}
	if post.Thumbnail == "" && p.kind == models.Video {
		name, err := p.Media.SaveDrawing(c, picture.Poster(post.Title))
		if err != nil {
			return err
		}
		post.Thumbnail = name
		files.add(name)
	}
	return p.Posts.Create(c, post)
}
