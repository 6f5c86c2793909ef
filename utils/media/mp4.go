package media

import (
	"encoding/binary"
	"io"
	"math"
)

// An MP4 file (ISO/IEC 14496-12) is boxes in boxes: a size, four letters, and a
// body. "moov" describes the tracks; "mdat" has the pictures and is skipped.

// brand is the kind of file that the first box names, or "".
func brand(head []byte) string {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return ""
	}
	return string(head[8:12])
}

// isQuickTime knows .mov files, of which the old ones have no brand.
func isQuickTime(head []byte) bool {
	if brand(head) == "qt  " {
		return true
	}
	if len(head) < 8 {
		return false
	}
	switch string(head[4:8]) {
	case "moov", "mdat", "wide", "pnot", "skip", "free":
		return true
	}
	return false
}

// isPictureBrand knows the still pictures that share the format.
func isPictureBrand(brand string) bool {
	switch brand {
	case "heic", "heix", "mif1", "msf1", "avif", "avis", "crx ":
		return true
	}
	return false
}

// mp4 collects what matters while the boxes pass.
type mp4 struct {
	*cursor
	movie     float64 // seconds, of the whole
	scale     uint32  // units in a second, for the fragments
	fragments bool
	media     bool // there is something to play
	described bool
	best      *track // the first that browsers can play
	other     string // the codec of another picture track
}

type track struct {
	seconds       float64
	handler       string
	codec         string
	width, height int // of the pictures
	shown         [2]int
}

func inspectMP4(c *cursor) (stream, error) {
	m := &mp4{cursor: c}
	if err := m.file(); err != nil {
		return stream{}, err
	}
	if !m.described {
		return stream{}, damagedVideo()
	}
	if m.best == nil {
		return stream{}, unplayable(m.other)
	}
	found := stream{m.movie, m.best.width, m.best.height}
	if found.seconds == 0 {
		found.seconds = m.best.seconds
	}
	if m.best.shown[0] > 0 && m.best.shown[1] > 0 {
		found.width, found.height = m.best.shown[0], m.best.shown[1]
	}
	// A live recording is cut into fragments and may not know its length.
	if !m.media || found.seconds == 0 && !m.fragments {
		return stream{}, damagedVideo()
	}
	return found, found.check()
}

// file walks the outermost boxes to the end of the file.
func (m *mp4) file() error {
	for {
		kind, end, err := m.next(math.MaxInt64)
		if err == io.EOF || err == io.ErrUnexpectedEOF && m.described && m.media {
			return nil
		}
		if err != nil {
			return err
		}
		switch kind {
		case "moov":
			if m.described {
				return errStructure
			}
			m.described = true
			err = m.each(end, m.inMovie)
		case "mdat":
			m.media = m.media || end > m.at
		}
		if err != nil {
			return err
		}
		if end == math.MaxInt64 { // the last box may run to the end of the file
			return nil
		}
		if err := m.skip(end); err != nil {
			return err
		}
	}
}

// next reads the head of a box that must end by limit.
func (m *mp4) next(limit int64) (kind string, end int64, err error) {
	start := m.at
	var head [16]byte
	if err := m.read(head[:8], limit); err != nil {
		return "", 0, err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	switch size {
	case 0:
		if limit != math.MaxInt64 {
			return "", 0, errStructure
		}
		return string(head[4:8]), limit, nil
	case 1:
		if err := m.read(head[8:], limit); err != nil {
			return "", 0, err
		}
		size = int64(binary.BigEndian.Uint64(head[8:])) // past 2^63 it turns negative
	}
	if size < m.at-start || size > limit-start {
		return "", 0, errStructure
	}
	return string(head[4:8]), start + size, nil
}

// each gives the boxes up to end to visit, which may leave any rest of them.
// Every box is at least its head, so that this always comes to an end.
func (m *mp4) each(end int64, visit func(kind string, end int64) error) error {
	if end == math.MaxInt64 {
		return errStructure
	}
	for end-m.at >= 8 {
		kind, boxEnd, err := m.next(end)
		if err != nil {
			return err
		}
		if err := visit(kind, boxEnd); err != nil {
			return err
		}
		if err := m.skip(boxEnd); err != nil {
			return err
		}
	}
	return m.skip(end)
}

func (m *mp4) inMovie(kind string, end int64) (err error) {
	switch kind {
	case "mvhd":
		m.movie, m.scale, err = m.clock(end)
	case "mvex":
		m.fragments = true
		err = m.each(end, m.inFragments)
	case "trak":
		var t track
		if err = m.each(end, m.inTrack(&t)); err == nil {
			m.consider(t)
		}
	}
	return err
}

// consider keeps the first picture track that browsers play.
func (m *mp4) consider(t track) {
	if t.handler != "vide" {
		return
	}
	switch t.codec {
	case "avc1", "avc3", "av01":
		if m.best == nil {
			m.best = &t
		}
	case "":
		m.other = "unknown"
	default:
		m.other = t.codec
	}
}
