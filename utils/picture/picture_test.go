package picture

import (
	"bytes"
	"image"
	"math"
	"testing"
)

func pixels(t *testing.T, img image.Image, w, h int) []byte {
	t.Helper()
	got, ok := img.(*image.RGBA)
	if !ok || got.Rect != image.Rect(0, 0, w, h) {
		t.Fatalf("picture is %T of %v", img, img.Bounds())
	}
	if !got.Opaque() {
		t.Error("something shows through")
	}
	return got.Pix
}

func TestInitialsOf(t *testing.T) {
	cases := []struct{ name, want string }{
		{"Ada Lovelace", "AL"}, {"ada", "A"}, {"one two three", "OT"}, {"under_score", "US"}, {"a.b-c", "AC"},
		{"  ", ""}, {"", ""}, {"***", ""}, {"(x) [y]", "XY"}, {"éric ñu", "ÉÑ"}, {"жанна", "Ж"}, {"山田 太郎", "山太"}, {"007 agent", "0A"},
	}
	for _, c := range cases {
		if got := initialsOf(c.name); got != c.want {
			t.Errorf("initials of %q are %q, want %q", c.name, got, c.want)
		}
	}
}

func TestInitials(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"Ada Lovelace", "ada", "bob", "жанна", "山田", "", "\xff\xfe", "😀"} {
		pix := pixels(t, Initials(name), 320, 320)
		if !bytes.Equal(pix, pixels(t, Initials(name), 320, 320)) {
			t.Errorf("%q is not always the same", name)
		}
		if other, ok := seen[string(pix)]; ok {
			t.Errorf("%q looks like %q", name, other)
		}
		seen[string(pix)] = name
		white := 0
		for i := 0; i < len(pix); i += 4 {
			if pix[i] > 250 && pix[i+1] > 250 && pix[i+2] > 250 {
				white++
			}
		}
		if white < 2000 {
			t.Errorf("%q has %d white points: nothing is written", name, white)
		}
	}
}

func TestReadable(t *testing.T) {
	for i := range 360 {
		for _, saturation := range []float64{0.45, 0.7, 1} {
			ground := readable(hsl(float64(i)/360, saturation, 0.45))
			if contrast := 1.05 / (luminance(ground) + 0.05); contrast < 4.5 {
				t.Errorf("hue %d has a contrast of %.2f", i, contrast)
			}
		}
	}
	if l := luminance(hex(0xffffff)); math.Abs(l-1) > 1e-9 {
		t.Errorf("white has a luminance of %f", l)
	}
}

func TestPoster(t *testing.T) {
	for _, title := range []string{"A walk", "", "日本", "word " + string(bytes.Repeat([]byte("long"), 50)), "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k"} {
		if !bytes.Equal(pixels(t, Poster(title), 640, 360), pixels(t, Poster(title), 640, 360)) {
			t.Errorf("%q is not always the same", title)
		}
	}
}

func TestWrap(t *testing.T) {
	l, err := newLettering(30)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "one", "one two three four five six seven eight", "unbreakableunbreakableunbreakable", "a unbreakableunbreakableunbreakable b"} {
		lines := l.wrap(text, 200, 2)
		if len(lines) > 2 {
			t.Errorf("%q has %d lines", text, len(lines))
		}
		for _, line := range lines {
			if l.width(line) > 200 {
				t.Errorf("%q is too wide", line)
			}
		}
	}
}

func TestTints(t *testing.T) {
	if got, want := hsl(1.0/3, 1, 0.5), (tint{0, 1, 0, 1}); got != want {
		t.Errorf("green is %v", got)
	}
	list := []tint{hex(0), hex(0xffffff)}
	for n, want := range map[float64]float64{-1: 0, 0: 0, 0.5: 0.5, 1: 1, 2: 1} {
		if got := along(list, n).r; got != want {
			t.Errorf("at %v there is %v", n, got)
		}
	}
	if got := along(list[:1], 0.5); got != list[0] {
		t.Errorf("one tint gives %v", got)
	}
}
