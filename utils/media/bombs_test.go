package media

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// withSegment inserts a segment at the beginning of a JPEG.
func withSegment(data []byte, marker byte, body []byte) []byte {
	return append(append([]byte{0xff, 0xd8}, segmentOf(marker, body)...), data[2:]...)
}

func segmentOf(marker byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2)), body...)
}

// jpegWith changes the frame's header of a JPEG.
func jpegWith(data []byte, change func(frame []byte)) []byte {
	data = bytes.Clone(data)
	change(data[bytes.Index(data, []byte{0xff, markerSOF0}):])
	return data
}

// flatJPEG is a JPEG in a single colour, in any way that the standard allows.
type flatJPEG struct {
	w, h     int
	sampling []sampling
	scans    int // the number of scans after the first, if progressive
	adobe    bool
	colour   []int // of each component, from -128 to 127
	empty    bool  // without any picture data
}

func (f flatJPEG) bytes() []byte {
	data := []byte{0xff, 0xd8}
	if f.adobe {
		data = append(data, segmentOf(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00"))...)
	}
	data = append(data, segmentOf(0xdb, append([]byte{0}, bytes.Repeat([]byte{8}, 64)...))...)
	frame := byte(markerSOF0)
	if f.scans > 0 {
		frame = markerSOF2
	}
	head := []byte{8, byte(f.h >> 8), byte(f.h), byte(f.w >> 8), byte(f.w), byte(len(f.sampling))}
	scan := []byte{byte(len(f.sampling))}
	for i, s := range f.sampling {
		head = append(head, byte(i+1), byte(s.h<<4|s.v), 0)
		scan = append(scan, byte(i+1), 0)
	}
	data = append(data, segmentOf(frame, head)...)
	// The twelve sizes of a DC difference, all in four bits; for AC, the end of a block, and of 2^14 blocks or more.
	lengths := [16]byte{3: 12}
	data = append(data, segmentOf(markerDHT, append(append([]byte{0x00}, lengths[:]...), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))...)
	lengths = [16]byte{0: 1, 1: 1}
	data = append(data, segmentOf(markerDHT, append(append([]byte{0x10}, lengths[:]...), 0x00, 0xe0))...)
	last := byte(63)
	if f.scans > 0 {
		last = 0
	}
	data = append(data, segmentOf(markerSOS, append(scan, 0, last, 0))...)
	if !f.empty {
		data = append(data, f.blocks()...)
	}
	for range f.scans {
		data = append(data, segmentOf(markerSOS, []byte{1, 1, 0, 1, 63, 0})...)
		data = append(data, f.emptyScan()...)
	}
	return append(data, 0xff, markerEOI)
}

// blocks encodes all blocks of all components: the first contains the colour, the others no change.
func (f flatJPEG) blocks() []byte {
	h, v := 1, 1
	for _, s := range f.sampling {
		h, v = max(h, s.h), max(v, s.v)
	}
	var w bitWriter
	units := ((f.w + 8*h - 1) / (8 * h)) * ((f.h + 8*v - 1) / (8 * v))
	for unit := range units {
		for c, s := range f.sampling {
			for block := range s.h * s.v {
				difference := 0
				if unit == 0 && block == 0 && c < len(f.colour) {
					difference = f.colour[c]
				}
				w.difference(difference)
				if f.scans == 0 {
					w.bits(0, 1) // no AC
				}
			}
		}
	}
	return w.flush()
}

// emptyScan encodes that all blocks are empty, up to 32,767 at a time.
func (f flatJPEG) emptyScan() []byte {
	var w bitWriter
	s := f.sampling[0]
	h, v := 1, 1
	for _, s := range f.sampling {
		h, v = max(h, s.h), max(v, s.v)
	}
	columns, rows := (f.w*s.h/h+7)/8, (f.h*s.v/v+7)/8
	for left := columns * rows; left > 0; {
		n := min(left, 1<<15-1)
		if n < 1<<14 {
			w.bits(0, 1)
			left--
			continue
		}
		w.bits(2, 2)
		w.bits(n-1<<14, 14)
		left -= n
	}
	return w.flush()
}

// bitWriter writes the bits of a JPEG, most significant first.
type bitWriter struct {
	data []byte
	hold int
	n    int
}

func (w *bitWriter) bits(v, n int) {
	for n--; n >= 0; n-- {
		w.hold = w.hold<<1 | v>>n&1
		if w.n++; w.n == 8 {
			w.data = append(w.data, byte(w.hold))
			if byte(w.hold) == 0xff {
				w.data = append(w.data, 0)
			}
			w.hold, w.n = 0, 0
		}
	}
}

func (w *bitWriter) difference(d int) {
	size := 0
	for v := max(d, -d); v > 0; v >>= 1 {
		size++
	}
	w.bits(size, 4)
	if d < 0 {
		d += 1<<size - 1
	}
	w.bits(d, size)
}

func (w *bitWriter) flush() []byte {
	for w.n != 0 {
		w.bits(1, 1)
	}
	return w.data
}

// manyScans is a progressive JPEG with many scans of a few bytes each.
func manyScans(scans int) []byte {
	return flatJPEG{w: 7200, h: 5400, sampling: []sampling{{1, 1}}, scans: scans}.bytes()
}

// pngWith inserts a chunk after the header of a PNG.
func pngWith(data []byte, name string, body []byte) []byte {
	const header = 8 + 12 + 13
	all := binary.BigEndian.AppendUint32(bytes.Clone(data[:header]), uint32(len(body)))
	all = append(append(all, name...), body...)
	all = binary.BigEndian.AppendUint32(all, crc32.ChecksumIEEE(append([]byte(name), body...)))
	return append(all, data[header:]...)
}

// chunk is a chunk of a WebP.
func chunk(name string, body []byte) []byte {
	all := append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body))), body...)
	if len(body)%2 != 0 {
		all = append(all, 0)
	}
	return all
}

