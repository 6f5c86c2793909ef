package media

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
)

// Sizes in pixels. Pages show them at half that size or less, for high-resolution screens.
const (
	photoSide  = 4096
	thumbWidth = 640
	// PreviewWidth is also the width that pages announce to browsers for existing previews.
	PreviewWidth = 1600
	avatarSide   = 320
	coverWidth   = 1600
	coverShape   = 4 // width divided by height
	quality      = 85
)

// Image is a stored photo.
type Image struct {
	Name          string // the large picture
	Preview       string // empty: the large picture is used instead
	Thumbnail     string // all private
	Width, Height int    // of the large picture, upright
	Size          int64  // bytes of the large picture
	PreviewSize   int64  // bytes of the preview
	ContentType   string
}

// SavePhoto stores a photo, at most 4096 pixels on its longer side, its preview, 1600 wide, if that is narrower and
// smaller in bytes, and its thumbnail, at most 640 wide. Only the first frame of an animation is kept.
func (s *Store) SavePhoto(ctx context.Context, p *Picture) (Image, error) {
	files, err := s.save(ctx, private, p,
		shape{Width: photoSide, Height: photoSide},
		shape{Width: PreviewWidth, Height: photoSide, Lighter: true},
		shape{Width: thumbWidth, Height: photoSide},
	)
	if err != nil {
		return Image{}, err
	}
	large, thumbnail := files[0], files[len(files)-1]
	img := Image{Name: large.name, Thumbnail: thumbnail.name, Width: large.Width, Height: large.Height, Size: large.Size, ContentType: large.Type}
	if len(files) == 3 {
		img.Preview, img.PreviewSize = files[1].name, files[1].Size
	}
	return img, nil
}

// SaveAvatar stores the middle of the picture, 320 by 320, and returns its public name.
func (s *Store) SaveAvatar(ctx context.Context, p *Picture) (string, error) {
	return s.saveOne(ctx, public, p, shape{Width: avatarSide, Height: avatarSide, Cut: true, Enlarge: true})
}

// SaveCover stores the middle of the picture, four times as wide as high and at most 1600 wide, and returns its public
// name.
func (s *Store) SaveCover(ctx context.Context, p *Picture) (string, error) {
	return s.saveOne(ctx, public, p, shape{Width: coverWidth, Height: coverWidth / coverShape, Cut: true})
}

// SaveThumbnail stores the middle of a video's picture, 640 by 360, and returns
// its private name.
func (s *Store) SaveThumbnail(ctx context.Context, p *Picture) (string, error) {
	return s.saveOne(ctx, private, p, shape{Width: thumbWidth, Height: thumbWidth * 9 / 16, Cut: true, Enlarge: true})
}

func (s *Store) saveOne(ctx context.Context, folder string, p *Picture, sh shape) (string, error) {
	files, err := s.save(ctx, folder, p, sh)
	if err != nil {
		return "", err
	}
	return files[0].name, nil
}

// stored is a picture made from an upload, and its name.
type stored struct {
	made
	name string
}

// save makes the shapes of an upload and stores all of them, or none. Shapes that must be lighter may be missing.
func (s *Store) save(ctx context.Context, folder string, p *Picture, shapes ...shape) (files []stored, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, file := range files {
			_ = s.discard(ctx, file.name)
		}
	}()
	err = s.decoder.run(ctx, p, shapes, func(m made, content io.Reader) error {
		name, err := s.putContent(ctx, folder, m.Type, m.Size, content)
		if err == nil {
			files = append(files, stored{m, name})
		}
		return err
	})
	return files, err
}

// putContent stores exactly size bytes, or nothing.
func (s *Store) putContent(ctx context.Context, folder, contentType string, size int64, content io.Reader) (string, error) {
	name, err := s.newName(folder, contentType)
	if err != nil {
		return "", err
	}
	return name, s.put(ctx, name, contentType, func(w io.Writer) error {
		_, err := io.CopyN(w, content, size)
		return err
	})
}

// SaveInitials stores an avatar drawn by the program, and returns its public name.
func (s *Store) SaveInitials(ctx context.Context, img image.Image) (string, error) {
	return s.saveDrawing(ctx, public, img)
}

// SavePoster stores a thumbnail drawn by the program, and returns its private name.
func (s *Store) SavePoster(ctx context.Context, img image.Image) (string, error) {
	return s.saveDrawing(ctx, private, img)
}

// saveDrawing stores a picture as PNG or JPEG, whichever is smaller.
func (s *Store) saveDrawing(ctx context.Context, folder string, img image.Image) (string, error) {
	drawn, err := encode(fit(picture{Image: img, turn: upright}, photoSide, photoSide))
	if err != nil {
		return "", fmt.Errorf("encode the drawing: %w", err)
	}
	var b bytes.Buffer
	quick := png.Encoder{CompressionLevel: png.BestSpeed} // a registration waits for it
	if err := quick.Encode(&b, img); err != nil {
		return "", fmt.Errorf("encode the drawing: %w", err)
	}
	if b.Len() <= len(drawn.data) {
		drawn = encoded{b.Bytes(), typePNG, drawn.size}
	}
	return s.putContent(ctx, folder, drawn.contentType, int64(len(drawn.data)), bytes.NewReader(drawn.data))
}
