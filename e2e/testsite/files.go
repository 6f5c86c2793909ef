package testsite

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"tokentube/utils/clip"
)

// Picture is a small PNG file.
func Picture(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, png.Encode(&b, drawing(0)))
	return b.Bytes()
}

// Video is a small MP4 file of a second.
func Video(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, clip.Encode(&b, 2, 2, drawing))
	return b.Bytes()
}

func drawing(step int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 64, 36))
	for x := range 64 {
		img.Set(x, 18+step, color.RGBA{200, 100, 50, 255})
	}
	return img
}
