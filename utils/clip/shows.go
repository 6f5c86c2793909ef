package clip

import (
	"image/color"
	"math"
	"math/rand/v2"
)

var (
	white  = color.RGBA{255, 255, 255, 255}
	ink    = color.RGBA{38, 34, 56, 255}
	bright = [...]color.RGBA{{232, 75, 68, 255}, {245, 158, 48, 255}, {42, 157, 143, 255}, {66, 105, 208, 255}, {150, 82, 180, 255}}
)

// Kinds of picture.Scene, by the rest of the seed.
const (
	hills = iota
	night
	_
	_
	desert
	_
	flow
	scenes
)

func landscape(r *rand.Rand, kind uint64) uint64 { return kind + scenes*r.Uint64N(1000) }

// balloon drifts over the hills and bobs.
func balloon(r *rand.Rand) show {
	c := bright[r.IntN(len(bright))]
	stripe := color.RGBA{255, 244, 222, 255}
	start, dir := 0.2+0.2*r.Float64(), 0.35
	if r.IntN(2) == 0 {
		start, dir = 1-start, -dir
	}
	return show{scene: landscape(r, hills), move: func(s *stage, share, second float64) {
		x := s.width() * (start + dir*share)
		y := 34 - 8*share + 2.5*math.Sin(second*1.7)
		skin := func(px, py float64) color.RGBA {
			across := (px - x) / math.Sqrt(max(40, 150-(py-y)*(py-y)))
			here := c
			if int(math.Floor(across*3.5+100.5))%2 == 0 {
				here = stripe
			}
			return lit(x, y, 13, here)(px, py)
		}
		for _, side := range []float64{-1, 1} {
			s.draw(x, y+17, 8, bar(x+side*8, y+8, x+side*1.8, y+20, 0.35), plain(ink))
		}
		s.draw(x, y+4, 16, both(disc(x, y+2, 15), bar(x, y, x, y+10, 13)), skin)
		s.draw(x, y, 13, disc(x, y, 12), skin)
		s.draw(x, y+21, 4, bar(x-1.2, y+21, x+1.2, y+21, 3), plain(color.RGBA{120, 78, 48, 255}))
	}}
}

// ball bounces from side to side.
func ball(r *rand.Rand) show {
	c := bright[r.IntN(len(bright))]
	const radius, floor = 8.0, 88.0
	return show{scene: landscape(r, desert), move: func(s *stage, share, second float64) {
		// There and back once, so that the video can repeat.
		way := 1 - math.Abs(2*share-1)
		x := 16 + (s.width()-32)*way
		bounce := math.Mod(second, 1)
		height := 4 * bounce * (1 - bounce)
		y := floor - radius - 42*height
		s.draw(x, floor, 12, func(px, py float64) float64 {
			return math.Hypot(px-x, (py-floor)*4) - (9 - 3*height)
		}, plain(color.RGBA{40, 15, 20, uint8(130 - 80*height)}))
		s.draw(x, y, radius, disc(x, y, radius), lit(x, y, radius, c))
	}}
}

// planets go round a star.
func planets(r *rand.Rand) show {
	type planet struct {
		far, size, speed, from float64
		color.RGBA
	}
	var list []planet
	first := r.IntN(len(bright))
	for i := range 3 {
		n := float64(i)
		list = append(list, planet{20 + 15*n, 2.6 + 0.9*n, 2.1 - 0.55*n, r.Float64() * 2 * math.Pi, bright[(first+i)%len(bright)]})
	}
	const y = 46
	return show{
		scene: landscape(r, flow),
		set: func(s *stage) {
			x := s.width() / 2
			for _, p := range list {
				s.draw(x, y, p.far*1.7, func(px, py float64) float64 {
					return math.Abs(math.Hypot((px-x)/1.6, (py-y)/0.8)-p.far*0.97) - 0.15
				}, plain(color.RGBA{255, 255, 255, 70}))
			}
			s.draw(x, y, 14, disc(x, y, 13), plain(color.RGBA{255, 236, 180, 60}))
			s.draw(x, y, 9, disc(x, y, 9), lit(x, y, 9, color.RGBA{255, 205, 92, 255}))
		},
		move: func(s *stage, _, second float64) {
			for _, p := range list {
				sin, cos := math.Sincos(p.from + p.speed*second)
				px, py := s.width()/2+p.far*0.97*1.6*cos, y+p.far*0.97*0.8*sin
				s.draw(px, py, p.size, disc(px, py, p.size), lit(px, py, p.size, p.RGBA))
			}
		},
	}
}

// clock shows a hand that goes round once in eight seconds.
func clock(r *rand.Rand) show {
	c := bright[r.IntN(len(bright))]
	hour, minute := r.Float64()*2*math.Pi, r.Float64()*2*math.Pi
	const y, radius = 50.0, 36.0
	hand := func(s *stage, angle, length, thick float64, c color.RGBA) {
		x := s.width() / 2
		sin, cos := math.Sincos(angle)
		s.draw(x, y, length+thick, bar(x-sin*3, y+cos*3, x+sin*length, y-cos*length, thick), plain(c))
	}
	return show{
		scene: landscape(r, night),
		set: func(s *stage) {
			x := s.width() / 2
			s.draw(x, y+1.5, radius+5, disc(x, y+1.5, radius+3.5), plain(color.RGBA{0, 0, 0, 90}))
			s.draw(x, y, radius+4, disc(x, y, radius+3), plain(c))
			s.draw(x, y, radius+1, disc(x, y, radius), plain(color.RGBA{250, 248, 240, 255}))
			for i := range 60 {
				sin, cos := math.Sincos(float64(i) * math.Pi / 30)
				long, thick := 1.5, 0.5
				if i%5 == 0 {
					long, thick = 4, 1.2
				}
				from, to := radius-2, radius-2-long
				s.draw(x, y, radius, bar(x+sin*from, y-cos*from, x+sin*to, y-cos*to, thick), plain(ink))
			}
			hand(s, hour, 18, 2.4, ink)
			hand(s, minute, 26, 1.7, ink)
		},
		move: func(s *stage, _, second float64) {
			hand(s, second*math.Pi/4, 29, 0.9, c)
			x := s.width() / 2
			s.draw(x, y, 2.2, disc(x, y, 2), plain(c))
			s.draw(x, y, 1, disc(x, y, 0.8), plain(white))
		},
	}
}
