package sample

import (
	"context"
	"embed"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"tokentube/models"
	"tokentube/utils/media"
	"tokentube/utils/picture"
)

// files are the pictures and clips. files/README.md says how they were made.
//
//go:embed files/*.jpg files/*.mp4
var files embed.FS

// pictures are the pictures of a channel, and stored the stored files of a post.
type (
	pictures struct{ avatar, cover string }
	stored   struct {
		media, preview, thumbnail        string
		width, height                    int
		duration                         float64
		size, previewSize, thumbnailSize int64
	}
)

const atOnce = 4 // how many pictures are processed at the same time

// save stores the files of everything that is missing, before any document is written.
func (r *run) save(ctx context.Context) error {
	posts := allPosts()
	r.pictures, r.media = make([]pictures, len(channels)), make([]stored, len(posts))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for i, c := range channels {
		if r.users[c.username] == nil {
			work.Go(func() (err error) { r.pictures[i], err = r.draw(ctx, c); return err })
		}
	}
	for i, e := range posts {
		if r.posts[i] == nil && e.kind != models.Text {
			work.Go(func() (err error) { r.media[i], err = r.store(ctx, e); return err })
		}
	}
	return work.Wait()
}

// stored are the names of the files that save has stored, except those that belong to a channel or a post by now.
func (r *run) stored() (names []string) {
	for _, p := range r.pictures {
		names = append(names, p.avatar, p.cover)
	}
	for _, s := range r.media {
		names = append(names, s.media, s.preview, s.thumbnail)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

func (r *run) draw(ctx context.Context, c channel) (p pictures, err error) {
	if p.avatar, err = r.files.SaveInitials(ctx, picture.Initials(c.name)); err != nil {
		return p, err
	}
	p.cover, err = withPicture(ctx, r.files, c.banner, r.files.SaveCover)
	return p, err
}

func (r *run) store(ctx context.Context, e entry) (s stored, err error) {
	if e.kind == models.Photo {
		s, err = r.photo(ctx, e)
	} else {
		s, err = r.video(ctx, e)
	}
	if err == nil {
		s.thumbnailSize, err = r.files.Size(ctx, s.thumbnail)
	}
	return s, err
}

func (r *run) photo(ctx context.Context, e entry) (stored, error) {
	photo, err := withPicture(ctx, r.files, e.file, r.files.SavePhoto)
	return stored{
		media: photo.Name, preview: photo.Preview, thumbnail: photo.Thumbnail, width: photo.Width, height: photo.Height,
		size: photo.Size, previewSize: photo.PreviewSize,
	}, err
}

func (r *run) video(ctx context.Context, e entry) (s stored, err error) {
	file, err := files.Open("files/" + e.file + ".mp4")
	if err != nil {
		return s, err
	}
	defer func() { _ = file.Close() }()
	video, err := r.files.SaveVideo(ctx, file)
	if err != nil {
		return s, err
	}
	thumbnail, err := withPicture(ctx, r.files, e.file, r.files.SaveThumbnail)
	return stored{
		media: video.Name, thumbnail: thumbnail, width: video.Width, height: video.Height, duration: video.Duration, size: video.Size,
	}, err
}

// withPicture reads one of the pictures and passes it to save.
func withPicture[T any](ctx context.Context, to *media.Store, name string, save func(context.Context, *media.Picture) (T, error)) (saved T, err error) {
	file, err := files.Open("files/" + name + ".jpg")
	if err != nil {
		return saved, err
	}
	defer func() { _ = file.Close() }()
	p, err := to.Receive(ctx, name, file)
	if err != nil {
		return saved, fmt.Errorf("sample picture %s: %w", name, err)
	}
	return save(ctx, p)
}
