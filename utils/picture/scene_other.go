package picture

import "math"

// sea is a low sun and its broken light on the waves.
func (s scene) sea() {
	type palette struct{ sky, water []tint }
	all := []palette{
		{[]tint{hex(0x2f3d75), hex(0x8c5a92), hex(0xf07f64), hex(0xffc873)}, []tint{hex(0xd9796a), hex(0x5f3f7a), hex(0x1c1c47)}},
		{[]tint{hex(0x3c8fd0), hex(0x86c5ea), hex(0xd4edf3), hex(0xfdf6df)}, []tint{hex(0x7fc4d6), hex(0x2f86ac), hex(0x0d3f68)}},
		{[]tint{hex(0x1d2b53), hex(0x3f6187), hex(0xa3a9a8), hex(0xf6d5a0)}, []tint{hex(0x8b9aa5), hex(0x365d7c), hex(0x0e223f)}},
	}
	p := all[s.IntN(len(all))]
	horizon := s.h * s.between(0.5, 0.58)
	s.cover(downward(0, horizon, p.sky...))
	at := point{s.w * s.between(0.3, 0.7), horizon - s.h*s.between(0.0, 0.12)}
	s.sun(at, s.h*0.075, hex(0xfff6dc), p.sky[3])
	for range 6 {
		s.cloud(point{s.between(0, s.w), s.between(0.1, 0.38) * s.h}, s.between(0.18, 0.45)*s.h, p.sky[3].alpha(0.5))
	}
	s.box(0, horizon, s.w, s.h-horizon, downward(horizon, s.h, p.water...))
	s.ripples(horizon, at.x, p.sky[3], p.water[2])
	s.boat(point{s.w * s.between(0.15, 0.85), horizon + s.h*0.035}, s.h*0.07, p.water[2].mix(hex(0), 0.3))
	s.shore(p.water[2].mix(hex(0), 0.35))
}

// ripples are short flat strokes, longer toward the viewer and brightest below
// the sun.
func (s scene) ripples(horizon, sun float64, light, dark tint) {
	for range 1500 {
		n := math.Pow(s.Float64(), 1.5)
		y := horizon + n*(s.h-horizon)
		long, thick := s.h*(0.006+0.06*n)*s.between(0.4, 1.4), s.unit()*(0.6+3*n)
		x := s.between(0, s.w)
		t := dark.alpha(0.16)
		switch s.IntN(3) {
		case 0:
			x = sun + s.NormFloat64()*s.h*(0.045+0.11*n)
			t = light.mix(hex(0xffffff), 0.35).alpha(0.6 - 0.3*n)
		case 1:
			t = light.alpha(0.1)
		}
		s.fill(circle(point{x, y}, long, thick), plain(t))
	}
}

// boat is a hull with two sails.
func (s scene) boat(at point, tall float64, t tint) {
	x, y := at.x, at.y
	s.fill([]point{{x - tall*0.42, y - tall*0.12}, {x + tall*0.45, y - tall*0.12}, {x + tall*0.28, y}, {x - tall*0.3, y}}, plain(t))
	s.fill([]point{{x - tall*0.02, y - tall}, {x - tall*0.02, y - tall*0.17}, {x - tall*0.38, y - tall*0.17}}, plain(t))
	s.fill([]point{{x + tall*0.03, y - tall*0.9}, {x + tall*0.03, y - tall*0.17}, {x + tall*0.36, y - tall*0.17}}, plain(t))
	s.fill(circle(point{x, y + tall*0.1}, tall*0.4, tall*0.05), plain(t.alpha(0.35)))
}

// shore is dark land in one corner with grass on it.
func (s scene) shore(t tint) {
	line, side := s.newWave(s.h*0.012, s.h*0.3, 0.5, 4), s.IntN(2) == 0
	height := func(x float64) float64 {
		n := x / s.w
		if side {
			n = 1 - n
		}
		return s.h*(0.86+0.36*n) + line.at(x)
	}
	s.ground(height, plain(t))
	for range 420 {
		x := s.between(0, s.w)
		y := height(x) + s.h*0.01
		lean, tall := s.between(-0.012, 0.02)*s.h, s.between(0.015, 0.05)*s.h
		s.fill([]point{{x - s.unit(), y}, {x + lean, y - tall}, {x + s.unit(), y}}, plain(t))
	}
}

