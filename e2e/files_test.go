package e2e_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"tokentube/utils/clip"
)

// drawing is a picture that changes with the step.
func drawing(width, height, step int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{uint8(x * 255 / width), uint8(y * 255 / height), 120, 255})
		}
	}
	left := 8 * step % (width - 32)
	for y := height/2 - 16; y < height/2+16; y++ {
		for x := left; x < left+32; x++ {
			img.SetRGBA(x, y, color.RGBA{250, 250, 240, 255})
		}
	}
	return img
}

// pictureBytes is a PNG file.
func pictureBytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, png.Encode(&b, drawing(640, 400, 3)))
	return b.Bytes()
}

// videoBytes is an MP4 file of three seconds.
func videoBytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, clip.Encode(&b, 30, 10, func(i int) image.Image { return drawing(320, 180, i) }))
	return b.Bytes()
}

// save writes a file for a browser to choose.
func save(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, content, 0o600))
	return path
}
