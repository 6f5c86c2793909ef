package picture

import (
	"image"
	"math/rand/v2"
)

// Poster draws a card with a play symbol and the title, 640 by 360, for a video without a thumbnail. A title that the
// font can't render is left out.
func Poster(title string) image.Image {
	c := newCanvas(640, 360)
	hue := part(title, 0)
	from, to := hsl(hue, 0.62, 0.46), hsl(hue+0.13, 0.66, 0.22)
	c.cover(func(x, y float64) tint { return from.mix(to, (x/c.w+y/c.h*1.4)/2.2) })

	r := rand.New(rand.NewPCG(hash(title), 1))
	for range 7 {
		at := point{r.Float64() * c.w, r.Float64() * c.h}
		c.disc(at, 40+r.Float64()*110, plain(hsl(hue+0.06, 0.7, 0.75).alpha(0.05+0.06*r.Float64())))
	}
	c.cover(downward(c.h*0.45, c.h, hex(0).alpha(0), hex(0).alpha(0.5)))

	middle := point{c.w / 2, c.h * 0.42}
	c.disc(middle, 58, plain(hex(0xffffff).alpha(0.22)))
	c.disc(middle, 50, plain(hex(0xffffff).alpha(0.95)))
	c.fill([]point{{middle.x - 15, middle.y - 25}, {middle.x - 15, middle.y + 25}, {middle.x + 27, middle.y}}, plain(to))

	if l, err := newLettering(30); err == nil && l.knows(title) {
		lines := l.wrap(title, c.w-72, 2)
		for i, line := range lines {
			l.write(c, point{36, c.h - 34 - 38*float64(len(lines)-1-i)}, line, hex(0xffffff))
		}
	}
	return c.RGBA
}
