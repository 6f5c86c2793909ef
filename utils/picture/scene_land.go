package picture

import "math"

// hills are ridges one behind the other, paler with the distance, before a sun.
func (s scene) hills() {
	type palette struct{ sky, land []tint }
	all := []palette{
		{[]tint{hex(0x35497d), hex(0x9a6a92), hex(0xf0936b), hex(0xffd08a)}, []tint{hex(0xd98a7a), hex(0x8a4f6d), hex(0x2b1d3f)}},
		{[]tint{hex(0x5aa7d8), hex(0x9fd0e6), hex(0xe6f1e4), hex(0xfff3cf)}, []tint{hex(0xa8cbc0), hex(0x5c9a7c), hex(0x1f4a3c)}},
		{[]tint{hex(0x2a3f6b), hex(0x5c6fa3), hex(0xc8a5b8), hex(0xf8dcc4)}, []tint{hex(0xa79cc0), hex(0x5f6496), hex(0x1c2547)}},
	}
	p := all[s.IntN(len(all))]
	horizon := s.h * 0.62
	s.cover(downward(0, horizon, p.sky...))
	s.sun(point{s.w * s.between(0.25, 0.75), horizon * s.between(0.62, 0.8)}, s.h*0.055, hex(0xfff8e4), p.sky[3])
	for range 4 {
		s.cloud(point{s.between(0, s.w), s.between(s.h*0.1, s.h*0.35)}, s.between(0.14, 0.32)*s.h, p.sky[3].alpha(0.45))
	}
	const layers = 6
	for i := range layers {
		n := float64(i) / (layers - 1)
		line := s.newWave(s.h*(0.035+0.02*n), s.h*(0.5+0.5*n), 0.42, 6)
		base := s.h * (0.52 + 0.4*n*n*0.6 + 0.16*n)
		front, mist := along(p.land, n), along(p.land, n).mix(p.sky[3], 0.38*(1-n*0.6))
		s.ground(func(x float64) float64 { return base + line.at(x) }, downward(base-s.h*0.05, base+s.h*0.22, front, mist))
		if i == layers-1 {
			s.meadowTrees(base, line, front.mix(hex(0), 0.25))
		}
	}
}

// meadowTrees stand in small groups on the nearest hill.
func (s scene) meadowTrees(base float64, line wave, t tint) {
	for range 4 {
		group := s.between(0, s.w)
		for range 2 + s.IntN(4) {
			x := group + s.between(-0.07, 0.07)*s.h
			y, r := base+line.at(x)+s.h*0.005, s.h*s.between(0.014, 0.026)
			s.box(x-r*0.12, y-r*1.6, r*0.24, r*1.7, plain(t))
			for range 5 {
				s.disc(point{x + s.between(-0.6, 0.6)*r, y - r*s.between(1.5, 2.5)}, r*s.between(0.5, 0.8), plain(t))
			}
		}
	}
}

// night has stars, perhaps northern lights, and mountains above a lake.
func (s scene) night() {
	shore := s.h * 0.74
	s.cover(downward(0, shore, hex(0x060b1f), hex(0x10214a), hex(0x274a78), hex(0x6f8fb0)))
	s.stars(int(s.w*s.h/5200/(s.unit()*s.unit())), shore*0.85)
	if s.IntN(2) == 0 {
		s.northernLights(shore)
	} else {
		s.sun(point{s.w * s.between(0.2, 0.8), s.h * s.between(0.16, 0.28)}, s.h*0.045, hex(0xfdf8e6), hex(0xbfd3f5).alpha(0.5))
	}
	for i, t := range []tint{hex(0x3d5a85), hex(0x22395f), hex(0x121f3d)} {
		n := float64(i)
		line := s.newWave(s.h*(0.075-0.015*n), s.h*(0.62-0.1*n), 0.5, 7)
		base := s.h * (0.52 + 0.075*n)
		s.ground(func(x float64) float64 { return min(shore, base-math.Abs(line.at(x))*1.5+s.h*0.05) },
			downward(base-s.h*0.15, shore, t, t.mix(hex(0x6f8fb0), 0.25)))
	}
	s.mirror(shore, hex(0x0d1a38))
	s.pines(s.h*0.97, s.h*0.2, hex(0x050a18))
}

// northernLights hang down as curtains from a curved line.
func (s scene) northernLights(depth float64) {
	for i, t := range []tint{hex(0x3dffa8), hex(0x57e0ff), hex(0xa86bff)} {
		line := s.newWave(s.h*0.06, s.w*0.6, 0.45, 4)
		folds := s.newWave(0.5, s.w*0.05, 0.7, 3)
		base := depth * (0.5 - 0.1*float64(i))
		s.cover(func(x, y float64) tint {
			up := (base + line.at(x) - y) / (depth * 0.42)
			if up < -0.06 || up > 1 {
				return tint{}
			}
			rise := min(1, (up+0.06)/0.12)
			return t.alpha(0.42 * rise * math.Pow(1-max(0, up), 1.6) * (0.6 + 0.3*folds.at(x)))
		})
	}
}

