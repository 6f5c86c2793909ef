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

// Picture is an upload that is received and looked at, but not decoded: that costs more than all the rest of a request, and
// has to wait until everything else is known to be right.
type Picture struct {
	field string
	data  []byte
	cost  int64    // bytes that decoding it takes, by its header
	of    []string // whom it counts for while others wait
}

// format is a kind of picture that we take.
type format string

const (
	formatJPEG format = "JPEG"
	formatPNG  format = "PNG"
	formatGIF  format = "GIF"
	formatWebP format = "WebP"
)

// sniff finds the format in the first bytes. What the client said it is counts
// for nothing: that is how a script gets stored as a "picture".
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

// Receive reads an upload and looks at its header. Errors name the field. Opening it later counts for each of the names in
// "of": a network, an account. What would cost too much to decode is refused here
// and has cost nothing: a bomb is some bytes that unpack to gigabytes.
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

// Field is the name of the field that the picture was sent in.
func (p *Picture) Field() string { return p.field }

// Check opens a picture, stores nothing, and says what is wrong with it.
func (s *Store) Check(ctx context.Context, p *Picture) error {
	return s.decoder.run(ctx, p, nil, nil)
}

func notTaken(data []byte) error {
	if b := brand(data); isPictureBrand(b) {
		return apperr.New(apperr.UnsupportedMedia, "HEIC and AVIF pictures aren't supported. Export the picture as a JPEG.")
	}
	return apperr.New(apperr.UnsupportedMedia, "A picture must be JPEG, PNG, GIF or WebP.")
}

// maxScans is how often a progressive JPEG may go over its picture. Ten is usual, no encoder makes fifty; each costs time
// for all of the picture, and takes a few bytes.
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

// measure reads the size from the header, and works out what decoding takes, in bytes. For PNG and WebP the format allows
// more than is usual: what needs more than its header says is stopped, see decoder.
func measure(kind format, data []byte) (size image.Point, cost int64, err error) {
	var config image.Config
	perPixel := int64(8) // WebP: as much again for what is undone at the end
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

// pngDepth is how many bytes a pixel of a PNG takes, all of them twice when they come interlaced.
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
