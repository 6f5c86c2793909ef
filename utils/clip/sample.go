package clip

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"tokentube/utils/picture"
)

const (
	sampleWidth  = 480
	sampleHeight = 270
	sampleRate   = 15
)

// Sample makes a video of 4 to 7 seconds, 480 by 270, and its poster, 640 by
// 360. The same seed always gives the same; seeds that follow each other give
// different kinds: a balloon, a bouncing ball, planets, a clock.
func Sample(seed uint64) (video []byte, poster image.Image, err error) {
	r := rand.New(rand.NewPCG(seed, 0x636c6970))
	seconds := 4 + r.IntN(4)
	kinds := []func(*rand.Rand) show{balloon, ball, planets, clock}
	play := kinds[seed%uint64(len(kinds))](r)

	stage := newStage(play, sampleWidth, sampleHeight)
	n := seconds * sampleRate
	var b bytes.Buffer
	err = Encode(&b, n, sampleRate, func(i int) image.Image {
		return stage.at(float64(i)/float64(n), float64(i)/sampleRate)
	})
	if err != nil {
		return nil, nil, err
	}
	return b.Bytes(), newStage(play, 640, 360).at(0.4, 0.4*float64(seconds)), nil
}

// show is what moves before a landscape. Its numbers are in hundredths of the
// picture's height.
type show struct {
	scene uint64                                // the landscape's seed
	set   func(s *stage)                        // what stands still, or nil
	move  func(s *stage, share, second float64) // what moves
}

// stage draws a show at a size.
type stage struct {
	show
	back, front *image.RGBA
	unit        float64
}

func newStage(play show, w, h int) *stage {
	back := picture.Scene(play.scene, w, h).(*image.RGBA)
	s := &stage{show: play, back: back, front: back, unit: float64(h) / 100}
	if play.set != nil {
		play.set(s)
	}
	s.front = image.NewRGBA(back.Rect)
	return s
}

// at draws the picture of a moment, given as a share of the whole and in seconds.
func (s *stage) at(share, second float64) image.Image {
	copy(s.front.Pix, s.back.Pix)
	s.move(s, share, second)
	return s.front
}

func (s *stage) width() float64 { return float64(s.back.Rect.Dx()) / s.unit }

// area tells how far a point is outside of it; inside is less than zero.
type area func(x, y float64) float64

func disc(cx, cy, r float64) area {
	return func(x, y float64) float64 { return math.Hypot(x-cx, y-cy) - r }
}

// bar is a line with round ends.
func bar(x1, y1, x2, y2, thick float64) area {
	dx, dy := x2-x1, y2-y1
	return func(x, y float64) float64 {
		n := 0.0
		if length := dx*dx + dy*dy; length > 0 {
			n = max(0, min(1, ((x-x1)*dx+(y-y1)*dy)/length))
		}
		return math.Hypot(x-x1-n*dx, y-y1-n*dy) - thick/2
	}
}

// both is where two areas overlap.
func both(a, b area) area {
	return func(x, y float64) float64 { return max(a(x, y), b(x, y)) }
}

// draw paints an area within the distance reach of a point, with smooth edges.
func (s *stage) draw(cx, cy, reach float64, a area, paint func(x, y float64) color.RGBA) {
	box := image.Rect(int((cx-reach)*s.unit)-1, int((cy-reach)*s.unit)-1, int((cx+reach)*s.unit)+2, int((cy+reach)*s.unit)+2)
	box = box.Intersect(s.front.Rect)
	for py := box.Min.Y; py < box.Max.Y; py++ {
		for px := box.Min.X; px < box.Max.X; px++ {
			x, y := (float64(px)+0.5)/s.unit, (float64(py)+0.5)/s.unit
			share := max(0, min(1, 0.5-a(x, y)*s.unit))
			if share == 0 {
				continue
			}
			c := paint(x, y)
			share *= float64(c.A) / 255
			pix := s.front.Pix[s.front.PixOffset(px, py):][:4:4]
			for i, v := range [3]uint8{c.R, c.G, c.B} {
				pix[i] = uint8(float64(pix[i])*(1-share) + float64(v)*share + 0.5)
			}
		}
	}
}

func plain(c color.RGBA) func(x, y float64) color.RGBA {
	return func(_, _ float64) color.RGBA { return c }
}

// lit shades a ball that is lit from the top left.
func lit(cx, cy, r float64, c color.RGBA) func(x, y float64) color.RGBA {
	return func(x, y float64) color.RGBA {
		n := max(0, 1-math.Hypot(x-cx+r*0.35, y-cy+r*0.4)/(r*1.6))
		shade := func(v uint8) uint8 { return uint8(min(255, float64(v)*(0.5+0.65*n)+90*n*n*n)) }
		return color.RGBA{shade(c.R), shade(c.G), shade(c.B), 255}
	}
}
