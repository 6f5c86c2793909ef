package e2e_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
	"tokentube/models"
)

// A browser chooses the width of a photo that its screen needs, and shows it in the same place. The figures are for
// docs/performance.md: what a phone downloads, with and without a preview.
func TestAPhotoFitsTheScreen(t *testing.T) {
	s := open(t)
	alice := s.User("alice")
	photo := func(w, h int) (file, page string) {
		id := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills"},
			testsite.File{Field: "photo", Name: "hills.jpg", Content: detailed(t, w, h)}).Status(201).ID()
		return s.base + "/media/posts/" + id, "/photos/" + id
	}
	wide, widePage := photo(4096, 2731)
	high, highPage := photo(1800, 2700)
	browser := s.Browser()
	for _, c := range []struct {
		name, path string
		width      int64
		density    float64
		want       string
	}{
		{"a phone", widePage, 360, 3, wide + "/preview"},
		{"an older phone", widePage, 360, 1, wide + "/preview"},
		{"a computer", widePage, 1280, 1, wide + "/preview"},
		{"a wide and sharp screen", widePage, 2560, 3, wide},
		{"a phone, a high photo", highPage, 360, 3, high + "/preview"},
		{"a computer, a high photo", highPage, 1280, 1, high + "/preview"},
	} {
		got := browser.firstView(c.path, c.width, c.density)
		t.Logf("%s: %d bytes of pictures", c.name, got.Pictures)
		if got.Photo != c.want || got.Shift > 0 {
			t.Errorf("%s shows %s, want %s; %v moved: %s", c.name, got.Photo, c.want, got.Shift, got.Moved)
		}
	}

	// It is shown as large as its place and its proportions allow.
	for _, path := range []string{widePage, highPage} {
		for _, width := range []int64{360, 1280, 2560} {
			browser.look(width, "light")
			browser.Go(path)
			browser.until("the photo", `document.querySelector(".photo img").complete`)
			if spare := evaluate[float64](browser, `(() => {
				const i = document.querySelector(".photo img"), box = i.getBoundingClientRect();
				return i.naturalWidth - Math.min(box.width, box.height * i.getAttribute("width") / i.getAttribute("height"));
			})()`); spare < -1 {
				t.Errorf("%s at %d pixels: %v narrower than its place", path, width, -spare)
			}
		}
	}

	id, err := bson.ObjectIDFromHex(strings.TrimPrefix(widePage, "/photos/"))
	check(t, err)
	old, err := s.Posts.Visible(t.Context(), bson.ObjectID{}, id)
	check(t, err)
	check(t, s.Posts.Create(t.Context(), &models.Post{
		Owner: old.Owner, Kind: models.Photo, Title: "Without", Media: old.Media, Thumbnail: old.Thumbnail, Width: old.Width, Height: old.Height,
	}))
	browser.Go("/@alice")
	before, now := browser.firstView(browser.first("/photos/"), 360, 3), browser.firstView(widePage, 360, 3)
	t.Logf("a phone, without a preview: %d bytes of pictures; with it %d, or %.2f of them", before.Pictures, now.Pictures, float64(now.Pictures)/float64(before.Pictures))
	if strings.Contains(before.Photo, "preview") || now.Pictures > before.Pictures/2 {
		t.Errorf("%s: %d bytes; %s: %d bytes", before.Photo, before.Pictures, now.Photo, now.Pictures)
	}
}

// detailed is a JPEG with detail at every scale, like natural photos: other pictures compress too well, or hardly at
// all.
func detailed(t testing.TB, w, h int) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	sums := make([]float32, w*h)
	weight := float32(48)
	for cell := 512; cell > 0; cell /= 2 {
		columns := w/cell + 2
		grid := make([]float32, columns*(h/cell+2))
		for i := range grid {
			grid[i] = (random.Float32() - 0.5) * weight
		}
		for y := range h {
			down := float32(y%cell) / float32(cell)
			for x := range w {
				right := float32(x%cell) / float32(cell)
				at := y/cell*columns + x/cell
				top := grid[at] + (grid[at+1]-grid[at])*right
				bottom := grid[at+columns] + (grid[at+columns+1]-grid[at+columns])*right
				sums[y*w+x] += top + (bottom-top)*down
			}
		}
		weight *= 0.75
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i, sum := range sums {
		light := uint8(max(0, min(127+2*sum, 255)))
		img.SetRGBA(i%w, i/w, color.RGBA{light, light / 8 * 7, 255 - light/2, 255})
	}
	var b bytes.Buffer
	check(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}))
	return b.Bytes()
}
