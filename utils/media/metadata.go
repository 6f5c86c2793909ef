package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"iter"
)

const (
	exifPrefix = "Exif\x00\x00"
	// A colour profile usually takes a few kB; those of printing machines up to two MB.
	profileLimit = 8 << 20
)

// metadata returns what a file contains about how to display its picture: EXIF and a colour profile. Both may be
// missing: metadata that cannot be understood must not prevent an upload.
func metadata(kind format, data []byte) (exif, profile []byte) {
	switch kind {
	case formatJPEG:
		j := readJPEG(data)
		return j.exif, j.profile
	case formatPNG:
		for name, body := range pngChunks(data) {
			switch name {
			case "eXIf":
				exif = body
			case "iCCP":
				profile = inflateProfile(body)
			}
		}
	case formatWebP:
		for name, body := range webpChunks(data[12:]) {
			switch name {
			case "EXIF":
				exif = bytes.TrimPrefix(body, []byte(exifPrefix))
			case "ICCP":
				profile = body
			}
		}
	}
	return exif, profile
}

// pngChunks iterates over the complete chunks of a PNG.
func pngChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for data = data[8:]; len(data) >= 12; {
			n := uint64(binary.BigEndian.Uint32(data))
			if n+12 > uint64(len(data)) || !yield(string(data[4:8]), data[8:8+n]) {
				return
			}
			data = data[12+n:]
		}
	}
}

// inflateProfile decompresses the profile of a PNG, which is preceded by a name.
func inflateProfile(body []byte) []byte {
	_, packed, ok := bytes.Cut(body, []byte{0})
	if !ok || len(packed) == 0 || packed[0] != 0 {
		return nil
	}
	r, err := zlib.NewReader(bytes.NewReader(packed[1:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(r, profileLimit))
	if err != nil {
		return nil
	}
	return profile
}

// webpChunks iterates over the complete chunks of a WebP, or of one frame of an animated WebP.
func webpChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(data) >= 8 {
			n := uint64(binary.LittleEndian.Uint32(data[4:]))
			if n+8 > uint64(len(data)) || !yield(string(data[:4]), data[8:8+n]) {
				return
			}
			data = data[min(8+n+n&1, uint64(len(data))):]
		}
	}
}

// orientation is the EXIF value 1 to 8: where the first row and the first column of the stored picture belong. Phones
// store what the sensor captured, and record here how the phone was held.
type orientation int

const upright orientation = 1

// readOrientation searches the first directory of EXIF data. Anything that it can't parse means upright.
func readOrientation(exif []byte) orientation {
	if len(exif) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(exif[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	start := uint64(order.Uint32(exif[4:]))
	if start+2 > uint64(len(exif)) {
		return upright
	}
	count := int(order.Uint16(exif[start:]))
	for entries := exif[start+2:]; count > 0 && len(entries) >= 12; count-- {
		if order.Uint16(entries) == 0x0112 {
			if v := orientation(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return upright
		}
		entries = entries[12:]
	}
	return upright
}
