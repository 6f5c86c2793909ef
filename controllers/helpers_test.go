package controllers_test

import (
	"bytes"
	"image"
	"image/color"
	imagepng "image/png"
	"io/fs"
	"path/filepath"
	"testing"

	"tokentube/e2e/testsite"
)

// png makes a picture of the given size.
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

// storedFiles counts the files in the file storage.
func storedFiles(t *testing.T, site *testsite.Site) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(site.Config.MediaDir(), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
