package media

import (
	"bytes"
	"encoding/binary"
)

// Markers of a JPEG's segments (ITU-T T.81, table B.1).
const (
	markerSOF0 = 0xc0 // baseline
	markerSOF2 = 0xc2 // progressive
	markerDHT  = 0xc4
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerDRI  = 0xdd
	markerAPP0 = 0xe0
	markerAPP1 = 0xe1 // EXIF
	markerAPP2 = 0xe2 // colour profile
	markerCOM  = 0xfe
)

// jpegFile is what the segments of a JPEG contain, apart from the picture itself.
type jpegFile struct {
	frame         byte // the marker of the frame, which determines the kind of JPEG
	bits          byte
	width, height int
	sampling      []sampling // of each component
	scans         int
	exif, profile []byte
	end           int // where the picture ends; what follows is something else
}

type sampling struct{ h, v int }

// readJPEG walks through the segments. It stops at the first thing that is not a segment: many files lack an end
// marker, or contain a phone maker's own data after the picture.
func readJPEG(data []byte) jpegFile {
	j := jpegFile{end: len(data)}
	scanned := 0 // components of all scans
	for at := 2; ; {
		start, marker := nextMarker(data, at)
		body, ok := segment(data, start+2)
		complete := j.sequential() && scanned >= len(j.sampling)
		if marker == markerEOI || complete || !ok || !j.belongs(marker) {
			j.end = start
			return j
		}
		at = start + 4 + len(body)
		switch marker {
		case markerSOS:
			j.scans++
			if len(body) > 0 {
				scanned += int(body[0])
			}
		case markerAPP1:
			if exif, ok := bytes.CutPrefix(body, []byte(exifPrefix)); ok && j.exif == nil {
				j.exif = exif
			}
		case markerAPP2:
			// In chunks of 64 kB, each with its number. In practice they are always in order.
			if piece, ok := bytes.CutPrefix(body, []byte("ICC_PROFILE\x00")); ok && len(piece) > 2 {
				j.profile = append(j.profile, piece[2:]...)
			}
		default:
			if isFrame(marker) {
				j.readFrame(marker, body)
			}
		}
	}
}

// nextMarker finds the next marker that is neither part of the picture's data (a stuffed byte, a restart) nor padding.
func nextMarker(data []byte, at int) (start int, marker byte) {
	for at < len(data) {
		i := bytes.IndexByte(data[at:], 0xff)
		if i < 0 || at+i+1 >= len(data) {
			break
		}
		at += i
		marker := data[at+1]
		if marker != 0 && marker != 0xff && (marker < markerRST0 || marker > markerRST7) {
			return at, marker
		}
		at++
	}
	return len(data), markerEOI
}

// segment is the body of the segment whose length is stored at the given offset.
func segment(data []byte, at int) (body []byte, ok bool) {
	if at+2 > len(data) {
		return nil, false
	}
	length := int(binary.BigEndian.Uint16(data[at:]))
	if length < 2 || at+length > len(data) {
		return nil, false
	}
	return data[at+2 : at+length], true
}

// belongs reports whether a marker may come next. There is one frame, and it precedes the scans.
func (j *jpegFile) belongs(marker byte) bool {
	switch {
	case isFrame(marker):
		return j.frame == 0
	case marker == markerSOS:
		return j.frame != 0
	}
	return marker == markerDHT || marker > markerSOS && marker <= 0xef || marker == markerCOM || j.scans == 0
}

func isFrame(marker byte) bool {
	return marker >= markerSOF0 && marker <= 0xcf && marker != markerDHT && marker != 0xc8 && marker != 0xcc
}

func (j *jpegFile) readFrame(marker byte, body []byte) {
	if len(body) < 6 {
		return
	}
	j.frame, j.bits = marker, body[0]
	j.height, j.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	for c := body[6:]; len(c) >= 3 && len(j.sampling) < int(body[5]); c = c[3:] {
		j.sampling = append(j.sampling, sampling{int(c[1] >> 4), int(c[1] & 15)})
	}
}

// sequential reports whether each component comes in one scan.
func (j *jpegFile) sequential() bool { return j.frame == markerSOF0 || j.frame == markerSOF0+1 }

// decodable reports whether the decoder supports this kind: 8 bits, Huffman coding, neither lossless nor hierarchical,
// and no component finer than the first. (The decoder miscounts the blocks of those.)
func (j *jpegFile) decodable() bool {
	h, v := j.finest()
	return j.bits == 8 && j.frame >= markerSOF0 && j.frame <= markerSOF2 && len(j.sampling) > 0 && j.sampling[0] == sampling{h, v}
}

func (j *jpegFile) finest() (h, v int) {
	h, v = 1, 1
	for _, s := range j.sampling {
		h, v = max(h, s.h), max(v, s.v)
	}
	return h, v
}

// cost is the maximum number of bytes that decoding takes: the planes, for a progressive JPEG also 64 coefficients of 4
// bytes for each block, and a copy if the planes have to be combined.
func (j *jpegFile) cost() int64 {
	h, v := j.finest()
	columns, rows := (j.width+8*h-1)/(8*h), (j.height+8*v-1)/(8*v)
	var blocks int64
	for _, s := range j.sampling {
		blocks += int64(columns) * int64(rows) * int64(s.h) * int64(s.v)
	}
	cost := blocks * 64
	if j.frame == markerSOF2 {
		cost += blocks * 64 * 4
	}
	if len(j.sampling) > 3 || j.odd() {
		cost += 4 * int64(j.width) * int64(j.height)
	}
	return cost
}

// odd reports whether the colour components are sampled differently.
func (j *jpegFile) odd() bool {
	return len(j.sampling) == 3 && j.sampling[1] != j.sampling[2]
}

// whole is only the picture, with an end marker in case it lacks one. If the file was cut off, the decoder still finds
// that data is missing.
func (j *jpegFile) whole(data []byte) []byte {
	return append(data[:j.end:j.end], 0xff, markerEOI)
}
