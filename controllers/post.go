package controllers

import (
	"io"
	"net/http"
	"strings"

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
	files := uploads{media: p.Media}
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

// visible loads the post of the address, if it is of this kind and the viewer
// may see it.
func (p postsOf) visible(c *gin.Context) (*models.Post, error) {
	id, err := models.ParseID(c.Param("id"))
	if err != nil {
		return nil, err
	}
	post, err := p.Posts.Visible(c, middlewares.UserID(c), id)
	if err == nil && post.Kind != p.kind {
		err = models.ErrNotFound()
	}
	return post, err
}

// own is visible for those who may change the post.
func (p postsOf) own(c *gin.Context) (*models.Post, error) {
	post, err := p.visible(c)
	if err != nil {
		return nil, err
	}
	return p.Posts.Own(c, middlewares.UserID(c), post.ID)
}

func (p postsOf) output(c *gin.Context, post *models.Post) (Post, error) {
	out, err := p.posts(c, middlewares.UserID(c), []*models.Post{post})
	if err == nil && len(out) == 0 {
		err = models.ErrNotFound()
	}
	if err != nil {
		return Post{}, err
	}
	return out[0], nil
}

type postPage struct {
	Post Post   `json:"post"`
	More []Post `json:"more"`
}

const moreFromOwner = 6

// Show is GET /watch/:id, /photos/:id and /posts/:id: the post and others of its
// owner.
func (p postsOf) Show(c *gin.Context) error {
	post, err := p.visible(c)
	if err != nil {
		return err
	}
	p.countView(c, post)
	out, err := p.output(c, post)
	if err != nil {
		return err
	}
	others, _, err := p.Posts.List(c, models.PostQuery{Owner: post.Owner, Limit: moreFromOwner + 1})
	if err != nil {
		return err
	}
	more, err := p.posts(c, middlewares.UserID(c), without(others, post))
	if err != nil {
		return err
	}
	return respond.Show(c, "posts/show", postPage{out, more[:min(len(more), moreFromOwner)]})
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

// Read is GET /videos/:id, /photos/:id and /tweets/:id: the post alone.
func (p postsOf) Read(c *gin.Context) error {
	post, err := p.visible(c)
	if err != nil {
		return err
	}
	p.countView(c, post)
	out, err := p.output(c, post)
	if err != nil {
		return err
	}
	return respond.Show(c, "", out)
}

// countView counts a look at a published post. Who is not logged in is told
// apart by address and browser. A count that fails is no reason to show nothing.
func (p postsOf) countView(c *gin.Context, post *models.Post) {
	if post.Visibility != models.Public || middlewares.Passive(c.Request) {
		return
	}
	device := middlewares.DeviceOf(c)
	viewer := device.IP + " " + device.UserAgent
	if user := middlewares.UserID(c); !user.IsZero() {
		viewer = user.Hex()
	}
	counted, err := p.Views.Add(c, post.ID, viewer)
	if err != nil {
		p.Log.WarnContext(c, "view not counted", "post", post.ID.Hex(), "error", err)
	}
	if counted {
		post.Views++
	}
}

// Edit is GET /watch/:id/edit (and so on): the form.
func (p postsOf) Edit(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	form, err := p.editForm(c, post, postInput{})
	if err != nil {
		return err
	}
	return respond.Show(c, "posts/edit", form)
}

// editForm is the form with what was typed, or else what the post says.
func (p postsOf) editForm(c *gin.Context, post *models.Post, in postInput) (postForm, error) {
	out, err := p.output(c, post)
	if err != nil {
		return postForm{}, err
	}
	tags := strings.Join(post.Tags, ", ")
	for _, field := range []struct{ typed, kept **string }{
		{&in.Title, ref(&out.Title)}, {&in.Description, ref(&out.Description)}, {&in.Content, ref(&out.Content)},
		{&in.Tags, ref(&tags)}, {&in.Alt, ref(&out.Alt)},
	} {
		if *field.typed == nil {
			*field.typed = *field.kept
		}
	}
	form := in.form(p.kind)
	form.Post = &out
	return form, nil
}

func ref(s *string) **string { return &s }

// Update is PATCH /watch/:id (and so on): changes the fields that are sent. With
// visibility it publishes and unpublishes.
func (p postsOf) Update(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	var in postInput
	var thumbnail string
	files := uploads{media: p.Media}
	defer files.discard(c)
	var taken input.Files
	if p.kind == models.Video {
		taken = input.Files{"thumbnail": files.picture(c, &thumbnail, p.Media.SaveThumbnail)}
	}
	err = input.Read(c.Request, &in, taken)
	if err == nil {
		var changed *models.Post
		if changed, err = p.Posts.Update(c, post.Owner, post.ID, p.changes(in, thumbnail)); err == nil {
			files.keep()
			if thumbnail != "" {
				files.add(post.Thumbnail) // goes instead, when this returns
			}
			return p.updated(c, post, changed)
		}
	}
	form, lost := p.editForm(c, post, in)
	if lost != nil {
		return lost
	}
	return respond.Invalid(c, "posts/edit", form, err)
}

func (p postsOf) changes(in postInput, thumbnail string) models.PostChanges {
	changes := models.PostChanges{Title: in.Title, Description: in.Description, Alt: in.Alt, Visibility: (*models.Visibility)(in.Visibility)}
	if p.kind == models.Text {
		changes.Title, changes.Description, changes.Alt = nil, in.Content, nil
	}
	if in.Tags != nil {
		tags := models.ParseTags(*in.Tags)
		changes.Tags = &tags
	}
	if thumbnail != "" {
		changes.Thumbnail = &thumbnail
	}
	return changes
}

func (p postsOf) updated(c *gin.Context, before, after *models.Post) error {
	out, err := p.output(c, after)
	if err != nil {
		return err
	}
	message := "Your changes are saved."
	if before.Visibility != after.Visibility {
		message = map[models.Visibility]string{models.Public: "Your post is published.", models.Draft: "Your post is a draft again."}[after.Visibility]
	}
	return respond.Done(c, message, out.Path(), out)
}

// Toggle is PATCH /videos/toggle/:id: publishes a draft, and the other way round.
func (p postsOf) Toggle(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	to := models.Public
	if post.Visibility == models.Public {
		to = models.Draft
	}
	changed, err := p.Posts.Update(c, post.Owner, post.ID, models.PostChanges{Visibility: &to})
	if err != nil {
		return err
	}
	return p.updated(c, post, changed)
}

// ConfirmDelete is GET /watch/:id/delete (and so on): asks once.
func (p postsOf) ConfirmDelete(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	out, err := p.output(c, post)
	if err != nil {
		return err
	}
	return respond.Show(c, "posts/delete", postForm{Post: &out, Kind: out.Kind})
}

// Delete is DELETE /watch/:id (and so on): with its files, likes and views.
func (p postsOf) Delete(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	out, err := p.output(c, post)
	if err != nil {
		return err
	}
	if err := p.Posts.Delete(c, post.Owner, post.ID); err != nil {
		return err
	}
	return respond.Done(c, "Your post is deleted.", out.Owner.Path(), out)
}
