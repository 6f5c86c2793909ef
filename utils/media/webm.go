package media

import (
	"math"

	"tokentube/utils/apperr"
)

// A WebM file is EBML (RFC 8794): elements in elements, each an id, a size and a
// body. What describes the video stands before the first cluster of pictures.
const (
	idEBML        = 0x1a45dfa3
	idDocType     = 0x4282
	idSegment     = 0x18538067
	idInfo        = 0x1549a966
	idScale       = 0x2ad7b1
	idDuration    = 0x4489
	idTracks      = 0x1654ae6b
	idTrackEntry  = 0xae
	idCodec       = 0x86
	idVideo       = 0xe0
	idPixelWidth  = 0xb0
	idPixelHeight = 0xba
	idCluster     = 0x1f43b675
)

type webm struct {
	*cursor
	docType  string
	scale    uint64  // nanoseconds in a unit
	duration float64 // units
	best     *entry  // the first track that browsers can play
	other    string  // the codec of another picture track
}

type entry struct {
	codec         string
	video         bool
	width, height uint64
}

func inspectWebM(c *cursor) (stream, error) {
	w := &webm{cursor: c, scale: 1_000_000}
	id, size, err := w.element()
	if err != nil || id != idEBML || size < 0 || size > 4096 {
		return stream{}, damagedVideo()
	}
	if err := w.elements(w.at+size, w.inHeader); err != nil {
		return stream{}, err
	}
	if w.docType != "webm" {
		return stream{}, apperr.New(apperr.UnsupportedMedia, "Browsers cannot play this Matroska file. Save the video as WebM, or as MP4 with H.264 or AV1.")
	}
	end, err := w.segment()
	if err != nil {
		return stream{}, err
	}
	if w.best == nil {
		return stream{}, unplayable(w.other)
	}
	found := stream{w.duration * float64(w.scale) / 1e9, int(w.best.width), int(w.best.height)}
	if err := found.check(); err != nil {
		return stream{}, err
	}
	return found, w.skip(end)
}

// segment reads up to the first cluster and returns where the file must end at
// the earliest.
func (w *webm) segment() (end int64, err error) {
	id, size, err := w.element()
	if err != nil || id != idSegment {
		return 0, damagedVideo()
	}
	end = int64(math.MaxInt64)
	if size != unknownSize {
		end = w.at + size
	}
	for w.at < end {
		id, size, err := w.element()
		if err != nil {
			return 0, err
		}
		if id == idCluster {
			if end == math.MaxInt64 {
				return w.at, nil
			}
			return end, nil
		}
		if size == unknownSize || size > end-w.at {
			return 0, errStructure
		}
		here := w.at + size
		switch id {
		case idInfo:
			err = w.elements(here, w.inInfo)
		case idTracks:
			err = w.elements(here, w.inTracks)
		}
		if err != nil {
			return 0, err
		}
		if err := w.skip(here); err != nil {
			return 0, err
		}
	}
	return 0, damagedVideo() // not one picture
}

func (w *webm) inHeader(id uint64, end int64) (err error) {
	if id == idDocType {
		w.docType, err = w.text(end)
	}
	return err
}

func (w *webm) inInfo(id uint64, end int64) (err error) {
	switch id {
	case idScale:
		w.scale, err = w.number(end)
	case idDuration:
		w.duration, err = w.float(end)
	}
	return err
}

func (w *webm) inTracks(id uint64, end int64) error {
	if id != idTrackEntry {
		return nil
	}
	var t entry
	err := w.elements(end, func(id uint64, end int64) (err error) {
		switch id {
		case idCodec:
			t.codec, err = w.text(end)
		case idVideo:
			t.video = true
			err = w.elements(end, w.inVideo(&t))
		}
		return err
	})
	if err != nil || !t.video {
		return err
	}
	switch t.codec {
	case "V_VP8", "V_VP9", "V_AV1":
		if w.best == nil {
			w.best = &t
		}
	default:
		w.other = "unknown"
	}
	return nil
}

func (w *webm) inVideo(t *entry) func(uint64, int64) error {
	return func(id uint64, end int64) (err error) {
		switch id {
		case idPixelWidth:
			t.width, err = w.number(end)
		case idPixelHeight:
			t.height, err = w.number(end)
		}
		return err
	}
}