// webpFile is an extended WebP.
func webpFile(w, h int, flags byte, chunks ...[]byte) []byte {
	header := []byte{flags, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0}
	body := append([]byte("WEBP"), chunk("VP8X", header)...)
	for _, c := range chunks {
		body = append(body, c...)
	}
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// webpFrame is a frame of an animated WebP.
func webpFrame(x, y, w, h int, content []byte) []byte {
	head := []byte{byte(x / 2), 0, 0, byte(y / 2), 0, 0, byte(w - 1), 0, 0, byte(h - 1), 0, 0, 100, 0, 0, 0}
	return chunk("ANMF", append(head, content...))
}

// vp8l is a lossless picture without its container.
func vp8l(t testing.TB) []byte {
	t.Helper()
	for name, body := range webpChunks(fromBase64(t, webpLossless)[12:]) {
		if name == "VP8L" {
			return body
		}
	}
	t.Fatal("no VP8L")
	return nil
}

// huffmanBomb is a small lossless WebP in which every four by four pixels have separate codes. Each takes 50 bytes of
// the file, and 50 kB of memory.
func huffmanBomb(side int) []byte {
	var w lowBits
	w.bits(0x2f, 8)
	w.bits(side-1, 14)
	w.bits(side-1, 14)
	w.bits(0, 1+3+1) // no alpha, version 0, no transform
	w.bits(1, 1)
	w.bits(11, 4) // a cache of 2048 colours
	w.bits(1, 1)
	w.bits(0, 3) // separate codes for squares of 4 by 4
	w.bits(0, 1) // the picture that selects them has no cache
	w.allAlike(8, 256)
	w.allAlike(8, 256)
	for range 3 {
		w.bits(1, 4) // one symbol, 0
	}
	squares := (side / 4) * (side / 4)
	for i := range squares {
		w.code(i&0xff, 8)
		w.code(i>>8, 8)
	}
	for range squares {
		w.allAlike(11, 2048)
		w.allAlike(8, 256)
		w.allAlike(8, 256)
		w.allAlike(8, 256)
		w.allAlike(5, 32)
	}
	body := append([]byte("WEBP"), chunk("VP8L", append(w.data, byte(w.hold)))...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// lowBits writes the bits of a lossless WebP, least significant first.
type lowBits struct {
	data []byte
	hold int
	n    int
}

func (w *lowBits) bits(v, n int) {
	for i := range n {
		w.hold |= v >> i & 1 << w.n
		if w.n++; w.n == 8 {
			w.data = append(w.data, byte(w.hold))
			w.hold, w.n = 0, 0
		}
	}
}

// code writes a symbol's code, most significant bit first.
func (w *lowBits) code(v, n int) {
	for n--; n >= 0; n-- {
		w.bits(v>>n&1, 1)
	}
}

// allAlike describes a code in which this many symbols have the same length.
func (w *lowBits) allAlike(length, symbols int) {
	order := []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11}
	at := 0
	for order[at] != length {
		at++
	}
	w.bits(0, 1)
	w.bits(at+1-4, 4)
	w.bits(0, 3*at)
	w.bits(1, 3) // the only length that occurs, in no bits
	w.bits(1, 1) // for this many symbols
	w.bits(5, 3) // written in twelve bits
	w.bits(symbols-2, 12)
}
