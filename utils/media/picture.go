package media

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"

	"golang.org/x/image/webp"

	"tokentube/utils/apperr"
)

// Picture is an upload that has been received and inspected, but not decoded: decoding costs more than all the rest of
// a request, and must wait until everything else is known to be valid.
type Picture struct {
	field string
	data  []byte
	cost  int64    // bytes that decoding takes, according to its header
	of    []string // who it counts for in the queue
}

// format is a supported picture format.
type format string

const (
	formatJPEG format = "JPEG"
	formatPNG  format = "PNG"
	formatGIF  format = "GIF"
	formatWebP format = "WebP"
)

// sniff determines the format from the first bytes. The type that the client declared is ignored: trusting it is how
// scripts get stored as "pictures".
func sniff(data []byte) format {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return formatJPEG
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return formatPNG
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return formatGIF
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return formatWebP
	}
	return ""
}

// Receive reads an upload and inspects its header. Errors name the field. Decoding it later counts for each of the
// names in "of": a network, an account. A picture that would cost too much to decode is rejected here, at no cost: a
// decompression bomb is a few bytes that unpack to gigabytes.
func (s *Store) Receive(ctx context.Context, field string, r io.Reader, of ...string) (*Picture, error) {
	data, err := io.ReadAll(&source{ctx: ctx, r: r, limit: s.limits.ImageBytes, what: "picture"})
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, apperr.InvalidField(field, "The file is empty.")
	}
	kind := sniff(data)
	if kind == "" {
		return nil, notTaken(data)
	}
	if kind == formatJPEG {
		if err := checkJPEG(readJPEG(data)); err != nil {
			return nil, err
		}
	}
	size, cost, err := measure(kind, data)
	if err != nil {
		return nil, damagedPicture(field, err)
	}
	if err := s.checkSize(field, size, cost); err != nil {
		return nil, err
	}
	return &Picture{field, data, cost, of}, nil
}

// Field is the name of the form field of the picture.
func (p *Picture) Field() string { return p.field }

// Check decodes a picture without storing anything, and reports what is wrong with it.
func (s *Store) Check(ctx context.Context, p *Picture) error {
	return s.decoder.run(ctx, p, nil, nil)
}

func notTaken(data []byte) error {
	if b := brand(data); isPictureBrand(b) {
		return apperr.New(apperr.UnsupportedMedia, "HEIC and AVIF pictures aren't supported. Export the picture as a JPEG.")
	}
	return apperr.New(apperr.UnsupportedMedia, "A picture must be JPEG, PNG, GIF or WebP.")
}

// maxScans is how many scans a progressive JPEG may have. Ten is usual, and no encoder makes fifty. Each takes only a
// few bytes, but costs the time to process the whole picture.
const maxScans = 64

func checkJPEG(j jpegFile) error {
	if j.frame != 0 && !j.decodable() {
		return unsupportedJPEG()
	}
	if j.scans > maxScans {
		return apperr.New(apperr.TooLarge, "This JPEG has %d scans; the limit is %d. Save it as a standard JPEG.", j.scans, maxScans)
	}
	return nil
}

func unsupportedJPEG() *apperr.Error {
	return apperr.New(apperr.UnsupportedMedia, "This kind of JPEG isn't supported. Open it in an image editor and save it as a standard JPEG (8 bits, Huffman coding).")
}

// measure reads the size from the header, and computes how many bytes decoding takes. PNG and WebP allow more than is
// usual: a picture that needs more than its header suggests is stopped, see decoder.
func measure(kind format, data []byte) (size image.Point, cost int64, err error) {
	var config image.Config
	perPixel := int64(8) // WebP: the same again for the post-processing at the end
	switch kind {
	case formatJPEG:
		j := readJPEG(data)
		return image.Pt(j.width, j.height), j.cost(), nil
	case formatPNG:
		if config, err = png.DecodeConfig(bytes.NewReader(data)); err == nil {
			perPixel = pngDepth(data)
		}
	case formatGIF:
		config, err = gif.DecodeConfig(bytes.NewReader(data))
		perPixel = 2
	case formatWebP:
		config, err = webp.DecodeConfig(bytes.NewReader(data))
	}
	return image.Pt(config.Width, config.Height), perPixel * int64(config.Width) * int64(config.Height), err
}

// pngDepth is how many bytes a pixel of a PNG takes; twice as many if it is interlaced.
func pngDepth(data []byte) int64 {
	depth := int64(4)
	if data[24] == 16 {
		depth = 8
	}
	if data[28] != 0 {
		depth *= 2
	}
	return depth
}

func (s *Store) checkSize(field string, size image.Point, cost int64) error {
	if size.X <= 0 || size.Y <= 0 {
		return apperr.InvalidField(field, "The picture is empty.")
	}
	if int64(size.X)*int64(size.Y) > int64(s.limits.Pixels) {
		return apperr.New(apperr.TooLarge, "The picture has more than %s.", megapixels(s.limits.Pixels))
	}
	if cost+workingMemory > s.limits.Memory {
		return tooExpensive()
	}
	return nil
}

func tooExpensive() *apperr.Error {
	return apperr.New(apperr.TooLarge, "This picture takes too much time or memory to open. Save a smaller copy or a standard JPEG.")
}

func damagedPicture(field string, cause error) error {
	return apperr.InvalidField(field, "The picture is damaged and can't be read.").Because(cause)
}

func megapixels(n int) string {
	if n >= 1_000_000 {
		return fmt.Sprintf("%d megapixels", n/1_000_000)
	}
	return fmt.Sprintf("%d pixels", n)
}
