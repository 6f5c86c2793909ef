package media

import (
	"bytes"
	"encoding/binary"
	"image"
	"testing"
)

// withEXIF adds the orientation to a JPEG, and a word that must not be kept.
func withEXIF(data []byte, o byte, order binary.AppendByteOrder) []byte {
	body := append([]byte(exifPrefix), tiffOf(o, order)...)
	return withSegment(data, markerAPP1, body)
}

// tiffOf is EXIF data.
func tiffOf(o byte, order binary.AppendByteOrder) []byte {
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
	return append(tiff, "\x00\x00\x00\x00\x00\x00SECRETPLACE"...)
}

func TestOrientation(t *testing.T) {
	jpeg, png, webp := jpegOf(t, shapes(64, 48)), pngOf(t, shapes(64, 48)), fromBase64(t, webpShapes)
	files := map[string]func(byte, binary.AppendByteOrder) []byte{
		"jpeg": func(o byte, order binary.AppendByteOrder) []byte { return withEXIF(jpeg, o, order) },
		"png":  func(o byte, order binary.AppendByteOrder) []byte { return pngWith(png, "eXIf", tiffOf(o, order)) },
		"webp": func(o byte, order binary.AppendByteOrder) []byte {
			return webpFile(64, 48, 0, webp[12:], chunk("EXIF", tiffOf(o, order)))
		},
	}
	// Where the green quarter, stored at the bottom right, is displayed.
	corners := map[byte]image.Point{1: {3, 3}, 2: {1, 3}, 3: {1, 1}, 4: {3, 1}, 5: {3, 3}, 6: {1, 3}, 7: {1, 1}, 8: {3, 1}, 9: {3, 3}, 0: {3, 3}}
	for kind, file := range files {
		s := open(t, Limits{})
		for o, corner := range corners {
			order := []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}[o%2]
			data := file(o, order)
			got, err := savePhoto(t.Context(), s, data)
			if err != nil {
				t.Fatal(kind, err)
			}
			avatar, err := saveAvatar(s, data)
			if err != nil {
				t.Fatal(kind, err)
			}
			w, h := 64, 48
			if o >= 5 && o <= 8 {
				w, h = h, w
			}
			if got.Width != w || got.Height != h {
				t.Errorf("%s: orientation %d is %d by %d", kind, o, got.Width, got.Height)
			}
			for _, name := range []string{got.Name, got.Thumbnail, avatar} {
				img := s.load(t, name)
				if b := img.Bounds(); !near(img, corner.X*b.Dx()/4, corner.Y*b.Dy()/4, green) {
					t.Errorf("%s: orientation %d: no green at %v quarters", kind, o, corner)
				}
			}
		}
	}
}

// Metadata that can't be parsed must not prevent an upload, and never breaks anything.
func TestMetadataOfNonsense(t *testing.T) {
	for kind, good := range map[format][]byte{
		formatJPEG: withEXIF(jpegOf(t, shapes(8, 8)), 6, binary.BigEndian),
		formatPNG:  pngWith(pngOf(t, shapes(8, 8)), "eXIf", tiffOf(6, binary.BigEndian)),
		formatWebP: webpFile(24, 16, 0, chunk("VP8L", vp8l(t)), chunk("EXIF", tiffOf(6, binary.BigEndian))),
	} {
		for n := range len(good) {
			if n >= 12 {
				exif, _ := metadata(kind, good[:n])
				readOrientation(exif)
			}
			for _, v := range []byte{0, 0xff} {
				bad := bytes.Clone(good)
				bad[n] = v
				exif, _ := metadata(kind, bad)
				readOrientation(exif)
			}
		}
	}
}
