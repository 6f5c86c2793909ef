package clip

import "bytes"

// fields writes the fields of the standard, the highest bit first.
type fields struct {
	data []byte
	free int // bits of the last byte that are still to be written
}

func (b *fields) put(v uint64, count int) {
	for i := count - 1; i >= 0; i-- {
		if b.free == 0 {
			b.data, b.free = append(b.data, 0), 8
		}
		b.free--
		b.data[len(b.data)-1] |= byte(v>>i&1) << b.free
	}
}

// bytes writes whole bytes at a border.
func (b *fields) bytes(list ...byte) { b.data = append(b.data, list...) }

func (b *fields) align() { b.free = 0 }

// unsigned writes an Exp-Golomb number (9.1). The signed zero is the same.
func (b *fields) unsigned(v int) {
	length := 0
	for n := uint64(v) + 1; n > 1; n >>= 1 {
		length++
	}
	b.put(uint64(v)+1, 2*length+1)
}

// nal ends the unit and wraps it (7.3.1): a 3 after two zeros keeps the content
// from looking like the start of another unit.
func (b *fields) nal(kind byte) []byte {
	b.put(1, 1)
	var out bytes.Buffer
	out.Grow(len(b.data) + 16)
	out.WriteByte(kind)
	zeros := 0
	for _, v := range b.data {
		if zeros == 2 && v <= 3 {
			out.WriteByte(3)
			zeros = 0
		}
		out.WriteByte(v)
		zeros++
		if v != 0 {
			zeros = 0
		}
	}
	return out.Bytes()
}
