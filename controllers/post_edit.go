package controllers

import (
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/media"
	"tokentube/utils/respond"
)

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

// editForm is the form with the submitted values; missing ones are filled in from the post.
func (p postsOf) editForm(c *gin.Context, post *models.Post, in postInput) (postForm, error) {
	out, err := p.onePost(c, post)
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
	if in.CommentsOff == nil {
		in.CommentsOff = &post.CommentsOff
	}
	form := in.form(p.kind)
	form.Post = &out
	return form, nil
}

func ref(s *string) **string { return &s }

// Update is PATCH /watch/:id (and so on): changes only the fields that are sent. A change of visibility publishes or
// unpublishes the post.
func (p postsOf) Update(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	var in postInput
	var sent *media.Picture
	files := uploads{db: p.DB}
	defer files.discard(c)
	var taken input.Files
	if p.kind == models.Video {
		taken = input.Files{"thumbnail": p.receive(c, "thumbnail", &sent)}
	}
	err = p.read(c, &in, taken, &files)
	changes := p.changes(in)
	if err := apperr.Join(err, changes.Check(*post)); err != nil {
		return p.invalid(c, post, in, p.withPictures(c, err, sent))
	}
	thumbnail, err := files.picture(c, sent, p.Media.SaveThumbnail)
	if err != nil {
		return p.invalid(c, post, in, err)
	}
	if thumbnail != "" {
		size, err := p.Media.Size(c, thumbnail)
		if err != nil {
			return err
		}
		changes.Thumbnail, changes.ThumbnailSize = &thumbnail, &size
	}
	changed, err := p.Posts.Update(c, post.Owner, post.ID, changes)
	files.settle(err)
	if err != nil {
		return p.invalid(c, post, in, err)
	}
	if thumbnail != "" {
		files.add(post.Thumbnail) // the replaced thumbnail; the deferred discard deletes it
	}
	return p.updated(c, post, changed)
}

// invalid shows the form again with the submitted values.
func (p postsOf) invalid(c *gin.Context, post *models.Post, in postInput, err error) error {
	form, failed := p.editForm(c, post, in)
	if failed != nil {
		return failed
	}
	return respond.Invalid(c, "posts/edit", form, err)
}

func (p postsOf) changes(in postInput) models.PostChanges {
	changes := models.PostChanges{Title: in.Title, Description: in.Description, Alt: in.Alt, Visibility: (*models.Visibility)(in.Visibility), CommentsOff: in.CommentsOff}
	if p.kind == models.Text {
		changes.Title, changes.Description, changes.Alt = nil, in.Content, nil
	}
	if in.Tags != nil {
		tags := models.ParseTags(*in.Tags)
		changes.Tags = &tags
	}
	return changes
}

func (p postsOf) updated(c *gin.Context, before, after *models.Post) error {
	out, err := p.onePost(c, after)
	if err != nil {
		return err
	}
	message := "Changes saved."
	if before.Visibility != after.Visibility {
		message = map[models.Visibility]string{models.Public: "Published. Anyone can see it now.", models.Draft: "Unpublished. It’s a draft now, and only you can see it."}[after.Visibility]
	}
	return respond.Done(c, message, out.Path(), out)
}

// Toggle is PATCH /watch/:id/toggle: publishes a draft, or turns a published post into a draft.
func (p postsOf) Toggle(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	to := models.Public
	if post.Published() {
		to = models.Draft
	}
	changed, err := p.Posts.Update(c, post.Owner, post.ID, models.PostChanges{Visibility: &to})
	if err != nil {
		return err
	}
	return p.updated(c, post, changed)
}

// ConfirmDelete is GET /watch/:id/delete (and so on): asks for confirmation.
func (p postsOf) ConfirmDelete(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	out, err := p.onePost(c, post)
	if err != nil {
		return err
	}
	return respond.Show(c, "posts/delete", postForm{Post: &out, Kind: out.Kind})
}

// Delete is DELETE /watch/:id (and so on): deletes the post with its files, comments, likes and views.
func (p postsOf) Delete(c *gin.Context) error {
	post, err := p.own(c)
	if err != nil {
		return err
	}
	out, err := p.onePost(c, post)
	if err != nil {
		return err
	}
	if err := p.Posts.Delete(c, post.Owner, post.ID); err != nil {
		return err
	}
	return respond.Done(c, "Post deleted.", out.Owner.Path(), out)
}
