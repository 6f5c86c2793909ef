package media

import (
	"encoding/binary"
	"io"
	"math"
	"math/bits"
)

// unknownSize is the size of an element that was written live.
const unknownSize = -1

// element reads the header of an element: its id including the length marker, its size without it (RFC 8794 §4, §5).
func (c *cursor) element() (id uint64, size int64, err error) {
	id, _, err = c.vint(4)
	if err != nil {
		return 0, 0, err
	}
	raw, length, err := c.vint(8)
	if err != nil {
		return 0, 0, err
	}
	mask := uint64(1)<<(7*length) - 1
	if raw&mask == mask {
		return id, unknownSize, nil
	}
	if size = int64(raw & mask); size > math.MaxInt64-c.at {
		return 0, 0, errStructure
	}
	return id, size, nil
}

// vint reads a number whose leading zero bits encode its length in bytes.
func (c *cursor) vint(most int) (value uint64, length int, err error) {
	var b [8]byte
	if err := c.read(b[:1], math.MaxInt64); err != nil {
		return 0, 0, err
	}
	length = bits.LeadingZeros8(b[0]) + 1
	if length > most {
		return 0, 0, errStructure
	}
	if err := c.read(b[1:length], math.MaxInt64); err != nil {
		return 0, 0, noEOF(err)
	}
	for _, v := range b[:length] {
		value = value<<8 | uint64(v)
	}
	return value, length, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// elements passes the elements up to end to visit, which may leave any part of them unread.
func (c *cursor) elements(end int64, visit func(id uint64, end int64) error) error {
	for c.at < end {
		id, size, err := c.element()
		if err != nil {
			return noEOF(err)
		}
		if size == unknownSize || size > end-c.at {
			return errStructure
		}
		here := c.at + size
		if err := visit(id, here); err != nil {
			return err
		}
		if err := c.skip(here); err != nil {
			return err
		}
	}
	return nil
}

// number reads an unsigned integer of up to eight bytes.
func (c *cursor) number(end int64) (uint64, error) {
	var b [8]byte
	n := end - c.at
	if n > 8 {
		return 0, errStructure
	}
	err := c.read(b[8-n:], end)
	return binary.BigEndian.Uint64(b[:]), err
}

// float reads four or eight bytes.
func (c *cursor) float(end int64) (float64, error) {
	short := end-c.at == 4
	n, err := c.number(end)
	if short {
		return float64(math.Float32frombits(uint32(n))), err
	}
	return math.Float64frombits(n), err
}

// text reads a short string; the names that matter are short.
func (c *cursor) text(end int64) (string, error) {
	var b [16]byte
	n := end - c.at
	if n > int64(len(b)) {
		return "", nil
	}
	err := c.read(b[:n], end)
	for n > 0 && b[n-1] == 0 { // the standard allows padding
		n--
	}
	return string(b[:n]), err
}
