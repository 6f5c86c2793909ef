package media

import (
	"image"

	"golang.org/x/image/draw"
)

// fit scales the picture down to at most w by h, keeping its proportions. It never enlarges it.
func fit(src picture, w, h int) *image.RGBA {
	if src.turn.sideways() {
		w, h = h, w
	}
	b := src.Bounds()
	tw, th := b.Dx(), b.Dy()
	if tw > w {
		tw, th = w, max(1, th*w/tw)
	}
	if th > h {
		tw, th = max(1, tw*h/th), h
	}
	return src.turn.apply(scale(src.Image, b, tw, th))
}

// cover fills exactly w by h with the middle of the picture.
func cover(src picture, w, h int) *image.RGBA {
	if src.turn.sideways() {
		w, h = h, w
	}
	return src.turn.apply(scale(src.Image, middle(src.Bounds(), w, h), w, h))
}

// middle is the largest centred part of r with the proportions of w to h.
func middle(r image.Rectangle, w, h int) image.Rectangle {
	cw, ch := r.Dx(), max(1, r.Dx()*h/w)
	if ch > r.Dy() {
		cw, ch = max(1, r.Dy()*w/h), r.Dy()
	}
	at := r.Min.Add(image.Pt((r.Dx()-cw)/2, (r.Dy()-ch)/2))
	return image.Rectangle{at, at.Add(image.Pt(cw, ch))}
}

// scale draws the given part of src at w by h. To shrink, it averages the area under each new pixel, row by row: the
// usual kernel scalers need 32 bytes of memory for each pixel, a gigabyte for a large photo.
func scale(src image.Image, part image.Rectangle, w, h int) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if w > part.Dx() || h > part.Dy() {
		draw.CatmullRom.Scale(dst, dst.Rect, src, part, draw.Src, nil)
		return dst
	}
	rows := rowReader{src: src, part: part, last: -1}
	rows.raw = image.NewRGBA(image.Rect(0, 0, part.Dx(), 1))
	rows.out = make([]float32, 4*w)
	sum := make([]float32, 4*w)
	step := float64(part.Dy()) / float64(h)
	for y := range h {
		clear(sum)
		top, bottom := float64(y)*step, float64(y+1)*step
		for sy := int(top); sy < part.Dy() && float64(sy) < bottom; sy++ {
			weight := float32((min(bottom, float64(sy+1)) - max(top, float64(sy))) / step)
			for i, v := range rows.at(sy) {
				sum[i] += v * weight
			}
		}
		for i, v := range sum {
			dst.Pix[y*dst.Stride+i] = uint8(min(v+0.5, 255))
		}
	}
	return dst
}

// rowReader reads the rows of a picture, each averaged to its new width.
type rowReader struct {
	src  image.Image
	part image.Rectangle
	raw  *image.RGBA
	out  []float32
	last int // the row that out holds: two adjacent new rows share one
}

func (r *rowReader) at(y int) []float32 {
	if y == r.last {
		return r.out
	}
	r.last = y
	// draw.Draw is only fast for the types that decoders return.
	draw.Draw(r.raw, r.raw.Rect, r.src, r.part.Min.Add(image.Pt(0, y)), draw.Src)
	n, w := r.part.Dx(), len(r.out)/4
	step := float64(n) / float64(w)
	for x := range w {
		left, right := float64(x)*step, float64(x+1)*step
		var sum [4]float32
		for i := int(left); i < n && float64(i) < right; i++ {
			weight := float32((min(right, float64(i+1)) - max(left, float64(i))) / step)
			pix := r.raw.Pix[4*i : 4*i+4 : 4*i+4]
			for c := range sum {
				sum[c] += float32(pix[c]) * weight
			}
		}
		copy(r.out[4*x:], sum[:])
	}
	return r.out
}
