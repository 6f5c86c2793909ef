package media

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
	"tokentube/utils/apperr"
)

// format is a kind of picture that we take.
type format struct {
	size   func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// sniff finds the format in the first bytes. What the client said it is counts
// for nothing: that is how a script gets stored as a "picture".
func sniff(data []byte) (format, bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return format{jpeg.DecodeConfig, jpeg.Decode}, true
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return format{png.DecodeConfig, png.Decode}, true
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return format{gif.DecodeConfig, gif.Decode}, true
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return format{webp.DecodeConfig, webp.Decode}, true
	}
	return format{}, false
}

// picture is a decoded upload and how it must be turned to stand upright.
type picture struct {
	image.Image
	turn orientation
}

// withPicture reads and decodes an upload and gives it to work. While work runs,
// its pixels count against those that the whole store may hold: many large
// pictures at once wait for each other instead of exhausting the memory.
func (s *Store) withPicture(ctx context.Context, field string, r io.Reader, work func(picture) error) error {
	data, err := io.ReadAll(&source{ctx: ctx, r: r, limit: s.limits.ImageBytes, what: "picture"})
	if err != nil {
		return err
	}
	kind, err := inspect(field, data)
	if err != nil {
		return err
	}
	config, err := kind.size(bytes.NewReader(data))
	if err != nil {
		return damagedPicture(field, err)
	}
	// The header alone is read so far. A bomb, some bytes that unpack to
	// gigabytes, ends here and has cost nothing.
	pixels := int64(config.Width) * int64(config.Height)
	if pixels > int64(s.limits.Pixels) {
		return apperr.New(apperr.TooLarge, "The picture has more than %s.", megapixels(s.limits.Pixels))
	}
	if config.Width <= 0 || config.Height <= 0 {
		return apperr.InvalidField(field, "The picture is empty.")
	}
	if err := s.pixels.Acquire(ctx, pixels); err != nil {
		return fmt.Errorf("wait for a decoder: %w", err)
	}
	defer s.pixels.Release(pixels)

	img, err := kind.decode(bytes.NewReader(data))
	if err != nil {
		return damagedPicture(field, err)
	}
	return work(picture{img, readOrientation(data)})
}

func inspect(field string, data []byte) (format, error) {
	if len(data) == 0 {
		return format{}, apperr.InvalidField(field, "The file is empty.")
	}
	kind, ok := sniff(data)
	if ok && isAnimatedWebP(data) {
		return format{}, apperr.New(apperr.UnsupportedMedia, "Animated WebP is not taken. Save a still picture.")
	}
	if ok {
		return kind, nil
	}
	switch brand(data) {
	case "heic", "heix", "mif1", "avif":
		return format{}, apperr.New(apperr.UnsupportedMedia, "HEIC and AVIF pictures are not taken. Export the picture as JPEG.")
	}
	return format{}, apperr.New(apperr.UnsupportedMedia, "A picture must be JPEG, PNG, GIF or WebP.")
}

// isAnimatedWebP looks at the flags of the extended header.
func isAnimatedWebP(data []byte) bool {
	return len(data) > 20 && string(data[:4]) == "RIFF" && string(data[12:16]) == "VP8X" && data[20]&0x02 != 0
}

func damagedPicture(field string, cause error) error {
	return apperr.InvalidField(field, "The picture is damaged and cannot be read.").Because(cause)
}

func megapixels(n int) string {
	if n >= 1_000_000 {
		return fmt.Sprintf("%d megapixels", n/1_000_000)
	}
	return fmt.Sprintf("%d pixels", n)
}