// city is rows of houses at dusk, with light in some windows.
func (s scene) city() {
	skies := [][]tint{
		{hex(0x141a3c), hex(0x3b3270), hex(0x9a4f80), hex(0xf0906a)},
		{hex(0x0c1b33), hex(0x1d4468), hex(0x4f87a0), hex(0xf2c890)},
		{hex(0x24123f), hex(0x5a2a6e), hex(0xc0517f), hex(0xffa27a)},
	}
	sky := skies[s.IntN(len(skies))]
	s.cover(downward(0, s.h*0.85, sky...))
	s.stars(int(160*s.w/s.h), s.h*0.4)
	s.sun(point{s.w * s.between(0.15, 0.85), s.h * 0.22}, s.h*0.04, hex(0xfff5dc), sky[3].alpha(0.4))
	shore := s.h * 0.86
	for i := range 4 {
		n := float64(i) / 3
		t := sky[3].mix(sky[0].mix(hex(0), 0.45), 0.32+0.68*n)
		s.houses(shore, s.h*(0.2+0.1*n), t, n)
		s.cover(downward(shore-s.h*0.3, shore, sky[3].alpha(0), sky[3].alpha(0.16*(1-n))))
	}
	s.mirror(shore, sky[0])
}

func (s scene) houses(base, height float64, t tint, near float64) {
	for x := -s.h * 0.05; x < s.w; {
		wide := s.h * s.between(0.05, 0.1) * (0.7 + 0.5*near)
		tall := height * s.between(0.45, 1.15)
		if s.IntN(7) == 0 {
			tall *= 1.6
		}
		s.box(x, base-tall, wide, tall, downward(base-tall, base, t, t.mix(hex(0), 0.12)))
		s.roof(point{x + wide/2, base - tall}, wide, t)
		if near > 0.3 {
			s.windows(x, base-tall, wide, tall, near)
		}
		x += wide * s.between(0.85, 1.25)
	}
}

func (s scene) roof(at point, wide float64, t tint) {
	switch s.IntN(4) {
	case 0: // a mast
		s.box(at.x-s.unit(), at.y-wide*0.7, s.unit()*2, wide*0.8, plain(t))
	case 1: // a smaller block
		s.box(at.x-wide*0.28, at.y-wide*0.22, wide*0.56, wide*0.3, plain(t))
	case 2: // a pitched roof
		s.fill([]point{{at.x - wide/2, at.y + 1}, {at.x, at.y - wide*0.35}, {at.x + wide/2, at.y + 1}}, plain(t))
	}
}

func (s scene) windows(x, y, wide, tall, near float64) {
	size := s.h * (0.006 + 0.004*near)
	columns := int((wide - size) / (size * 2.2))
	if columns < 1 {
		return
	}
	gap := wide / float64(columns)
	for row := y + size*1.5; row < y+tall-size*1.5; row += size * 2.6 {
		for i := range columns {
			if s.Float64() < 0.58 {
				continue
			}
			t := hex(0xffd98a).mix(hex(0xffb35c), s.Float64()).alpha(s.between(0.35, 0.95) * (0.4 + 0.6*near))
			s.box(x+gap*(float64(i)+0.5)-size/2, row, size, size*1.35, plain(t))
		}
	}
}

// flow is bands of related colours that overlap as cloth does.
func (s scene) flow() {
	hue, turn := s.between(0.48, 0.92), s.between(0.12, 0.24)
	s.cover(func(x, y float64) tint {
		return hsl(hue, 0.6, 0.16).mix(hsl(hue+turn*0.3, 0.7, 0.32), (x/s.w+y/s.h)/2)
	})
	s.glow(point{s.w * s.between(0.2, 0.8), s.h * 0.2}, s.h*0.9, hsl(hue+turn*0.5, 0.9, 0.6).alpha(0.5))
	const bands = 9
	for i := range bands {
		n := float64(i) / (bands - 1)
		line := s.newWave(s.h*0.1, s.w*s.between(0.7, 1.3), 0.4, 3)
		base := s.h * (0.22 + 0.72*n)
		edge := func(x float64) float64 { return base + line.at(x) - (x/s.w-0.5)*s.h*0.3 }
		bright, deep := hsl(hue+turn*n, 0.85, 0.64), hsl(hue+turn*n+0.04, 0.75, 0.24)
		// A soft shadow above the edge lifts the band off the one behind.
		for k := 1; k <= 6; k++ {
			s.ground(func(x float64) float64 { return edge(x) - float64(k)*s.h*0.006 }, plain(hex(0).alpha(0.035)))
		}
		s.ground(edge, func(x, y float64) tint { return bright.mix(deep, math.Sqrt(max(0, y-edge(x))/(s.h*0.3))) })
	}
}
