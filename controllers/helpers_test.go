package controllers_test

import (
	"bytes"
	"image"
	"image/color"
	imagepng "image/png"
	"testing"
)

// png is a picture of this size.
func png(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for x := range w {
		img.Set(x, h/2, color.RGBA{200, 100, 50, 255})
	}
	var b bytes.Buffer
	if err := imagepng.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
