package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"
	"strings"
	"testing"
)

// load decodes a stored picture.
func (s *Store) load(t testing.TB, name string) image.Image {
	t.Helper()
	data := s.content(t, name)
	if bytes.Contains(data, []byte("SECRETPLACE")) || bytes.Contains(data, []byte("<script>")) {
		t.Errorf("%s still has what was hidden in the upload", name)
	}
	img, format, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"jpeg": ".jpg", "png": ".png"}[format]; !strings.HasSuffix(name, want) {
		t.Errorf("%s is a %s", name, format)
	}
	return img
}

// near reports whether the pixel is approximately c, as it is after JPEG compression.
func near(img image.Image, x, y int, c color.RGBA) bool {
	r, g, b, _ := img.At(img.Bounds().Min.X+x, img.Bounds().Min.Y+y).RGBA()
	off := func(have uint32, want uint8) bool {
		d := int(have>>8) - int(want)
		return d < -40 || d > 40
	}
	return !off(r, c.R) && !off(g, c.G) && !off(b, c.B)
}

func TestPhotoFormats(t *testing.T) {
	clear := shapes(64, 48)
	clear.SetRGBA(5, 5, color.RGBA{})
	script := []byte("<script>alert(1)</script>")
	cases := []struct {
		name string
		data []byte
		kind string
		w, h int
	}{
		{"jpeg", jpegOf(t, shapes(64, 48)), typeJPEG, 64, 48},
		{"png", pngOf(t, shapes(64, 48)), typeJPEG, 64, 48},
		{"transparent png", pngOf(t, clear), typePNG, 64, 48},
		{"gray png", pngOf(t, image.NewGray16(image.Rect(0, 0, 9, 7))), typeJPEG, 9, 7},
		{"gif", gifOf(t, shapes(64, 48)), typeJPEG, 64, 48},
		{"lossless webp", fromBase64(t, webpLossless), typeJPEG, 24, 16},
		{"lossy webp", fromBase64(t, webpLossy), typeJPEG, 24, 16},
		{"polyglot", append(gifOf(t, shapes(64, 48)), script...), typeJPEG, 64, 48},
		{"large", jpegOf(t, shapes(5000, 1000)), typeJPEG, 4096, 819},
		{"one pixel high", pngOf(t, shapes(9000, 1)), typeJPEG, 4096, 1},
		{"one pixel", pngOf(t, shapes(1, 1)), typeJPEG, 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			got, err := savePhoto(t.Context(), s, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if got.Width != c.w || got.Height != c.h || got.ContentType != c.kind || got.Size <= 0 {
				t.Errorf("got %+v", got)
			}
			if !strings.HasPrefix(got.Name, private) || !strings.HasPrefix(got.Thumbnail, private) {
				t.Errorf("names are %s and %s", got.Name, got.Thumbnail)
			}
			if b := s.load(t, got.Name).Bounds(); b.Dx() != c.w || b.Dy() != c.h {
				t.Errorf("stored at %v", b)
			}
			if b := s.load(t, got.Thumbnail).Bounds(); b.Dx() != min(c.w, 640) {
				t.Errorf("thumbnail at %v", b)
			}
			if files := s.stored(t); (got.Preview != "") != (c.w > 1600) || (got.PreviewSize > 0) != (c.w > 1600) || len(files) != 2+min(1, len(got.Preview)) {
				t.Errorf("got %+v, stored %v", got, files)
			}
		})
	}
}

// A preview is the upright photo, narrower. A photo that isn't wider, or whose preview wouldn't be smaller in bytes,
// has none.
func TestPreviews(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		w, h int // of the preview
	}{
		{"wide", jpegOf(t, shapes(3200, 1600)), 1600, 800},
		{"hardly wider, and no lighter", jpegOf(t, shapes(1601, 1601)), 0, 0},
		{"as wide", jpegOf(t, shapes(1600, 900)), 0, 0},
		{"only high", jpegOf(t, shapes(900, 2400)), 0, 0},
		{"turned to be high", withEXIF(jpegOf(t, shapes(2400, 900)), 6, binary.BigEndian), 0, 0},
		{"turned to be wide", withEXIF(jpegOf(t, shapes(1200, 2400)), 6, binary.BigEndian), 1600, 800},
		{"cut to be narrow", jpegOf(t, shapes(1800, 9000)), 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			got, err := savePhoto(t.Context(), s, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if c.w == 0 {
				if files := s.stored(t); got.Preview != "" || got.PreviewSize != 0 || len(files) != 2 {
					t.Errorf("got %+v, stored %v", got, files)
				}
				return
			}
			if b := s.load(t, got.Preview).Bounds(); b.Dx() != c.w || b.Dy() != c.h || !strings.HasPrefix(got.Preview, private) {
				t.Errorf("%s is %v", got.Preview, b)
			}
			if size, err := s.Size(t.Context(), got.Preview); err != nil || size != got.PreviewSize || size >= got.Size {
				t.Errorf("%d bytes, of the photo %d, %v: %+v", size, got.Size, err, got)
			}
		})
	}
}

