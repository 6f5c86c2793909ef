package picture

import (
	"image"
	"math"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// lettering writes in Go Bold, which has Latin, Greek and Cyrillic letters.
type lettering struct {
	face font.Face
}

func newLettering(size float64) (lettering, error) {
	parsed, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return lettering{}, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72})
	return lettering{face}, err
}

// knows reports whether the font has every letter of the text.
func (l lettering) knows(text string) bool {
	for _, r := range text {
		if _, ok := l.face.GlyphAdvance(r); !ok {
			return false
		}
	}
	return true
}

func (l lettering) width(text string) float64 {
	return float64(font.MeasureString(l.face, text)) / 64
}

// write draws the text with its left end on the baseline.
func (l lettering) write(c canvas, at point, text string, t tint) {
	d := font.Drawer{Dst: c.RGBA, Src: image.NewUniform(t.color()), Face: l.face, Dot: toFixed(at)}
	d.DrawString(text)
}

// center centres the visible shape of the text on a point.
func (l lettering) center(c canvas, at point, text string, t tint) {
	b, _ := font.BoundString(l.face, text)
	middle := point{float64(b.Min.X+b.Max.X) / 128, float64(b.Min.Y+b.Max.Y) / 128}
	l.write(c, point{at.x - middle.x, at.y - middle.y}, text, t)
}

func toFixed(p point) fixed.Point26_6 {
	return fixed.Point26_6{X: fixed.Int26_6(math.Round(p.x * 64)), Y: fixed.Int26_6(math.Round(p.y * 64))}
}

// wrap breaks the text into at most n lines of the given width. Text that doesn't fit ends in an ellipsis.
func (l lettering) wrap(text string, width float64, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		longer := strings.TrimSpace(line + " " + word)
		if line == "" || l.width(longer) <= width {
			line = longer
			continue
		}
		lines, line = append(lines, line), word
		if len(lines) == n {
			lines[n-1] += " …"
			line = ""
			break
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = l.cut(lines[i], width)
	}
	return lines
}

// cut shortens a line that is too wide.
func (l lettering) cut(line string, width float64) string {
	if l.width(line) <= width {
		return line
	}
	letters := []rune(strings.TrimSuffix(line, " …"))
	for len(letters) > 1 && l.width(string(letters)+"…") > width {
		letters = letters[:len(letters)-1]
	}
	return strings.TrimSpace(string(letters)) + "…"
}
