package media

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"strings"
	"testing"

	"tokentube/utils/apperr"
)

// Two WebP files of 24 by 16 pixels in one colour, made from a drawing of our own.
const (
	webpLossless = "UklGRh4AAABXRUJQVlA4TBEAAAAvF8ADAAfQr7rUs/+BiOh/AAA="
	webpLossy    = "UklGRkAAAABXRUJQVlA4IDQAAAAQAwCdASoYABAAPrVInkmnJCKhMAgA4BaJQBai0AAQNgAA/upl/4oBSOHO/DaqzYnyAAAA"
)

var (
	red   = color.RGBA{220, 30, 30, 255}
	green = color.RGBA{30, 200, 60, 255}
	blue  = color.RGBA{40, 60, 220, 255}
)

// shapes is red at the left, blue at the right, and green in the bottom right.
func shapes(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := red
			if x >= w/2 {
				c = blue
				if y >= h/2 {
					c = green
				}
			}
			img.Set(x, y, c)
		}
	}
	return img
}

func jpegOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gifOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func fromBase64(t testing.TB, text string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pngBomb is a PNG of a few bytes that claims w by h pixels.
func pngBomb(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	head = binary.BigEndian.AppendUint32(head, h)
	head = append(head, 8, 6, 0, 0, 0)
	data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(head))
}

// withEXIF puts the orientation into a JPEG, and a word that must not survive.
func withEXIF(data []byte, o byte, order binary.AppendByteOrder) []byte {
	tiff := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 1)
	tiff = order.AppendUint16(tiff, 0x0112)
	tiff = order.AppendUint16(tiff, 3)
	tiff = order.AppendUint32(tiff, 1)
	tiff = order.AppendUint16(tiff, uint16(o))
	tiff = append(tiff, "\x00\x00\x00\x00\x00\x00SECRETPLACE"...)
	body := append([]byte("Exif\x00\x00"), tiff...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(body)+2))
	return append(append(head, body...), data[2:]...)
}

// load decodes a stored picture.
func (s *Store) load(t testing.TB, name string) image.Image {
	t.Helper()
	data, err := s.bucket.ReadAll(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
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

// near reports whether the pixel is about c, as it is after JPEG.
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
			got, err := s.SavePhoto(t.Context(), bytes.NewReader(c.data))
			if err != nil {
				t.Fatal(err)
			}
			if got.Width != c.w || got.Height != c.h || got.ContentType != c.kind || got.Size <= 0 {
				t.Errorf("got %+v", got)
			}
			if !strings.HasPrefix(got.Name, private) || !strings.HasPrefix(got.Thumbnail, public) {
				t.Errorf("names are %s and %s", got.Name, got.Thumbnail)
			}
			if b := s.load(t, got.Name).Bounds(); b.Dx() != c.w || b.Dy() != c.h {
				t.Errorf("stored at %v", b)
			}
			if b := s.load(t, got.Thumbnail).Bounds(); b.Dx() != min(c.w, 640) {
				t.Errorf("thumbnail at %v", b)
			}
		})
	}
}

