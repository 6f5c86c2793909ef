package media

import (
	"encoding/binary"
	"io"
	"math"
)

// An MP4 file (ISO/IEC 14496-12) is made of nested boxes: a size, four letters, and a body. "moov" describes the
// tracks; "mdat" holds the pictures and is skipped.

// brand is the file type in the first box, or "".
func brand(head []byte) string {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return ""
	}
	return string(head[8:12])
}

// isQuickTime recognizes .mov files. Old ones have no brand.
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

// isPictureBrand recognizes still pictures in the same container format.
func isPictureBrand(brand string) bool {
	switch brand {
	case "heic", "heix", "mif1", "msf1", "avif", "avis", "crx ":
		return true
	}
	return false
}

// mp4 collects what matters while reading the boxes.
type mp4 struct {
	*cursor
	movie     float64 // length of the whole movie in seconds
	scale     uint32  // units per second, for the fragments
	fragments bool
	runs      map[uint32]*run // the content of the fragments, by track
	described bool
	tracks    []track
	media     int64 // bytes of "mdat"
	other     int64 // bytes that no player needs
}

type track struct {
	id            uint32
	scale         uint32
	length        float64 // units
	handler       string
	codec         string
	width, height int // of the pictures
	shown         [2]int
	refused       error  // why browsers can't play it
	bytes         uint64 // total size of its samples
	farthest      uint64 // where its last chunk begins
}

func (t track) seconds() float64 { return secondsOf(t.length, t.scale) }

// mostTracks is far more than any real video has: tracks are kept in memory while reading a file.
const mostTracks = 100

func inspectMP4(c *cursor) (stream, error) {
	m := &mp4{cursor: c, runs: map[uint32]*run{}}
	if err := m.file(); err != nil {
		return stream{}, err
	}
	if !m.described {
		return stream{}, damagedVideo()
	}
	best, err := m.choose()
	if err != nil {
		return stream{}, err
	}
	if err := m.checkSamples(best); err != nil {
		return stream{}, err
	}
	found := stream{m.movie, best.width, best.height}
	if found.seconds == 0 {
		found.seconds = best.seconds()
	}
	if m.fragments {
		found.seconds = max(found.seconds, m.run(best.id).seconds(best))
	}
	if best.shown[0] > 0 && best.shown[1] > 0 {
		found.width, found.height = best.shown[0], best.shown[1]
	}
	// A live recording is split into fragments and may not contain its length.
	if found.seconds == 0 && !m.fragments {
		return stream{}, damagedVideo()
	}
	return found, found.check()
}

// choose picks the first video track that browsers can play, and ensures that they can play the sound, if there is any.
func (m *mp4) choose() (track, error) {
	var best *track
	refusedPicture, refusedSound, sounds := error(nil), error(nil), 0
	for i, t := range m.tracks {
		switch {
		case t.handler == "vide" && t.refused == nil && best == nil:
			best = &m.tracks[i]
		case t.handler == "vide" && t.refused != nil:
			refusedPicture = t.refused
		case t.handler == "soun" && t.refused == nil:
			sounds++
		case t.handler == "soun":
			refusedSound = t.refused
		}
	}
	switch {
	case best == nil && refusedPicture != nil:
		return track{}, refusedPicture
	case best == nil:
		return track{}, unplayable("")
	case sounds == 0 && refusedSound != nil:
		return track{}, refusedSound
	}
	return *best, nil
}

// checkSamples compares what the tracks declare about their samples with the bytes received: a description alone is not
// a video.
func (m *mp4) checkSamples(best track) error {
	var all uint64
	for _, t := range m.tracks {
		bytes := t.bytes + m.run(t.id).bytes
		if bytes < t.bytes || bytes > uint64(m.media) || t.farthest >= uint64(m.at) { // #nosec G115 -- counted upwards from 0
			return damagedVideo()
		}
		all += bytes
	}
	if best.bytes+m.run(best.id).bytes == 0 {
		return damagedVideo()
	}
	used := int64(min(all, uint64(m.media))) // #nosec G115 -- at most m.media
	return checkWaste(m.other+m.media-used, used)
}

// file walks through the top-level boxes to the end of the file.
func (m *mp4) file() error {
	for {
		kind, end, err := m.next(math.MaxInt64)
		if err == io.EOF || err == io.ErrUnexpectedEOF && m.described && m.media > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		body := m.at
		switch kind {
		case "moov":
			if m.described {
				return errStructure
			}
			m.described = true
			err = m.each(end, m.inMovie)
		case "moof":
			err = m.each(end, m.inFragment)
		}
		if err != nil {
			return err
		}
		if end == math.MaxInt64 { // the last box may extend to the end of the file
			err = m.rest()
		} else {
			err = m.skip(end)
		}
		if err != nil {
			return err
		}
		switch kind {
		case "mdat":
			m.media += m.at - body
		case "moov", "moof":
		default:
			m.other += m.at - body
		}
	}
}

// next reads the header of a box that must end by limit.
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
		size = int64(binary.BigEndian.Uint64(head[8:])) // above 2^63 it becomes negative
	}
	if size < m.at-start || size > limit-start {
		return "", 0, errStructure
	}
	return string(head[4:8]), start + size, nil
}

// each passes the boxes up to end to visit, which may leave any part of them unread. Every box is at least as large as
// its header, so this always terminates.
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
		var length float64
		length, m.scale, err = m.clock(end)
		m.movie = max(m.movie, secondsOf(length, m.scale))
	case "mvex":
		m.fragments = true
		err = m.each(end, m.inFragments)
	case "trak":
		var t track
		if err = m.each(end, m.inTrack(&t)); err != nil {
			return err
		}
		if len(m.tracks) == mostTracks {
			return errStructure
		}
		if t.codec == "" {
			t.refused = damagedVideo()
		}
		m.tracks = append(m.tracks, t)
	}
	return err
}
