package clip

import (
	"image"
	"image/color"
)

// Numbers of the standard, table 7-1 and 7-11 to 7-13.
const (
	nalPicture = 0x41 // refers to the picture before
	nalFirst   = 0x65 // IDR, refers to none
	nalSPS     = 0x67
	nalPPS     = 0x68

	pictureP = 5
	pictureI = 7

	plainInI = 25 // I_PCM
	plainInP = 5 + plainInI
)

// block is a macroblock: 16 by 16 of luma, then 8 by 8 of each chroma.
type block [256 + 64 + 64]byte

// encoder turns pictures into access units. It remembers the last picture.
type encoder struct {
	w, h, fps  int
	columns    int
	last, next []block
	count      int
}

func newEncoder(w, h, fps int) *encoder {
	columns, rows := (w+15)/16, (h+15)/16
	return &encoder{w: w, h: h, fps: fps, columns: columns,
		last: make([]block, columns*rows), next: make([]block, columns*rows)}
}

// sps is the sequence parameter set (7.3.2.1): baseline profile, one reference.
func (e *encoder) sps() []byte {
	var b fields
	b.bytes(66, 0xc0, 31) // constrained baseline, level 3.1
	b.unsigned(0)         // its number
	b.unsigned(4)         // picture numbers of 8 bits
	b.unsigned(2)         // shown in the order they come
	b.unsigned(1)         // one reference picture
	b.put(0, 1)           // no gaps
	b.unsigned(e.columns - 1)
	b.unsigned(len(e.next)/e.columns - 1)
	b.put(1, 1) // whole frames
	b.put(1, 1) // 8x8 inference
	right, bottom := e.columns*16-e.w, len(e.next)/e.columns*16-e.h
	b.put(1, 1) // cut off what fills the last blocks, counted in pairs of pixels
	b.unsigned(0)
	b.unsigned(right / 2)
	b.unsigned(0)
	b.unsigned(bottom / 2)
	b.put(1, 1)
	e.usability(&b)
	return b.nal(nalSPS)
}

// usability is the VUI (E.1.1): colours, time, and that nothing is reordered.
func (e *encoder) usability(b *fields) {
	b.put(0, 2)                // no aspect ratio, no overscan
	b.put(1, 1)                // colours follow:
	b.put(5, 3)                // of no broadcast system
	b.put(0, 1)                // from 16 to 235
	b.put(1, 1)                // described by
	b.put(1, 8)                // the primaries of BT.709, which sRGB shares,
	b.put(1, 8)                // its curve
	b.put(6, 8)                // and the matrix of BT.601
	b.put(0, 1)                // chroma where it usually is
	b.put(1, 1)                // timing:
	b.put(1, 32)               // one tick
	b.put(uint64(2*e.fps), 32) // of so many in a second, two for a frame,
	b.put(1, 1)                // always
	b.put(0, 3)                // no buffer models, no picture structure
	b.put(1, 1)                // limits:
	b.put(1, 1)
	for _, v := range []int{0, 0, 0, 0, 0, 1} { // nothing reordered, one picture kept
		b.unsigned(v)
	}
}

// pps is the picture parameter set (7.3.2.2): CAVLC, deblocking can be turned off.
func (e *encoder) pps() []byte {
	var b fields
	b.unsigned(0)
	b.unsigned(0)
	b.put(0, 2) // CAVLC, no fields
	b.unsigned(0)
	b.unsigned(0)
	b.unsigned(0)
	b.put(0, 3) // no weights
	b.unsigned(0)
	b.unsigned(0)
	b.unsigned(0)
	b.put(1, 1) // the slice says whether edges are smoothed
	b.put(0, 2)
	return b.nal(nalPPS)
}

// encode makes one sample: a NAL unit after its length.
func (e *encoder) encode(img image.Image) []byte {
	e.load(img)
	first := e.count == 0
	var b fields
	e.sliceHeader(&b, first)
	unchanged := 0
	for i := range e.next {
		if !first && e.next[i] == e.last[i] {
			unchanged++
			continue
		}
		if first {
			b.unsigned(plainInI)
		} else {
			b.unsigned(unchanged)
			b.unsigned(plainInP)
		}
		unchanged = 0
		b.align()
		b.bytes(e.next[i][:]...)
	}
	if unchanged > 0 {
		b.unsigned(unchanged)
	}
	e.count++
	e.last, e.next = e.next, e.last
	kind := byte(nalPicture)
	if first {
		kind = nalFirst
	}
	unit := b.nal(kind)
	n := len(unit)
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, unit...)
}

// sliceHeader is 7.3.3: one slice is the whole picture.
func (e *encoder) sliceHeader(b *fields, first bool) {
	b.unsigned(0)
	if first {
		b.unsigned(pictureI)
	} else {
		b.unsigned(pictureP)
	}
	b.unsigned(0)
	b.put(uint64(e.count%256), 8)
	if first {
		b.unsigned(0) // its number among the IDR pictures
		b.put(0, 2)   // nothing before it, no long-term reference
	} else {
		b.put(0, 2) // the one reference, in its place
		b.put(0, 1) // the usual sliding window
	}
	b.unsigned(0) // no change of the quantizer, as nothing is quantized
	b.unsigned(1) // edges stay as they are, so that "as before" is exact
}

// load cuts the picture into blocks of Y, Cb and Cr (BT.601, 16 to 235). What
// lies past the edge repeats the edge.
func (e *encoder) load(img image.Image) {
	at := img.Bounds().Min
	pixel := func(x, y int) color.RGBA {
		x, y = at.X+min(x, e.w-1), at.Y+min(y, e.h-1)
		if direct, ok := img.(*image.RGBA); ok {
			return direct.RGBAAt(x, y)
		}
		return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
	}
	for i := range e.next {
		left, top := i%e.columns*16, i/e.columns*16
		b := &e.next[i]
		for y := 0; y < 16; y += 2 {
			for x := 0; x < 16; x += 2 {
				var sum [3]int
				for k := range 4 {
					c := pixel(left+x+k%2, top+y+k/2)
					r, g, bl := int(c.R), int(c.G), int(c.B)
					b[(y+k/2)*16+x+k%2] = byte(16 + (16829*r+33039*g+6416*bl+32768)>>16)
					sum[0], sum[1], sum[2] = sum[0]+r, sum[1]+g, sum[2]+bl
				}
				at := y/2*8 + x/2
				b[256+at] = byte(128 + (-9714*sum[0]-19070*sum[1]+28784*sum[2]+131072)>>18)
				b[320+at] = byte(128 + (28784*sum[0]-24103*sum[1]-4681*sum[2]+131072)>>18)
			}
		}
	}
}