func TestPictureRefused(t *testing.T) {
	good := jpegOf(t, shapes(200, 100))
	extended := append([]byte("RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"), make([]byte, 10)...)
	animated := bytes.Clone(extended)
	animated[20] = 2
	huge := bytes.Clone(extended)
	copy(huge[24:], "\xff\x3f\x00\xff\x3f\x00")
	cases := []struct {
		name string
		data []byte
		code apperr.Code
		part string
	}{
		{"empty", nil, apperr.Invalid, "empty"},
		{"text", []byte("hello, this is no picture"), apperr.UnsupportedMedia, "JPEG"},
		{"svg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), apperr.UnsupportedMedia, "JPEG"},
		{"html that starts as riff", []byte("RIFF<html>"), apperr.UnsupportedMedia, "JPEG"},
		{"heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), apperr.UnsupportedMedia, "HEIC"},
		{"video", mp4File("avc1"), apperr.UnsupportedMedia, "JPEG"},
		{"animated webp", animated, apperr.UnsupportedMedia, "Animated"},
		{"webp bomb", huge, apperr.TooLarge, "40 megapixels"},
		{"png bomb", pngBomb(60000, 60000), apperr.TooLarge, "40 megapixels"},
		{"largest png bomb", pngBomb(1<<31-1, 1<<31-1), apperr.Invalid, "damaged"},
		{"png without body", pngBomb(100, 100), apperr.Invalid, "damaged"},
		{"half a jpeg", good[:len(good)/2], apperr.Invalid, "damaged"},
		{"start of a jpeg", good[:4], apperr.Invalid, "damaged"},
		{"gif head", []byte("GIF89a\x00\x00\x00\x00"), apperr.Invalid, "damaged"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			_, err := s.SavePhoto(t.Context(), bytes.NewReader(c.data))
			wantCode(t, err, c.code, c.part)
			_, err = s.SaveAvatar(t.Context(), bytes.NewReader(c.data))
			wantCode(t, err, c.code, c.part)
			if fault := apperr.From(err); c.code == apperr.Invalid && fault.Fields[0].Name != "avatar" {
				t.Errorf("the field is %q", fault.Fields[0].Name)
			}
			if left := s.stored(t); len(left) != 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestPictureBytes(t *testing.T) {
	data := jpegOf(t, shapes(64, 48))
	exact, less := open(t, Limits{ImageBytes: int64(len(data))}), open(t, Limits{ImageBytes: int64(len(data) - 1)})
	if _, err := exact.SaveAvatar(t.Context(), bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
	rest := bytes.NewReader(append(bytes.Clone(data), make([]byte, 1<<20)...))
	_, err := less.SaveAvatar(t.Context(), rest)
	wantCode(t, err, apperr.TooLarge, "larger than")
	if rest.Len() < 1<<20 {
		t.Errorf("read %d bytes past the limit", 1<<20-rest.Len())
	}
}

// A bomb must cost nothing, not even for a moment.
func TestBombIsCheap(t *testing.T) {
	s := open(t, Limits{})
	bomb := pngBomb(60000, 60000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.SavePhoto(t.Context(), bytes.NewReader(bomb))
	runtime.ReadMemStats(&after)
	wantCode(t, err, apperr.TooLarge, "megapixels")
	if cost := after.TotalAlloc - before.TotalAlloc; cost > 1<<20 {
		t.Errorf("the bomb cost %d bytes", cost)
	}
}

func TestOrientation(t *testing.T) {
	plain := jpegOf(t, shapes(64, 48))
	// Where the green quarter, stored at the bottom right, is seen.
	corners := map[byte]image.Point{1: {3, 3}, 2: {1, 3}, 3: {1, 1}, 4: {3, 1}, 5: {3, 3}, 6: {1, 3}, 7: {1, 1}, 8: {3, 1}, 9: {3, 3}, 0: {3, 3}}
	for o, corner := range corners {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			s := open(t, Limits{})
			got, err := s.SavePhoto(t.Context(), bytes.NewReader(withEXIF(plain, o, order)))
			if err != nil {
				t.Fatal(err)
			}
			w, h := 64, 48
			if o >= 5 && o <= 8 {
				w, h = h, w
			}
			if got.Width != w || got.Height != h {
				t.Errorf("orientation %d is %d by %d", o, got.Width, got.Height)
			}
			for _, name := range []string{got.Name, got.Thumbnail} {
				if img := s.load(t, name); !near(img, corner.X*w/4, corner.Y*h/4, green) {
					t.Errorf("orientation %d: no green at %v quarters", o, corner)
				}
			}
		}
	}
}

func TestOrientationOfNonsense(t *testing.T) {
	good := withEXIF(jpegOf(t, shapes(8, 8)), 6, binary.BigEndian)
	for n := range len(good) {
		readOrientation(good[:n])
		for _, v := range []byte{0, 0xff} {
			bad := bytes.Clone(good)
			bad[n] = v
			readOrientation(bad)
		}
	}
}

func TestPublicPictures(t *testing.T) {
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
			if b := s.load(t, name).Bounds(); b.Dx() != c.w || b.Dy() != c.h || !strings.HasPrefix(name, public) {
				t.Errorf("%s is %v", name, b)
			}
		})
	}
}

func saveAvatar(s *Store, data []byte) (string, error) {
	return s.SaveAvatar(context.Background(), bytes.NewReader(data))
}

func saveCover(s *Store, data []byte) (string, error) {
	return s.SaveCover(context.Background(), bytes.NewReader(data))
}

func saveThumbnail(s *Store, data []byte) (string, error) {
	return s.SaveThumbnail(context.Background(), bytes.NewReader(data))
}

// The middle is kept: of a wide picture neither edge.
func TestCoverKeepsTheMiddle(t *testing.T) {
	img := cover(picture{shapes(300, 100), upright}, 50, 50)
	if !near(img, 20, 25, red) || !near(img, 30, 10, blue) || !near(img, 30, 40, green) {
		t.Error("the colours are not where they should be")
	}
}

func TestSaveDrawing(t *testing.T) {
	s := open(t, Limits{})
	flat, err := s.SaveDrawing(t.Context(), shapes(320, 320))
	if err != nil || !strings.HasSuffix(flat, ".png") {
		t.Errorf("flat colours became %s, %v", flat, err)
	}
	noise := image.NewRGBA(image.Rect(0, 0, 64, 64))
	state := uint32(1)
	for i := range noise.Pix {
		state = state*1664525 + 1013904223
		noise.Pix[i] = uint8(state>>24) | uint8(i%4/3*255)
	}
	many, err := s.SaveDrawing(t.Context(), noise)
	if err != nil || !strings.HasSuffix(many, ".jpg") {
		t.Errorf("many colours became %s, %v", many, err)
	}
}

// While somebody's pictures use all the pixels, others wait, but not for ever.
func TestDecodersAreBounded(t *testing.T) {
	s := open(t, Limits{Pixels: 10_000})
	data := jpegOf(t, shapes(100, 100))
	if err := s.pixels.Acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.SaveAvatar(ctx, bytes.NewReader(data))
		done <- err
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("decoded without room")
	}
	s.pixels.Release(1)
	if _, err := s.SaveAvatar(t.Context(), bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
	if left := s.stored(t); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

func FuzzImage(f *testing.F) {
	f.Add(jpegOf(f, shapes(16, 12)))
	f.Add(withEXIF(jpegOf(f, shapes(16, 12)), 6, binary.LittleEndian))
	f.Add(pngOf(f, shapes(16, 12)))
	f.Add(gifOf(f, shapes(16, 12)))
	f.Add(fromBase64(f, webpLossless))
	f.Add(fromBase64(f, webpLossy))
	f.Add(pngBomb(60000, 60000))
	s := open(f, Limits{Pixels: 100_000})
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx := context.Background()
		got, err := s.SavePhoto(ctx, bytes.NewReader(data))
		if err == nil {
			s.load(t, got.Name)
			_ = s.Delete(ctx, got.Name, got.Thumbnail)
		} else if apperr.From(err).Code == apperr.Internal {
			t.Errorf("a bad file is not our fault: %v", err)
		}
	})
}
