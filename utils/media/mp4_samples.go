package media

import "encoding/binary"

// What an MP4 declares about its samples: their sizes, where they begin and, in fragments, how long each is shown. The
// tables may be long: they are read entry by entry, and only sums are kept.

// entries passes n entries of a table, each width bytes, to visit.
func (m *mp4) entries(n uint32, width int, end int64, visit func([]byte)) error {
	if int64(n)*int64(width) > end-m.at {
		return errStructure
	}
	var b [16]byte
	for range n {
		if err := m.read(b[:width], end); err != nil {
			return err
		}
		visit(b[:width])
	}
	return nil
}

// sizes reads "stsz".
func (m *mp4) sizes(t *track, end int64) error {
	var b [12]byte
	if err := m.read(b[:], end); err != nil {
		return err
	}
	all, n := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if all != 0 {
		t.bytes = uint64(all) * uint64(n)
		return nil
	}
	t.bytes = 0
	return m.entries(n, 4, end, func(b []byte) { t.bytes += uint64(binary.BigEndian.Uint32(b)) })
}

// compactSizes reads "stz2", whose sizes have 4, 8 or 16 bits.
func (m *mp4) compactSizes(t *track, end int64) error {
	var b [12]byte
	if err := m.read(b[:], end); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(b[8:])
	t.bytes = 0
	switch b[7] {
	case 4:
		return m.entries(n/2+n%2, 1, end, func(b []byte) { t.bytes += uint64(b[0]>>4) + uint64(b[0]&15) })
	case 8:
		return m.entries(n, 1, end, func(b []byte) { t.bytes += uint64(b[0]) })
	case 16:
		return m.entries(n, 2, end, func(b []byte) { t.bytes += uint64(binary.BigEndian.Uint16(b)) })
	}
	return errStructure
}

// chunks reads "stco" or "co64".
func (m *mp4) chunks(t *track, width int, end int64) error {
	var b [8]byte
	if err := m.read(b[:], end); err != nil {
		return err
	}
	return m.entries(binary.BigEndian.Uint32(b[4:]), width, end, func(b []byte) {
		var at uint64
		for _, v := range b {
			at = at<<8 | uint64(v)
		}
		t.farthest = max(t.farthest, at)
	})
}

// run is what the fragments contain of one track.
type run struct {
	duration, size uint32 // defaults for samples without their own
	started        bool
	first, next    uint64 // units: when the first sample is shown, and when the last one ends
	bytes          uint64
}

// run returns a track's run, or an empty one.
func (m *mp4) run(id uint32) *run {
	if r := m.runs[id]; r != nil {
		return r
	}
	return &run{}
}

// newRun returns a track's run, and creates and stores it if needed.
func (m *mp4) newRun(id uint32) (*run, error) {
	if m.runs[id] == nil {
		if len(m.runs) == mostTracks {
			return nil, errStructure
		}
		m.runs[id] = &run{}
	}
	return m.runs[id], nil
}

// seconds is the length of the track's fragments. They continue where the track's indexed samples end, or begin at any
// time, as in a recording that was cut out of a live stream.
func (r *run) seconds(t track) float64 {
	first := r.first
	if float64(first) == t.length {
		first = 0
	}
	if r.next < first {
		return 0
	}
	return secondsOf(float64(r.next-first), t.scale)
}

// inFragments reads "mvex": the total length, if present, and the defaults for samples.
func (m *mp4) inFragments(kind string, end int64) error {
	var b [24]byte
	switch kind {
	case "mehd":
		if err := m.read(b[:8], end); err != nil {
			return err
		}
		length := uint64(binary.BigEndian.Uint32(b[4:]))
		if b[0] != 0 {
			if err := m.read(b[8:12], end); err != nil {
				return err
			}
			length = binary.BigEndian.Uint64(b[4:])
		}
		m.movie = max(m.movie, secondsOf(float64(length), m.scale))
	case "trex":
		if err := m.read(b[:], end); err != nil {
			return err
		}
		r, err := m.newRun(binary.BigEndian.Uint32(b[4:]))
		if err != nil {
			return err
		}
		r.duration, r.size = binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:])
	}
	return nil
}

// inFragment reads "moof".
func (m *mp4) inFragment(kind string, end int64) error {
	if kind != "traf" {
		return nil
	}
	r := &run{}
	duration, size := uint32(0), uint32(0)
	return m.each(end, func(kind string, end int64) (err error) {
		switch kind {
		case "tfhd":
			r, duration, size, err = m.fragmentHead(end)
		case "tfdt":
			var b [12]byte
			if err := m.read(b[:8], end); err != nil {
				return err
			}
			at := uint64(binary.BigEndian.Uint32(b[4:]))
			if b[0] != 0 {
				err = m.read(b[8:], end)
				at = binary.BigEndian.Uint64(b[4:])
			}
			if !r.started {
				r.first = at
			}
			r.next = at
		case "trun":
			r.started = true
			err = m.samples(r, duration, size, end)
		}
		return err
	})
}

// fragmentHead reads "tfhd": the track, and the defaults for its samples in this fragment.
func (m *mp4) fragmentHead(end int64) (r *run, duration, size uint32, err error) {
	var b [8]byte
	if err := m.read(b[:], end); err != nil {
		return nil, 0, 0, err
	}
	if r, err = m.newRun(binary.BigEndian.Uint32(b[4:])); err != nil {
		return nil, 0, 0, err
	}
	duration, size = r.duration, r.size
	for _, field := range []struct {
		flag  byte
		width int
		value *uint32
	}{{0x01, 8, nil}, {0x02, 4, nil}, {0x08, 4, &duration}, {0x10, 4, &size}} {
		if b[3]&field.flag == 0 {
			continue
		}
		var v [8]byte
		if err := m.read(v[:field.width], end); err != nil {
			return nil, 0, 0, err
		}
		if field.value != nil {
			*field.value = binary.BigEndian.Uint32(v[:])
		}
	}
	return r, duration, size, nil
}

// samples reads "trun".
func (m *mp4) samples(r *run, duration, size uint32, end int64) error {
	var b [8]byte
	if err := m.read(b[:], end); err != nil {
		return err
	}
	for _, flag := range []byte{0x01, 0x04} { // fields that only a player needs
		var skipped [4]byte
		if b[3]&flag != 0 {
			if err := m.read(skipped[:], end); err != nil {
				return err
			}
		}
	}
	own, width := b[2], 0
	for _, flag := range []byte{1, 2, 4, 8} { // duration, size, flags, presentation time
		if own&flag != 0 {
			width += 4
		}
	}
	n := binary.BigEndian.Uint32(b[4:])
	if own&1 == 0 {
		r.next += uint64(n) * uint64(duration)
	}
	if own&2 == 0 {
		r.bytes += uint64(n) * uint64(size)
	}
	if own&3 == 0 {
		return nil
	}
	return m.entries(n, width, end, func(b []byte) {
		if own&1 != 0 {
			r.next += uint64(binary.BigEndian.Uint32(b))
			b = b[4:]
		}
		if own&2 != 0 {
			r.bytes += uint64(binary.BigEndian.Uint32(b))
		}
	})
}
