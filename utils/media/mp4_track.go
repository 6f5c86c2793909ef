package media

import (
	"encoding/binary"
	"math"
)

// inTrack goes down to what describes a track, each level in its own order.
func (m *mp4) inTrack(t *track) func(string, int64) error {
	var visit func(kind string, end int64) error
	deep := 0
	visit = func(kind string, end int64) (err error) {
		switch kind {
		case "mdia", "minf", "stbl":
			if deep++; deep > 3 { // nested without end, to fill the stack
				return errStructure
			}
			err = m.each(end, visit)
			deep--
		case "tkhd":
			t.shown, err = m.trackSize(end)
		case "mdhd":
			t.seconds, _, err = m.clock(end)
		case "hdlr":
			// "minf" of a .mov may have a second one, about where the data is.
			if t.handler == "" {
				t.handler, err = m.handler(end)
			}
		case "stsd":
			err = m.sample(t, end)
		}
		return err
	}
	return visit
}

func (m *mp4) handler(end int64) (string, error) {
	var b [12]byte
	err := m.read(b[:], end)
	return string(b[8:]), err
}

// clock reads "mvhd" or "mdhd": how long, in which units.
func (m *mp4) clock(end int64) (seconds float64, scale uint32, err error) {
	var b [32]byte
	if err := m.read(b[:20], end); err != nil {
		return 0, 0, err
	}
	if b[0] == 0 {
		scale = binary.BigEndian.Uint32(b[12:])
		length := binary.BigEndian.Uint32(b[16:])
		return secondsOf(uint64(length), scale, length == math.MaxUint32), scale, nil
	}
	if err := m.read(b[20:], end); err != nil {
		return 0, 0, err
	}
	scale = binary.BigEndian.Uint32(b[20:])
	length := binary.BigEndian.Uint64(b[24:])
	return secondsOf(length, scale, length == math.MaxUint64), scale, nil
}

func secondsOf(length uint64, scale uint32, unknown bool) float64 {
	if unknown || scale == 0 {
		return 0
	}
	return float64(length) / float64(scale)
}

// inFragments takes the whole length of a fragmented file, if it is written.
func (m *mp4) inFragments(kind string, end int64) error {
	if kind != "mehd" {
		return nil
	}
	var b [12]byte
	if err := m.read(b[:8], end); err != nil {
		return err
	}
	length := uint64(binary.BigEndian.Uint32(b[4:]))
	if b[0] != 0 {
		if err := m.read(b[8:], end); err != nil {
			return err
		}
		length = binary.BigEndian.Uint64(b[4:])
	}
	m.movie = max(m.movie, secondsOf(length, m.scale, false))
	return nil
}

// trackSize reads "tkhd": the size as shown, which a phone held upright stores
// lying on its side with a matrix that turns it.
func (m *mp4) trackSize(end int64) (shown [2]int, err error) {
	var b [96]byte
	if err := m.read(b[:84], end); err != nil {
		return shown, err
	}
	at := 40 // where the matrix begins
	if b[0] != 0 {
		if err := m.read(b[84:], end); err != nil {
			return shown, err
		}
		at = 52
	}
	word := func(i int) uint32 { return binary.BigEndian.Uint32(b[at+4*i:]) }
	shown = [2]int{int(word(9) >> 16), int(word(10) >> 16)}
	if word(0) == 0 && word(4) == 0 && word(1) != 0 {
		shown[0], shown[1] = shown[1], shown[0]
	}
	return shown, nil
}

// sample reads the first entry of "stsd": the codec and the size of its pictures.
func (m *mp4) sample(t *track, end int64) error {
	var b [8]byte
	if err := m.read(b[:], end); err != nil || end-m.at < 8 {
		return err
	}
	kind, end, err := m.next(end)
	if err != nil {
		return err
	}
	t.codec = kind
	if end-m.at < 28 {
		return nil // not the entry of a picture track
	}
	var entry [28]byte
	if err := m.read(entry[:], end); err != nil {
		return err
	}
	t.width = int(binary.BigEndian.Uint16(entry[24:]))
	t.height = int(binary.BigEndian.Uint16(entry[26:]))
	return nil
}
