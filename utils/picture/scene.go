package picture

import (
	"image"
	"math"
	"math/rand/v2"
)

// scene is a canvas with the luck that decides where things stand.
type scene struct {
	canvas
	*rand.Rand
}

// Scene draws a landscape: hills at sunset, mountains at night, the sea, a city,
// a desert, a forest or flowing colours. Seeds that follow each other give
// different kinds. It also serves as a banner, at any size from about 100 pixels.
func Scene(seed uint64, w, h int) image.Image {
	s := scene{newCanvas(w, h), rand.New(rand.NewPCG(seed, 0x7075626c6963))}
	kinds := []func(scene){scene.hills, scene.night, scene.sea, scene.city, scene.desert, scene.forest, scene.flow}
	kinds[seed%uint64(len(kinds))](s)
	return s.RGBA
}

// between is a random number.
func (s scene) between(low, high float64) float64 { return low + (high-low)*s.Float64() }

// wave is a line that never repeats within the picture: waves of falling size.
type wave struct {
	size, length, phase []float64
}

// newWave makes a line that goes up and down by about size, in hills that are
// about length long. Each of the further waves is rough times as high.
func (s scene) newWave(size, length, rough float64, count int) wave {
	var w wave
	for range count {
		w.size = append(w.size, size)
		w.length = append(w.length, length*s.between(0.8, 1.25))
		w.phase = append(w.phase, s.between(0, 2*math.Pi))
		size, length = size*rough, length*0.47
	}
	return w
}

func (w wave) at(x float64) float64 {
	y := 0.0
	for i, size := range w.size {
		y += size * math.Sin(2*math.Pi*x/w.length[i]+w.phase[i])
	}
	return y
}

// ground fills everything below the line.
func (s scene) ground(line func(x float64) float64, p paint) {
	points := []point{{s.w, s.h}, {0, s.h}}
	for x := 0.0; x <= s.w; x++ {
		points = append(points, point{x, line(x)})
	}
	s.fill(append(points, point{s.w, line(s.w)}), p)
}

// sun draws a light disc with a wide glow.
func (s scene) sun(at point, r float64, core, light tint) {
	s.glow(at, r*9, light.alpha(0.55))
	s.glow(at, r*3, light.alpha(0.7))
	s.disc(at, r, plain(core))
}

// stars are scattered down to the depth, most of them faint.
func (s scene) stars(count int, depth float64) {
	for range count {
		at := point{s.between(0, s.w), s.between(0, depth)}
		faint := math.Pow(s.Float64(), 3)
		r := s.unit() * (0.7 + 1.5*faint)
		s.disc(at, r, plain(hex(0xffffff).alpha((0.25+0.7*faint)*(1-at.y/depth*0.8))))
		if faint > 0.8 {
			s.glow(at, r*7, hex(0xcfe0ff).alpha(0.35))
		}
	}
}

// cloud is a bank of lumps on a flat base, bright at the top.
func (s scene) cloud(at point, length float64, t tint) {
	const lumps = 9
	high := length * 0.16
	areas := [][]point{pill(point{at.x, at.y - high*0.12}, length*1.15, high*0.24)}
	for i := range lumps {
		n := float64(i+1)/(lumps+1)*2 - 1
		r := high * (1.05 - n*n) * s.between(0.45, 0.8)
		areas = append(areas, dome(point{at.x + n*length/2, at.y - high*0.1}, r*1.5, r))
	}
	s.fillAll(areas, downward(at.y-high, at.y, t, t.alpha(t.a*0.35)))
}

// dome is the upper half of a circle.
func dome(at point, rx, ry float64) []point {
	points := circle(at, rx, ry)
	for i := range points {
		points[i].y = min(points[i].y, at.y)
	}
	return points
}

// pill is a flat bar with round ends.
func pill(at point, wide, tall float64) []point {
	points := circle(at, tall/2, tall/2)
	for i := range points {
		if points[i].x > at.x {
			points[i].x += (wide - tall) / 2
			continue
		}
		points[i].x -= (wide - tall) / 2
	}
	return points
}

// unit is the size of a detail: about a pixel in a picture of 850 lines.
func (s scene) unit() float64 { return math.Sqrt(s.w*s.h) / 1040 }
