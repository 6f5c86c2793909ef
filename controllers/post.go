package controllers

import (
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/media"
	"tokentube/utils/picture"
	"tokentube/utils/respond"
)

// PostActions are the actions on videos, photos and text posts.
type PostActions struct{ *App }

// postKinds are the paths under which each kind of post is served.
var postKinds = []struct {
	kind models.Kind
	path string
	api  string // the collection's path in the API: see routes/article.go
}{
	{models.Video, "/watch", "/api/v1/videos"},
	{models.Photo, "/photos", "/api/v1/photos"},
	{models.Text, "/posts", "/api/v1/tweets"},
}

// Routes registers the feature.
func (p PostActions) Routes(r middlewares.Access) {
	r.Private.Page(http.MethodGet, "/create", p.New)
	r.Private.Page(http.MethodPost, "/create", p.Switch)
	for _, k := range postKinds {
		one := p.of(k.kind)
		r.Public.Page(http.MethodGet, k.path+"/:id", one.Show)
		r.Public.API(http.MethodGet, k.path+"/:id", one.Read)
		r.Private.Page(http.MethodGet, k.path+"/:id/edit", one.Edit)
		r.Private.Page(http.MethodGet, k.path+"/:id/delete", one.ConfirmDelete)
		r.Private.Upload(p.Config.MaxImageBytes).Both(http.MethodPatch, k.path+"/:id", one.Update)
		r.Private.Both(http.MethodDelete, k.path+"/:id", one.Delete)
	}
	r.Private.API(http.MethodPatch, "/watch/:id/toggle", p.of(models.Video).Toggle)
	r.Private.At("/create?kind=video").Upload(p.Config.MaxVideoBytes+p.Config.MaxImageBytes).Both(http.MethodPost, "/watch", p.of(models.Video).Create)
	r.Private.At("/create?kind=photo").Upload(p.Config.MaxImageBytes).Both(http.MethodPost, "/photos", p.of(models.Photo).Create)
	r.Private.At("/create?kind=text").Both(http.MethodPost, "/posts", p.of(models.Text).Create)
}

// postsOf are the actions on posts of one kind.
type postsOf struct {
	*App
	kind models.Kind
}

func (p PostActions) of(kind models.Kind) postsOf { return postsOf{p.App, kind} }

type postInput struct {
	Kind        string  `form:"kind" json:"kind,omitempty"`
	Title       *string `form:"title" json:"title"`
	Description *string `form:"description" json:"description"`
	Content     *string `form:"content" json:"content"` // of a text post
	Tags        *string `form:"tags" json:"tags"`       // separated by commas
	Alt         *string `form:"alt" json:"alt"`         // of a photo
	Visibility  *string `form:"visibility" json:"visibility"`
	CommentsOff *bool   `form:"commentsOff" json:"commentsOff"`
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
	CommentsOff bool   `json:"commentsOff"`

	Space  *spaceUsed `json:"-"` // only for the page
	Limits fileLimits `json:"-"`
}

// fileLimits are the maximum file sizes, in bytes.
type fileLimits struct{ Image, Video int64 }

