package media

import (
	"bytes"
	"encoding/binary"
)

// The pictures and the sound of a WebM: clusters of blocks, each with a track number and a time. They are read to the
// end, so that nothing else passes for a video, and their times determine its length.
const (
	idTimestamp     = 0xe7
	idSimpleBlock   = 0xa3
	idBlockGroup    = 0xa0
	idBlock         = 0xa1
	idBlockDuration = 0x9b
	idPosition      = 0xa7
	idPrevSize      = 0xab
	idVoid          = 0xec
	idCRC           = 0xbf
	idSilent        = 0x5854
)

type clusters struct {
	time  int64 // of the current cluster
	media int64 // bytes in blocks
}

// times are the times of a track's blocks, in units.
type times struct {
	blocks      int64
	first, last int64
	gap         int64 // between the last two
	end         int64 // of the last one, if known
}

func isOfCluster(id uint64) bool {
	switch id {
	case idTimestamp, idSimpleBlock, idBlockGroup, idPosition, idPrevSize, idVoid, idCRC, idSilent:
		return true
	}
	return false
}

func (w *webm) beginCluster() error {
	if w.best == nil { // the tracks come first
		return errStructure
	}
	return nil
}

func (w *webm) inCluster(id uint64, end int64) error {
	switch id {
	case idTimestamp:
		time, err := w.number(end)
		if time > 1<<53 {
			return errStructure
		}
		w.clusters.time = int64(time)
		return err
	case idSimpleBlock:
		_, err := w.block(end)
		return err
	case idBlockGroup:
		return w.blockGroup(end)
	}
	if !isOfCluster(id) {
		return errStructure
	}
	w.other += end - w.at
	return nil
}

func (w *webm) blockGroup(end int64) error {
	var t *entry
	var shown uint64
	err := w.elements(end, func(id uint64, end int64) (err error) {
		switch id {
		case idBlock:
			t, err = w.block(end)
		case idBlockDuration:
			shown, err = w.number(end)
		}
		return err
	})
	if err == nil && t != nil && shown > 0 && shown < 1<<53 {
		t.times.end = t.times.last + int64(shown) // #nosec G115 -- as is checked
	}
	return err
}

// mostSound is more than a block of sound or subtitles can have.
const mostSound = 128 << 10

// block reads a block: its track, its time and, for video, the beginning of the frame.
func (w *webm) block(end int64) (*entry, error) {
	size := end - w.at
	raw, length, err := w.vint(8)
	if err != nil {
		return nil, noEOF(err)
	}
	var head [3]byte
	if err := w.read(head[:], end); err != nil {
		return nil, noEOF(err)
	}
	t := w.track(raw & (1<<(7*length) - 1))
	if t == nil {
		return nil, errStructure
	}
	w.clusters.media += size
	t.times.note(w.clusters.time + int64(int16(binary.BigEndian.Uint16(head[:])))) // #nosec G115 -- it is signed
	if !t.video {
		if size > mostSound {
			return nil, errStructure
		}
		return t, nil
	}
	return t, w.frame(t, head[2], end)
}

// frame checks the beginning of a frame. No encoder makes one that is larger than the picture itself.
func (w *webm) frame(t *entry, flags byte, end int64) error {
	size := end - w.at
	if size > max(1<<20, int64(min(t.width, maxSide)*min(t.height, maxSide)*3)) {
		return errStructure
	}
	const lacing = 0x06 // several frames, preceded by their sizes
	if t != w.best || flags&lacing != 0 || size == 0 {
		return nil
	}
	var buffer [6]byte
	b := buffer[:min(size, 6)]
	if err := w.read(b, end); err != nil {
		return err
	}
	switch t.codec {
	case "V_VP8":
		if key := b[0]&1 == 0; key && (len(b) < 6 || !bytes.Equal(b[3:], []byte{0x9d, 0x01, 0x2a})) { // RFC 6386 §9.1
			return errStructure
		}
	case "V_VP9":
		return checkVP9(b[0])
	case "V_AV1":
		// The header of an OBU. In WebM, all OBUs declare their length, except a frame, which may be the last one.
		if kind := b[0] >> 3; b[0]&1 != 0 || kind == 0 || kind > 8 && kind != 15 || b[0]&2 == 0 && kind != 6 {
			return errStructure
		}
	}
	return nil
}

func (w *webm) track(number uint64) *entry {
	for _, t := range w.tracks {
		if t.number == number {
			return t
		}
	}
	return nil
}

func (t *times) note(at int64) {
	if t.blocks == 0 {
		t.first = at
	}
	if t.blocks++; at > t.last {
		t.gap, t.last, t.end = at-t.last, at, 0
	}
	t.first = min(t.first, at)
}

// length is the length of the video in seconds, from its first block to the end of its last one.
func (w *webm) length() float64 {
	first, end := w.best.times.first, 0.0
	for _, t := range w.tracks {
		if t.times.blocks == 0 || !t.video && t.kind != 2 {
			continue
		}
		first = min(first, t.times.first)
		last := float64(t.times.last)
		switch {
		case t.times.end > 0:
			last = float64(t.times.end)
		case t.frame > 0 && w.scale > 0:
			last += float64(t.frame) / float64(w.scale)
		case t.times.blocks > 1:
			last += float64(t.times.gap)
		}
		end = max(end, last)
	}
	return max(0, end-float64(first)) * float64(w.scale) / 1e9
}
