package media

import (
	"encoding/binary"
	"math"
)

// inTrack descends to the boxes that describe a track, which are nested in several levels.
func (m *mp4) inTrack(t *track) func(string, int64) error {
	var visit func(kind string, end int64) error
	deep := 0
	visit = func(kind string, end int64) (err error) {
		switch kind {
		case "mdia", "minf", "stbl":
			if deep++; deep > 3 { // nested endlessly, to overflow the stack
				return errStructure
			}
			err = m.each(end, visit)
			deep--
		case "tkhd":
			err = m.trackHead(t, end)
		case "mdhd":
			t.length, t.scale, err = m.clock(end)
		case "hdlr":
			// "minf" of a .mov may contain a second one, about where the data is.
			if t.handler == "" {
				t.handler, err = m.handler(end)
			}
		case "stsd":
			err = m.descriptions(t, end)
		case "stsz":
			err = m.sizes(t, end)
		case "stz2":
			err = m.compactSizes(t, end)
		case "stco":
			err = m.chunks(t, 4, end)
		case "co64":
			err = m.chunks(t, 8, end)
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

// clock reads "mvhd" or "mdhd": the length and its unit. An unknown length is 0.
func (m *mp4) clock(end int64) (length float64, scale uint32, err error) {
	var b [32]byte
	if err := m.read(b[:20], end); err != nil {
		return 0, 0, err
	}
	if b[0] == 0 {
		if n := binary.BigEndian.Uint32(b[16:]); n != math.MaxUint32 {
			length = float64(n)
		}
		return length, binary.BigEndian.Uint32(b[12:]), nil
	}
	if err := m.read(b[20:], end); err != nil {
		return 0, 0, err
	}
	if n := binary.BigEndian.Uint64(b[24:]); n != math.MaxUint64 {
		length = float64(n)
	}
	return length, binary.BigEndian.Uint32(b[20:]), nil
}

func secondsOf(length float64, scale uint32) float64 {
	if scale == 0 {
		return 0
	}
	return length / float64(scale)
}

// trackHead reads "tkhd": the track's number, and its size as displayed. A phone held upright stores the video
// sideways, with a matrix that rotates it.
func (m *mp4) trackHead(t *track, end int64) error {
	var b [96]byte
	if err := m.read(b[:84], end); err != nil {
		return err
	}
	id, at := 12, 40 // offsets of the number and the matrix
	if b[0] != 0 {
		if err := m.read(b[84:], end); err != nil {
			return err
		}
		id, at = 20, 52
	}
	word := func(i int) uint32 { return binary.BigEndian.Uint32(b[at+4*i:]) }
	t.id = binary.BigEndian.Uint32(b[id:])
	t.shown = [2]int{int(word(9) >> 16), int(word(10) >> 16)}
	if word(0) == 0 && word(4) == 0 && word(1) != 0 {
		t.shown[0], t.shown[1] = t.shown[1], t.shown[0]
	}
	return nil
}

// descriptions reads "stsd": the codec and its configuration for each kind of sample in the track. A single one that
// browsers can't play makes the track unplayable.
func (m *mp4) descriptions(t *track, end int64) error {
	var b [8]byte
	if err := m.read(b[:], end); err != nil {
		return err
	}
	if t.handler == "" { // the track's type must be known first
		return errStructure
	}
	return m.each(end, func(kind string, end int64) (err error) {
		first := t.codec == ""
		t.codec = kind
		var refused error
		switch t.handler {
		case "vide":
			refused, err = m.picture(t, kind, first, end)
		case "soun":
			refused, err = m.sound(kind, b[0] == 0, end)
		}
		if t.refused == nil {
			t.refused = refused
		}
		return err
	})
}

// picture reads a description of video samples.
func (m *mp4) picture(t *track, codec string, first bool, end int64) (refused, err error) {
	var entry [78]byte
	if err := m.read(entry[:], end); err != nil {
		return nil, err
	}
	if first {
		t.width = int(binary.BigEndian.Uint16(entry[24:]))
		t.height = int(binary.BigEndian.Uint16(entry[26:]))
	}
	var config []byte
	err = m.each(end, func(kind string, end int64) (err error) {
		if kind == "avcC" || kind == "av1C" {
			config, err = m.head(end)
		}
		return err
	})
	switch codec {
	case "avc1", "avc3":
		refused = checkH264(config)
	case "av01":
		refused = checkAV1(config)
	default:
		refused = unplayable(codec)
	}
	return refused, err
}

// sound reads a description of sound samples. QuickTime files, and files converted from it, have longer ones.
func (m *mp4) sound(codec string, quickTime bool, end int64) (refused, err error) {
	var entry [28]byte
	if err := m.read(entry[:], end); err != nil {
		return nil, err
	}
	if version := entry[9]; quickTime && version > 0 {
		var more [36]byte
		if err := m.read(more[:map[byte]int{1: 16, 2: 36}[version]], end); err != nil {
			return nil, err
		}
	}
	var config []byte
	var visit func(kind string, end int64) error
	deep := 0
	visit = func(kind string, end int64) (err error) {
		switch {
		case kind == "wave" && deep == 0:
			deep++
			err = m.each(end, visit)
		case kind == "esds":
			config, err = m.head(end)
		}
		return err
	}
	if codec == "mp4a" {
		err = m.each(end, visit)
	}
	return checkMP4Sound(codec, config), err
}

// head reads the beginning of a box, which is all that matters of a configuration.
func (m *mp4) head(end int64) ([]byte, error) {
	b := make([]byte, min(end-m.at, 256))
	return b, m.read(b, end)
}