func (in postInput) form(kind models.Kind) postForm {
	return postForm{
		Kind: string(kind), Title: text(in.Title), Description: text(in.Description), Content: text(in.Content),
		Tags: text(in.Tags), Alt: text(in.Alt), Visibility: text(in.Visibility),
		CommentsOff: in.CommentsOff != nil && *in.CommentsOff,
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// New is GET /create: one page with a form for each kind.
func (p PostActions) New(c *gin.Context) error {
	kind, err := kindOf(c.DefaultQuery("kind", string(models.Video)))
	if err != nil {
		return err
	}
	return p.show(c, postInput{}.form(kind))
}

// Switch is POST /create: shows the form for another kind, keeping what was typed into this one. It creates nothing.
func (p PostActions) Switch(c *gin.Context) error {
	kind, err := kindOf(c.DefaultQuery("kind", string(models.Video)))
	if err != nil {
		return err
	}
	var in postInput
	if err := input.Read(c.Request, &in, nil); err != nil {
		return respond.Invalid(c, "posts/new", p.complete(c, in.form(kind)), err)
	}
	return p.show(c, in.form(kind))
}

func (p PostActions) show(c *gin.Context, form postForm) error {
	return respond.Show(c, "posts/new", p.complete(c, form))
}

// complete adds the user's remaining space and the file size limits to a form.
func (a *App) complete(c *gin.Context, form postForm) postForm {
	form.Space, form.Limits = a.spaceUsed(c), fileLimits{a.Config.MaxImageBytes, a.Config.MaxVideoBytes}
	return form
}

func kindOf(text string) (models.Kind, error) {
	for _, k := range postKinds {
		if text == string(k.kind) {
			return k.kind, nil
		}
	}
	return "", apperr.InvalidField("kind", "Use one of: video, photo, text.")
}

// Create is POST /watch, /photos and /posts.
func (p postsOf) Create(c *gin.Context) error {
	var in postInput
	var sent *media.Picture
	post := &models.Post{Owner: middlewares.UserID(c), Kind: p.kind}
	files := uploads{db: p.DB}
	defer files.discard(c)
	err := p.checkSpace(c)
	if err == nil {
		err = p.read(c, &in, p.files(c, post, &sent, &files), &files)
	}
	if apperr.OfFields(err) {
		err = p.create(c, in, post, sent, &files, err)
	}
	if err != nil {
		return respond.Invalid(c, "posts/new", p.complete(c, in.form(p.kind)), err)
	}
	out := p.post(post, middlewares.Current(c).User, post.Owner)
	message := "Published. Anyone can see it now."
	if !out.IsPublished {
		message = "Draft saved. Only you can see it."
	}
	return respond.Created(c, message, out.Path(), p.apiPath()+out.ID, out)
}

func (p postsOf) apiPath() string {
	for _, k := range postKinds {
		if k.kind == p.kind {
			return k.api + "/"
		}
	}
	return ""
}

// files returns the handlers for the files that a post of this kind has: a video is stored as it arrives, a picture is
// kept in *sent until later.
func (p postsOf) files(c *gin.Context, post *models.Post, sent **media.Picture, files *uploads) input.Files {
	switch p.kind {
	case models.Video:
		return input.Files{
			videoFile: func(r io.Reader) error {
				video, err := p.Media.SaveVideo(c, p.withinQuota(c, r))
				post.Media, post.Width, post.Height = video.Name, video.Width, video.Height
				post.Duration, post.Size = video.Duration, video.Size
				files.add(video.Name)
				return ofField(videoFile, err)
			},
			"thumbnail": p.receive(c, "thumbnail", sent),
		}
	case models.Photo:
		return input.Files{"photo": p.receive(c, "photo", sent)}
	}
	return nil
}

// create creates the post, unless reading the request found faults: they are reported together with all others.
func (p postsOf) create(c *gin.Context, in postInput, post *models.Post, sent *media.Picture, files *uploads, faults error) error {
	post.Title, post.Description, post.Alt = text(in.Title), text(in.Description), text(in.Alt)
	post.Tags, post.Visibility = models.ParseTags(text(in.Tags)), models.Visibility(text(in.Visibility))
	post.CommentsOff = in.CommentsOff != nil && *in.CommentsOff
	if p.kind == models.Text {
		post.Title, post.Description = "", text(in.Content)
	}
	if p.kind != models.Photo {
		post.Alt = "" // typed while the form was for a photo
	}
	if err := apperr.Join(faults, p.missing(post, sent), post.Check()); err != nil {
		return p.withPictures(c, err, sent)
	}
	if err := p.pictures(c, post, sent, files); err != nil {
		return err
	}
	var err error
	if post.ThumbnailSize, err = p.Media.Size(c, post.Thumbnail); err != nil {
		return err
	}
	err = p.Posts.Create(c, post)
	files.settle(err)
	return err
}

// missing reports which required file is missing.
func (p postsOf) missing(post *models.Post, sent *media.Picture) error {
	switch {
	case p.kind == models.Photo && sent == nil:
		return apperr.InvalidField("photo", "Choose a photo.")
	case p.kind == models.Video && post.Media == "":
		return apperr.InvalidField(videoFile, "Choose a video.")
	}
	return nil
}

// pictures stores the photo or the video's thumbnail; without one, it draws a thumbnail.
func (p postsOf) pictures(c *gin.Context, post *models.Post, sent *media.Picture, files *uploads) (err error) {
	switch {
	case p.kind == models.Photo:
		photo, err := p.Media.SavePhoto(c, sent)
		post.Media, post.Width, post.Height = photo.Name, photo.Width, photo.Height
		post.Size, post.Thumbnail = photo.Size, photo.Thumbnail
		post.Preview, post.PreviewSize = photo.Preview, photo.PreviewSize
		files.add(photo.Name, photo.Preview, photo.Thumbnail)
		return ofField("photo", err)
	case p.kind == models.Video && sent != nil:
		post.Thumbnail, err = files.picture(c, sent, p.Media.SaveThumbnail)
		return err
	case p.kind == models.Video:
		post.Thumbnail, err = p.Media.SavePoster(c, picture.Poster(post.Title))
		files.add(post.Thumbnail)
		return err
	}
	return nil
}
