package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"runtime"
	"testing"

	"tokentube/utils/apperr"
)

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
