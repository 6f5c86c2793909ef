package media

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

func box(kind string, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(all)+8)), kind...), all...)
}

func words(list ...uint32) []byte {
	var b []byte
	for _, v := range list {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// clockBox is "mvhd" or "mdhd" of version 0 or 1.
func clockBox(kind string, version, scale, length uint32) []byte {
	if version == 1 {
		return box(kind, words(1<<24, 0, 0, 0, 0, scale, 0, length), make([]byte, 80))
	}
	return box(kind, words(0, 0, 0, scale, length), make([]byte, 80))
}

// trackBox describes one track of 320 by 180.
func trackBox(handler, codec string, tkhd []byte) []byte {
	entry := append(make([]byte, 24), 1, 64, 0, 180) // 320 by 180
	return box("trak", tkhd, box("mdia",
		clockBox("mdhd", 0, 1000, 2500),
		box("hdlr", words(0, 0), []byte(handler), make([]byte, 13)),
		box("minf", box("stbl", box("stsd", words(0, 1), box(codec, entry, make([]byte, 50)))))))
}

// turned is "tkhd" of a phone held upright.
func turned() []byte {
	return box("tkhd", make([]byte, 40), words(0, 1<<16, 0, 0xffff<<16, 0, 0, 0, 0, 1<<30, 320<<16, 180<<16))
}

var ftyp = box("ftyp", []byte("isom\x00\x00\x02\x00isomavc1"))
var mdat = box("mdat", make([]byte, 3000))

func movie(parts ...[]byte) []byte { return box("moov", parts...) }

// mp4File is complete but for the pictures themselves: 2.5 seconds.
func mp4File(codec string) []byte {
	return slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 2500), trackBox("vide", codec, nil)), mdat)
}

func element(id uint32, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return append(binary.BigEndian.AppendUint32(idBytes(id), 1<<28|uint32(len(all))), all...)
}

func idBytes(id uint32) []byte {
	return bytes.TrimLeft(words(id), "\x00")
}

func live(id uint32, body ...[]byte) []byte {
	return append(append(idBytes(id), 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), bytes.Join(body, nil)...)
}

func webmHead(docType string) []byte { return element(idEBML, element(idDocType, []byte(docType))) }

func webmInfo(seconds float64) []byte {
	length := binary.BigEndian.AppendUint64(nil, math.Float64bits(seconds*1000))
	return element(idInfo, element(idScale, []byte{0x0f, 0x42, 0x40}), element(idDuration, length))
}

func webmTrack(codec string) []byte {
	return element(idTrackEntry, element(idCodec, []byte(codec)),
		element(idVideo, element(idPixelWidth, []byte{1, 64}), element(idPixelHeight, []byte{180})))
}

var cluster = element(idCluster, make([]byte, 500))

func webmFile(codec string) []byte {
	return append(webmHead("webm"), element(idSegment, webmInfo(2.5), element(idTracks, webmTrack(codec)), cluster)...)
}
