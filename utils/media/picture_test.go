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
	animated[20] = webpAnimated
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
		{"animated webp without a frame", animated, apperr.Invalid, "damaged"},
		{"webp bomb", huge, apperr.TooLarge, "40 megapixels"},
		{"png bomb", pngBomb(60000, 60000), apperr.TooLarge, "40 megapixels"},
		{"largest png bomb", pngBomb(1<<31-1, 1<<31-1), apperr.Invalid, "damaged"},
		{"png without body", pngBomb(100, 100), apperr.Invalid, "incomplete"},
		{"half a jpeg", good[:len(good)/2], apperr.Invalid, "incomplete"},
		{"half a jpeg and something else", append(bytes.Clone(good[:len(good)/2]), "\xff\xe0\xff\xd8SEFH of a phone"...), apperr.Invalid, "incomplete"},
		{"half a png", pngOf(t, shapes(20, 20))[:80], apperr.Invalid, "incomplete"},
		{"start of a jpeg", good[:4], apperr.Invalid, "empty"},
		{"avif", []byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00"), apperr.UnsupportedMedia, "HEIC and AVIF"},
		{"arithmetic coding", jpegWith(good, func(frame []byte) { frame[1] = 0xc9 }), apperr.UnsupportedMedia, "This kind of JPEG"},
		{"lossless", jpegWith(good, func(frame []byte) { frame[1] = 0xc3 }), apperr.UnsupportedMedia, "This kind of JPEG"},
		{"12 bits", jpegWith(good, func(frame []byte) { frame[4] = 12 }), apperr.UnsupportedMedia, "This kind of JPEG"},
		{"more colour than brightness", flatJPEG{w: 48, h: 48, sampling: []sampling{{1, 1}, {2, 2}, {2, 2}}}.bytes(), apperr.UnsupportedMedia, "This kind of JPEG"},
		{"three times sampled", flatJPEG{w: 48, h: 48, sampling: []sampling{{3, 1}, {1, 1}, {1, 1}}}.bytes(), apperr.UnsupportedMedia, "This kind of JPEG"},
		{"gif head", []byte("GIF89a\x00\x00\x00\x00"), apperr.Invalid, "damaged"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			_, err := savePhoto(t.Context(), s, c.data)
			wantCode(t, err, c.code, c.part)
			_, err = saveAvatar(s, c.data)
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
	if _, err := saveAvatar(exact, data); err != nil {
		t.Error(err)
	}
	rest := bytes.NewReader(append(bytes.Clone(data), make([]byte, 1<<20)...))
	_, err := less.Receive(t.Context(), "avatar", rest)
	wantCode(t, err, apperr.TooLarge, "larger than")
	if rest.Len() < 1<<20 {
		t.Errorf("read %d bytes past the limit", 1<<20-rest.Len())
	}
}

// A decompression bomb must cost nothing, not even for a moment.
func TestBombIsCheap(t *testing.T) {
	s := open(t, Limits{})
	bomb := pngBomb(60000, 60000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := savePhoto(t.Context(), s, bomb)
	runtime.ReadMemStats(&after)
	wantCode(t, err, apperr.TooLarge, "megapixels")
	if cost := after.TotalAlloc - before.TotalAlloc; cost > 1<<20 {
		t.Errorf("the bomb cost %d bytes", cost)
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
	f.Add(webpFile(24, 16, webpAnimated, webpFrame(0, 0, 24, 16, fromBase64(f, webpLossy)[12:])))
	f.Add(flatJPEG{w: 20, h: 20, sampling: []sampling{{2, 2}, {1, 1}, {1, 2}}, scans: 2}.bytes())
	f.Add(withJPEGProfile(jpegOf(f, shapes(16, 12)), profileOf("RGB ", 2.2, displayP3...)))
	s := open(f, Limits{Pixels: 100_000})
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx := context.Background()
		got, err := savePhoto(ctx, s, data)
		if err == nil {
			s.load(t, got.Name)
			_ = s.Delete(ctx, got.Name, got.Thumbnail)
		} else if apperr.From(err).Code == apperr.Internal {
			t.Errorf("a bad file is not our fault: %v", err)
		}
	})
}