// mirror repeats what is above the shore in the water below it, darker and in
// small waves.
func (s scene) mirror(shore float64, water tint) {
	ripples := s.newWave(1, s.h*0.016, 0.7, 3)
	for y := int(shore); y < s.Rect.Dy(); y++ {
		deep := (float64(y) - shore) / (s.h - shore)
		sway := ripples.at(float64(y)*(1.6-deep)) * s.unit() * (1 + 6*deep)
		from := max(0, min(int(shore)-1, int(shore-(float64(y)-shore)*1.3+sway)))
		for x := range s.Rect.Dx() {
			at := min(s.Rect.Dx()-1, max(0, x+int(sway*2)))
			c := s.RGBAAt(at, from)
			seen := tint{float64(c.R) / 255, float64(c.G) / 255, float64(c.B) / 255, 1}
			s.blend(x, y, seen.mix(water, 0.35+0.4*deep), 1)
		}
	}
}

// pines stand along the lower edge.
func (s scene) pines(base, height float64, t tint) {
	rise := s.newWave(0.3, s.w*0.8, 0.5, 3)
	for x := -height * 0.2; x < s.w+height*0.2; x += height * s.between(0.07, 0.16) {
		tall := height * (0.62 + rise.at(x)) * s.between(0.65, 1.15)
		s.pine(point{x, base}, tall, t)
	}
	s.box(0, base-height*0.11, s.w, s.h, plain(t))
}

// pine is a tree of overlapping tiers.
func (s scene) pine(foot point, tall float64, t tint) {
	const tiers = 6
	s.box(foot.x-tall*0.015, foot.y-tall*0.2, tall*0.03, tall*0.25, plain(t))
	for i := range tiers {
		n := float64(i) / tiers
		top := foot.y - tall + tall*0.8*n
		low, half := top+tall*(0.2+0.06*n), tall*(0.045+0.17*n)
		s.fill([]point{{foot.x, top - tall*0.02}, {foot.x + half, low}, {foot.x + half*0.4, low - tall*0.03},
			{foot.x, low}, {foot.x - half*0.4, low - tall*0.03}, {foot.x - half, low}}, plain(t))
	}
}

// desert is dunes, each with a bright and a shaded side, under a large sun.
func (s scene) desert() {
	skies := [][]tint{
		{hex(0xf2a65a), hex(0xf9c784), hex(0xfde7bd)},
		{hex(0x4e6fa8), hex(0xb59fb8), hex(0xfbd3a8)},
		{hex(0x3f88b5), hex(0x9ec9d8), hex(0xf9ebd0)},
	}
	sky := skies[s.IntN(len(skies))]
	s.cover(downward(0, s.h*0.6, sky...))
	s.sun(point{s.w * s.between(0.2, 0.8), s.h * s.between(0.22, 0.36)}, s.h*0.08, hex(0xfffaeb), hex(0xffe9b8))
	lit := []tint{hex(0xf2c894), hex(0xe6a665), hex(0xd88a48), hex(0xc4713a)}
	for i, t := range lit {
		n := float64(i)
		line := s.newWave(s.h*(0.03+0.014*n), s.w*(0.45+0.12*n), 0.33, 3)
		base := s.h * (0.55 + 0.125*n)
		crest := func(x float64) float64 { return base - line.at(x) }
		shade := t.mix(hex(0x5b2a2e), 0.42)
		bend := s.newWave(s.w*0.02, s.h*0.3, 0.5, 2)
		s.ground(crest, func(x, y float64) tint {
			slope := crest(x+bend.at(y)+s.w*0.012+(y-base)*0.35) - crest(x+bend.at(y)-s.w*0.012+(y-base)*0.35)
			return t.mix(shade, 0.5+slope/(s.h*0.022)).mix(t, (y-base)/(s.h*0.55))
		})
	}
}

// forest is rows of pines that fade into the mist.
func (s scene) forest() {
	tones := [][2]tint{{hex(0xdfeae6), hex(0x123a33)}, {hex(0xf3e3d3), hex(0x3a2430)}, {hex(0xd8e4f0), hex(0x14263f)}}
	tone := tones[s.IntN(len(tones))]
	s.cover(downward(0, s.h, tone[0].mix(tone[1], 0.28), tone[0], tone[0]))
	s.sun(point{s.w * s.between(0.25, 0.75), s.h * 0.26}, s.h*0.06, hex(0xffffff), tone[0].mix(hex(0xffffff), 0.7))
	const rows = 6
	for i := range rows {
		n := float64(i+1) / rows
		t := tone[0].mix(tone[1], 0.12+0.88*n*n)
		s.pines(s.h*(0.5+0.48*n), s.h*(0.12+0.3*n), t)
		if i < rows-1 {
			low := s.h * (0.5 + 0.48*n)
			s.cover(downward(low-s.h*0.12, low+s.h*0.02, tone[0].alpha(0), tone[0].alpha(0.5)))
		}
	}
}
