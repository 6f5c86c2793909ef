package media

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
)

// Sizes in pixels. A page shows them at half of that or less, for sharp screens.
const (
	photoSide  = 4096
	thumbWidth = 640
	avatarSide = 320
	coverWidth = 1600
	coverShape = 4 // as wide as that many heights
	quality    = 85
)

// Image is a stored photo.
type Image struct {
	Name          string // the large picture
	Thumbnail     string // both private
	Width, Height int    // of the large picture, upright
	Size          int64  // bytes of the large picture
	ContentType   string
}

// encoded is a picture as the bytes of a file.
type encoded struct {
	data        []byte
	contentType string
}

// encode makes a JPEG, or a PNG where something shows through. Encoding anew is
// what removes the place where a photo was taken, the serial number of the
// camera, and anything that was hidden behind the picture.
func encode(img *image.RGBA) (encoded, error) {
	var b bytes.Buffer
	if img.Opaque() {
		err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality})
		return encoded{b.Bytes(), typeJPEG}, err
	}
	err := png.Encode(&b, img)
	return encoded{b.Bytes(), typePNG}, err
}

// SavePhoto stores a photo, at most 4096 pixels long, and its thumbnail, at
// most 640 wide. Of an animated GIF the first picture is kept. Errors name the
// field "photo".
func (s *Store) SavePhoto(ctx context.Context, r io.Reader) (Image, error) {
	var large, small encoded
	var saved Image
	err := s.withPicture(ctx, "photo", r, func(p picture) error {
		img := fit(p, photoSide, photoSide)
		saved.Width, saved.Height = img.Rect.Dx(), img.Rect.Dy()
		var err error
		if large, err = encode(img); err != nil {
			return fmt.Errorf("encode the photo: %w", err)
		}
		if small, err = encode(fit(picture{img, upright}, thumbWidth, photoSide)); err != nil {
			return fmt.Errorf("encode the thumbnail: %w", err)
		}
		return nil
	})
	if err != nil {
		return Image{}, err
	}
	saved.Size, saved.ContentType = int64(len(large.data)), large.contentType
	if saved.Name, err = s.putEncoded(ctx, private, large); err != nil {
		return Image{}, err
	}
	if saved.Thumbnail, err = s.putEncoded(ctx, private, small); err != nil {
		_ = s.discard(ctx, saved.Name)
		return Image{}, err
	}
	return saved, nil
}

// SaveAvatar stores the middle of the picture, 320 by 320, and returns its
// public name. Errors name the field "avatar".
func (s *Store) SaveAvatar(ctx context.Context, r io.Reader) (string, error) {
	return s.save(ctx, public, "avatar", r, func(p picture) *image.RGBA {
		return cover(p, avatarSide, avatarSide)
	})
}

// SaveCover stores the middle of the picture, four times as wide as high and at
// most 1600 wide, and returns its public name. Errors name the field "coverImage".
func (s *Store) SaveCover(ctx context.Context, r io.Reader) (string, error) {
	return s.save(ctx, public, "coverImage", r, func(p picture) *image.RGBA {
		b := p.Bounds()
		if p.turn.sideways() {
			b = image.Rect(0, 0, b.Dy(), b.Dx())
		}
		width := min(coverWidth, middle(b, coverShape, 1).Dx())
		return cover(p, width, max(1, width/coverShape))
	})
}

// SaveThumbnail stores the middle of a video's picture, 640 by 360, and returns
// its private name. Errors name the field "thumbnail".
func (s *Store) SaveThumbnail(ctx context.Context, r io.Reader) (string, error) {
	return s.save(ctx, private, "thumbnail", r, func(p picture) *image.RGBA {
		return cover(p, thumbWidth, thumbWidth*9/16)
	})
}

// SaveInitials stores an avatar that the program drew, and returns its public name.
func (s *Store) SaveInitials(ctx context.Context, img image.Image) (string, error) {
	return s.saveDrawing(ctx, public, img)
}

// SavePoster stores a thumbnail that the program drew, and returns its private name.
func (s *Store) SavePoster(ctx context.Context, img image.Image) (string, error) {
	return s.saveDrawing(ctx, private, img)
}

// saveDrawing stores a picture as PNG or JPEG, whichever is smaller.
func (s *Store) saveDrawing(ctx context.Context, folder string, img image.Image) (string, error) {
	drawn, err := encode(fit(picture{img, upright}, photoSide, photoSide))
	if err != nil {
		return "", fmt.Errorf("encode the drawing: %w", err)
	}
	var b bytes.Buffer
	quick := png.Encoder{CompressionLevel: png.BestSpeed} // a registration waits for it
	if err := quick.Encode(&b, img); err != nil {
		return "", fmt.Errorf("encode the drawing: %w", err)
	}
	if b.Len() <= len(drawn.data) {
		drawn = encoded{b.Bytes(), typePNG}
	}
	return s.putEncoded(ctx, folder, drawn)
}

func (s *Store) save(ctx context.Context, folder, field string, r io.Reader, shape func(picture) *image.RGBA) (string, error) {
	var file encoded
	err := s.withPicture(ctx, field, r, func(p picture) (err error) {
		if file, err = encode(shape(p)); err != nil {
			return fmt.Errorf("encode the %s: %w", field, err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return s.putEncoded(ctx, folder, file)
}

func (s *Store) putEncoded(ctx context.Context, folder string, file encoded) (string, error) {
	name, err := s.newName(folder, file.contentType)
	if err != nil {
		return "", err
	}
	err = s.put(ctx, name, file.contentType, func(w io.Writer) error {
		_, err := w.Write(file.data)
		return err
	})
	return name, err
}
