package media

import (
	"bytes"
	"encoding/binary"
	"image"
	"testing"
)

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
