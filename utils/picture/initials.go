package picture

import (
	"hash/fnv"
	"image"
	"math"
	"strings"
	"unicode"
)

const avatarSide = 320

// Initials draws the initials of a name, 320 by 320, in white on a colour derived from the name. A name in letters that
// the font lacks gets a drawing of a person.
func Initials(name string) image.Image {
	c := newCanvas(avatarSide, avatarSide)
	ground := readable(hsl(part(name, 0), 0.45+0.25*part(name, 1), 0.45))
	c.cover(downward(0, c.h, ground, readable(ground).mix(hex(0), 0.18)))
	letters := initialsOf(name)
	l, err := newLettering(150)
	if err != nil || letters == "" || !l.knows(letters) {
		c.person(hex(0xffffff))
		return c.RGBA
	}
	l.center(c, point{c.w / 2, c.h / 2}, letters, hex(0xffffff))
	return c.RGBA
}

// initialsOf returns the first letter or digit of the first and the last word.
func initialsOf(name string) string {
	var found []rune
	for _, word := range strings.FieldsFunc(name, isBetweenWords) {
		for _, r := range word {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				found = append(found, unicode.ToUpper(r))
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return ""
	case 1:
		return string(found)
	}
	return string([]rune{found[0], found[len(found)-1]})
}

func isBetweenWords(r rune) bool {
	return unicode.IsSpace(r) || r == '_' || r == '.' || r == '-'
}

// person draws a head and shoulders.
func (c canvas) person(t tint) {
	c.disc(point{c.w / 2, c.h * 0.38}, c.w*0.17, plain(t))
	shoulders := circle(point{c.w / 2, c.h * 0.98}, c.w*0.33, c.h*0.36)
	c.fill(shoulders, plain(t))
}

// readable darkens a tint until white text on it has a contrast of 4.5:1 (WCAG 2.2 §1.4.3).
func readable(t tint) tint {
	for 1.05/(luminance(t)+0.05) < 4.6 {
		t = t.mix(hex(0), 0.04)
	}
	return t
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t tint) float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(t.r) + 0.7152*linear(t.g) + 0.0722*linear(t.b)
}

// hash is a hash of a text.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	n := h.Sum64()
	n ^= n >> 31 // the last letter must change the high bits too
	n *= 0x9e3779b97f4a7c15
	return n ^ n>>29
}

// part is the i-th of four numbers from 0 to 1 that are derived from a text.
func part(text string, i uint) float64 {
	return float64(hash(text)>>(16*i)&0xffff) / 0x10000
}
