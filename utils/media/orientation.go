package media

import (
	"encoding/binary"
	"image"
)

// orientation is the EXIF value 1 to 8: where the first row and the first
// column of the stored picture are seen. Phones store what the sensor saw and
// say here how the phone was held.
type orientation int

const upright orientation = 1

// readOrientation finds the EXIF orientation of a JPEG. Whatever is not
// understood means upright.
func readOrientation(data []byte) orientation {
	if len(data) < 4 || data[0] != 0xff || data[1] != 0xd8 {
		return upright
	}
	for data = data[2:]; len(data) >= 4 && data[0] == 0xff; {
		marker, length := data[1], int(binary.BigEndian.Uint16(data[2:]))
		if marker == 0xda || length < 2 || length+2 > len(data) {
			return upright // the picture itself begins, or nonsense
		}
		body := data[4 : length+2]
		if marker == 0xe1 && len(body) > 6 && string(body[:6]) == "Exif\x00\x00" {
			return tiffOrientation(body[6:])
		}
		data = data[length+2:]
	}
	return upright
}

// tiffOrientation looks through the first directory of a TIFF header.
func tiffOrientation(data []byte) orientation {
	if len(data) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(data[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	start := uint64(order.Uint32(data[4:]))
	if start+2 > uint64(len(data)) {
		return upright
	}
	count := int(order.Uint16(data[start:]))
	for entries := data[start+2:]; count > 0 && len(entries) >= 12; count-- {
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

// sideways reports whether width and height change places.
func (o orientation) sideways() bool { return o >= 5 }

// apply turns the picture upright.
func (o orientation) apply(src *image.RGBA) *image.RGBA {
	if o == upright {
		return src
	}
	w, h := src.Rect.Dx(), src.Rect.Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if o.sideways() {
		dst = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			tx, ty := o.place(x, y, w, h)
			copy(dst.Pix[dst.PixOffset(tx, ty):][:4], src.Pix[src.PixOffset(x, y):][:4])
		}
	}
	return dst
}

// place says where the stored point x, y is seen.
func (o orientation) place(x, y, w, h int) (int, int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return h - 1 - y, x
	case 7:
		return h - 1 - y, w - 1 - x
	case 8:
		return y, w - 1 - x
	}
	return x, y
}
