package testsite

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// Picture is a small PNG file.
func Picture(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	img := image.NewRGBA(image.Rect(0, 0, 64, 36))
	for x := range 64 {
		img.Set(x, 18, color.RGBA{200, 100, 50, 255})
	}
	check(t, png.Encode(&b, img))
	return b.Bytes()
}
