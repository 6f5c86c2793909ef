package media

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// Two WebP files of 24 by 16 pixels in a single colour, and the shapes at 64 by 48, made from our own drawings.
const (
	webpShapes   = "UklGRjwAAABXRUJQVlA4TC8AAAAvP8ALABdwD0YhQXKQ/8kdZoFAYhLbpLPNf0j2gEjbZiZv8j7HByP6PwHotLtrbwA="
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
	return withSum(append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...))
}

// withSum completes the header of a PNG with its checksum.
func withSum(data []byte) []byte {
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(data[12:]))
}
