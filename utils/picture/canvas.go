// Package picture draws placeholders: initials for users without a profile picture, and a card for a video without a
// thumbnail. The same input always produces the same picture.
//
// Does not belong here: pictures that people upload (utils/media), and where a drawing is stored.
package picture

import (
	"image"
	"image/color"
	"math"
	"slices"

	"golang.org/x/image/vector"
)

// point is a place on the canvas, in pixels from the top left.
type point struct{ x, y float64 }

// canvas is what drawings are made on. All edges are antialiased.
type canvas struct {
	*image.RGBA
	w, h float64
}

func newCanvas(w, h int) canvas {
	return canvas{image.NewRGBA(image.Rect(0, 0, w, h)), float64(w), float64(h)}
}

// paint returns the colour at a point.
type paint func(x, y float64) tint

func plain(t tint) paint { return func(_, _ float64) tint { return t } }

// downward blends through the tints from top to bottom.
func downward(top, bottom float64, tints ...tint) paint {
	return func(_, y float64) tint { return along(tints, (y-top)/(bottom-top)) }
}

// cover paints everything.
func (c canvas) cover(p paint) {
	for y := range c.Rect.Dy() {
		for x := range c.Rect.Dx() {
			c.blend(x, y, p(float64(x), float64(y)), 1)
		}
	}
}

// fill paints the area inside the points.
func (c canvas) fill(points []point, p paint) { c.fillAll([][]point{points}, p) }

// fillAll paints several areas at once, so that no seams are visible where they overlap.
func (c canvas) fillAll(areas [][]point, p paint) {
	box := c.around(slices.Concat(areas...))
	if box.Empty() {
		return
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	left, top := float64(box.Min.X), float64(box.Min.Y)
	for _, points := range areas {
		for i, at := range points {
			x, y := float32(at.x-left), float32(at.y-top)
			if i == 0 {
				r.MoveTo(x, y)
				continue
			}
			r.LineTo(x, y)
		}
		r.ClosePath()
	}
	mask := image.NewAlpha(image.Rect(0, 0, box.Dx(), box.Dy()))
	r.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	for y := range box.Dy() {
		for x := range box.Dx() {
			if a := mask.Pix[y*mask.Stride+x]; a > 0 {
				px, py := box.Min.X+x, box.Min.Y+y
				c.blend(px, py, p(float64(px), float64(py)), float64(a)/255)
			}
		}
	}
}

// around is the part of the canvas that the points enclose.
func (c canvas) around(points []point) image.Rectangle {
	if len(points) == 0 {
		return image.Rectangle{}
	}
	low, high := points[0], points[0]
	for _, p := range points {
		low = point{min(low.x, p.x), min(low.y, p.y)}
		high = point{max(high.x, p.x), max(high.y, p.y)}
	}
	low = point{max(low.x, 0), max(low.y, 0)}
	high = point{min(high.x, c.w), min(high.y, c.h)}
	return image.Rect(int(low.x), int(low.y), int(math.Ceil(high.x)), int(math.Ceil(high.y))).Intersect(c.Rect)
}

// disc paints a circle.
func (c canvas) disc(at point, r float64, p paint) { c.fill(circle(at, r, r), p) }

func circle(at point, rx, ry float64) []point {
	n := 16 + int(max(rx, ry))
	points := make([]point, n)
	for i := range points {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		points[i] = point{at.x + rx*cos, at.y + ry*sin}
	}
	return points
}

// blend mixes the tint into a pixel. A little noise, which is always the same at each point, prevents visible steps in
// long gradients.
func (c canvas) blend(x, y int, t tint, share float64) {
	share *= t.a
	pix := c.Pix[c.PixOffset(x, y):][:4:4]
	noise := grain(x, y)
	mix := func(have uint8, want float64) uint8 {
		return uint8(max(0, min(255, float64(have)*(1-share)+255*want*share+noise)))
	}
	pix[0], pix[1], pix[2] = mix(pix[0], t.r), mix(pix[1], t.g), mix(pix[2], t.b)
	pix[3] = 255
}

// grain is a pseudo-random number between 0 and 1.
func grain(x, y int) float64 {
	n := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77
	n ^= n >> 15
	n *= 0x2c1b3c6d
	return float64(n>>24) / 256
}

// tint is a colour with components between 0 and 1.
type tint struct{ r, g, b, a float64 }

// hex makes a tint from 0xrrggbb.
func hex(v uint32) tint {
	return tint{float64(v>>16&255) / 255, float64(v>>8&255) / 255, float64(v&255) / 255, 1}
}

// hsl makes a tint from a hue in turns, a saturation and a lightness.
func hsl(h, s, l float64) tint {
	part := func(n float64) float64 {
		k := math.Mod(n+12*(h-math.Floor(h)), 12)
		return l - s*min(l, 1-l)*max(-1, min(k-3, 9-k, 1))
	}
	return tint{part(0), part(8), part(4), 1}
}

func (t tint) alpha(a float64) tint { return tint{t.r, t.g, t.b, a} }

func (t tint) mix(u tint, n float64) tint {
	n = max(0, min(1, n))
	return tint{t.r + (u.r-t.r)*n, t.g + (u.g-t.g)*n, t.b + (u.b-t.b)*n, t.a + (u.a-t.a)*n}
}

func (t tint) color() color.RGBA {
	return color.RGBA{uint8(t.r*255 + 0.5), uint8(t.g*255 + 0.5), uint8(t.b*255 + 0.5), 255}
}

// along returns the tint at n, from 0 for the first to 1 for the last.
func along(tints []tint, n float64) tint {
	n = max(0, min(1, n)) * float64(len(tints)-1)
	i := min(int(n), len(tints)-2)
	if i < 0 {
		return tints[0]
	}
	return tints[i].mix(tints[i+1], n-float64(i))
}