// If one of a photo's files can't be stored, none of them is kept.
func TestAPhotoIsStoredWholeOrNot(t *testing.T) {
	for n := range 3 {
		s := open(t, Limits{})
		whole := s.bucket
		s.bucket = &failing{Bucket: whole, after: n}
		if _, err := savePhoto(t.Context(), s, jpegOf(t, shapes(2000, 1000))); !errors.Is(err, errFull) {
			t.Errorf("file %d failed: %v", n+1, err)
		}
		s.bucket = whole
		if left := s.stored(t); len(left) != 0 {
			t.Errorf("file %d failed and left %v", n+1, left)
		}
	}
}

// failing is a bucket with room for this many more files.
type failing struct {
	Bucket
	after int
}

var errFull = errors.New("full")

func (f *failing) Put(ctx context.Context, name, contentType string, write func(io.Writer) error) error {
	if f.after == 0 {
		return errFull
	}
	f.after--
	return f.Bucket.Put(ctx, name, contentType, write)
}

func TestShapes(t *testing.T) {
	wide, upright := jpegOf(t, shapes(2400, 600)), withEXIF(jpegOf(t, shapes(900, 600)), 6, binary.BigEndian)
	cases := []struct {
		name string
		save func(*Store, []byte) (string, error)
		data []byte
		w, h int
	}{
		{"avatar", saveAvatar, wide, 320, 320},
		{"small avatar", saveAvatar, jpegOf(t, shapes(20, 30)), 320, 320},
		{"cover", saveCover, wide, 1600, 400},
		{"upright cover", saveCover, upright, 600, 150},
		{"tiny cover", saveCover, jpegOf(t, shapes(1, 1)), 1, 1},
		{"thumbnail", saveThumbnail, wide, 640, 360},
		{"upright thumbnail", saveThumbnail, upright, 640, 360},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			name, err := c.save(s, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if b := s.load(t, name).Bounds(); b.Dx() != c.w || b.Dy() != c.h || strings.HasPrefix(name, private) != strings.Contains(c.name, "thumbnail") {
				t.Errorf("%s is %v", name, b)
			}
		})
	}
}

func savePhoto(ctx context.Context, s *Store, data []byte) (Image, error) {
	p, err := s.Receive(ctx, "photo", bytes.NewReader(data))
	if err != nil {
		return Image{}, err
	}
	return s.SavePhoto(ctx, p)
}

func saveAvatar(s *Store, data []byte) (string, error) {
	return received(s, data, "avatar", s.SaveAvatar)
}

func saveCover(s *Store, data []byte) (string, error) {
	return received(s, data, "coverImage", s.SaveCover)
}

func saveThumbnail(s *Store, data []byte) (string, error) {
	return received(s, data, "thumbnail", s.SaveThumbnail)
}

func received(s *Store, data []byte, field string, save func(context.Context, *Picture) (string, error)) (string, error) {
	ctx := context.Background()
	p, err := s.Receive(ctx, field, bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	return save(ctx, p)
}

// The middle is kept: neither edge of a wide picture.
func TestCoverKeepsTheMiddle(t *testing.T) {
	img := cover(picture{Image: shapes(300, 100), turn: upright}, 50, 50)
	if !near(img, 20, 25, red) || !near(img, 30, 10, blue) || !near(img, 30, 40, green) {
		t.Error("the colours are not where they should be")
	}
}

func TestDrawings(t *testing.T) {
	s := open(t, Limits{})
	flat, err := s.SaveInitials(t.Context(), shapes(320, 320))
	if err != nil || !strings.HasPrefix(flat, public) || !strings.HasSuffix(flat, ".png") {
		t.Errorf("flat colours became %s, %v", flat, err)
	}
	noise := image.NewRGBA(image.Rect(0, 0, 64, 64))
	state := uint32(1)
	for i := range noise.Pix {
		state = state*1664525 + 1013904223
		noise.Pix[i] = uint8(state>>24) | uint8(i%4/3*255)
	}
	many, err := s.SavePoster(t.Context(), noise)
	if err != nil || !strings.HasPrefix(many, private) || !strings.HasSuffix(many, ".jpg") {
		t.Errorf("many colours became %s, %v", many, err)
	}
}
