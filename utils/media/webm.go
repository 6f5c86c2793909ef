package media

import (
	"io"
	"math"

	"tokentube/utils/apperr"
)

// A WebM file is EBML (RFC 8794): nested elements, each with an id, a size and a body. The description of the video
// comes before the first cluster of pictures.
const (
	idEBML            = 0x1a45dfa3
	idDocType         = 0x4282
	idSegment         = 0x18538067
	idInfo            = 0x1549a966
	idScale           = 0x2ad7b1
	idDuration        = 0x4489
	idTracks          = 0x1654ae6b
	idTrackEntry      = 0xae
	idNumber          = 0xd7
	idType            = 0x83
	idCodec           = 0x86
	idConfig          = 0x63a2
	idDefaultDuration = 0x23e383
	idVideo           = 0xe0
	idPixelWidth      = 0xb0
	idPixelHeight     = 0xba
	idCluster         = 0x1f43b675
)

type webm struct {
	*cursor
	docType  string
	scale    uint64   // nanoseconds per unit
	duration float64  // units
	tracks   []*entry // in the order of the file
	best     *entry   // the first that browsers can play
	clusters clusters
	other    int64 // bytes that no player needs
}

type entry struct {
	number        uint64
	kind          uint64 // 1 is video, 2 is sound
	codec         string
	config        []byte
	frame         uint64 // how many nanoseconds each frame is shown, if they are all the same
	video         bool
	width, height uint64
	times         times
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
		return stream{}, apperr.New(apperr.UnsupportedMedia, "Browsers can't play this Matroska file. Save the video as WebM, or as MP4 with H.264 or AV1.")
	}
	if err := w.segment(); err != nil {
		return stream{}, err
	}
	if w.best == nil || w.best.times.blocks == 0 {
		return stream{}, damagedVideo() // not a single picture
	}
	found := stream{w.duration * float64(w.scale) / 1e9, int(w.best.width), int(w.best.height)} // #nosec G115 -- at most maxSide
	if found.seconds == 0 {
		found.seconds = w.length()
	}
	if err := found.check(); err != nil {
		return stream{}, err
	}
	return found, checkWaste(w.other, w.clusters.media)
}

// segment reads to the end of the file. A cluster that was written live has no size: it ends where an element begins
// that can't be part of a cluster.
func (w *webm) segment() error {
	id, size, err := w.element()
	if err != nil || id != idSegment {
		return damagedVideo()
	}
	end := int64(math.MaxInt64)
	if size != unknownSize {
		end = w.at + size
	}
	open := false // inside such a cluster
	for w.at < end {
		id, size, err := w.element()
		if err == io.EOF && end == math.MaxInt64 {
			return nil
		}
		if err != nil {
			return noEOF(err)
		}
		if id == idCluster && size == unknownSize {
			open = true
			err = w.beginCluster()
		} else {
			if size == unknownSize || size > end-w.at {
				return errStructure
			}
			open = open && isOfCluster(id)
			err = w.inSegment(id, w.at+size, open)
		}
		if err != nil {
			return err
		}
	}
	behind := w.at
	err = w.rest()
	w.other += w.at - behind
	return err
}

// inSegment reads an element up to end.
func (w *webm) inSegment(id uint64, end int64, open bool) (err error) {
	if open {
		err = w.inCluster(id, end)
	} else {
		switch id {
		case idInfo:
			err = w.elements(end, w.inInfo)
		case idTracks:
			err = w.elements(end, w.inTracks)
			if err == nil {
				err = w.choose()
			}
		case idCluster:
			if err = w.beginCluster(); err == nil {
				err = w.elements(end, w.inCluster)
			}
		default:
			w.other += end - w.at
		}
	}
	if err != nil {
		return err
	}
	return w.skip(end)
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
	if len(w.tracks) == mostTracks {
		return errStructure
	}
	t := &entry{}
	w.tracks = append(w.tracks, t)
	return w.elements(end, func(id uint64, end int64) (err error) {
		switch id {
		case idNumber:
			t.number, err = w.number(end)
		case idType:
			t.kind, err = w.number(end)
		case idCodec:
			t.codec, err = w.text(end)
		case idConfig:
			t.config = make([]byte, min(end-w.at, 16))
			err = w.read(t.config, end)
		case idDefaultDuration:
			t.frame, err = w.number(end)
		case idVideo:
			t.video = true
			err = w.elements(end, w.inVideo(t))
		}
		return err
	})
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

// choose picks the first video track that browsers can play, and ensures that they can play the sound, if there is any.
func (w *webm) choose() error {
	refused, sounds, playable := unplayable(""), 0, 0
	for _, t := range w.tracks {
		switch {
		case t.video && w.best == nil:
			if err := t.checkPicture(); err != nil {
				refused = err
				continue
			}
			w.best = t
		case t.kind == 2:
			sounds++
			if t.codec == "A_OPUS" || t.codec == "A_VORBIS" {
				playable++
			}
		}
	}
	switch {
	case w.best == nil:
		return refused
	case w.best.width > maxSide || w.best.height > maxSide:
		return damagedVideo()
	case sounds > 0 && playable == 0:
		return unplayableSound()
	}
	return nil
}

func (t *entry) checkPicture() error {
	switch t.codec {
	case "V_VP8", "V_VP9":
		return nil
	case "V_AV1":
		return checkAV1(t.config)
	}
	return unplayable("unknown")
}
