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
	// A colour profile is a few kB; one of a printing machine may have two MB.
	profileLimit = 8 << 20
)

// metadata finds what a file says about how its picture is to be shown: EXIF and a colour profile. Nothing is an answer
// too: what is not understood must not keep a picture from being taken.
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

// pngChunks are the chunks of a PNG, as far as they are whole.
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

// inflateProfile unpacks the profile of a PNG, which has a name before it.
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

// webpChunks are the chunks of a WebP, or of one frame of an animated one, as far as they are whole.
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

// orientation is the EXIF value 1 to 8: where the first row and the first column of the stored picture are seen. Phones
// store what the sensor saw and say here how the phone was held.
type orientation int

const upright orientation = 1

// readOrientation looks through the first directory of EXIF data. Whatever is not understood means upright.
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
