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

// trackBox describes one track of 320 by 180 whose only sample is the whole mdat.
func trackBox(handler, codec string, tkhd []byte) []byte {
	return trackWith(handler, entryBox(codec), 3000, tkhd)
}

// trackWith describes a track with one sample of this many bytes.
func trackWith(handler string, entry []byte, bytes uint32, tkhd []byte) []byte {
	return box("trak", tkhd, box("mdia",
		clockBox("mdhd", 0, 1000, 2500),
		box("hdlr", words(0, 0), []byte(handler), make([]byte, 13)),
		box("minf", box("stbl", box("stsd", words(0, 1), entry), box("stsz", words(0, 0, 1, bytes)), box("stco", words(0, 1, 40))))))
}

// entryBox describes the samples, as playable as the codec allows.
func entryBox(codec string) []byte {
	entry := append(make([]byte, 24), 1, 64, 0, 180) // 320 by 180
	entry = append(entry, make([]byte, 50)...)
	switch codec {
	case "avc1", "avc3":
		return box(codec, entry, box("avcC", avcC(100)))
	case "av01":
		return box(codec, entry, box("av1C", []byte{0x81, 0x04, 0x0c, 0}))
	case "mp4a":
		return soundBox(codec, esds(0x40, 2))
	case "Opus", "fLaC", ".mp3", "ac-3", "ec-3", "dtsc", "alac", "ipcm", "sowt", "samr":
		return soundBox(codec, nil)
	}
	return box(codec, entry)
}

func avcC(profile byte) []byte {
	return []byte{1, profile, 0, 30, 0xff, 0xe1, 0, 4, 0x67, profile, 0, 30, 0}
}

func soundBox(codec string, more []byte) []byte { return box(codec, make([]byte, 28), more) }

// esds describes sound by the number of its format, and that of AAC.
func esds(format, object byte) []byte {
	config := append([]byte{4, 17, format}, make([]byte, 12)...)
	config = append(config, 5, 2, object<<3, 0x10)
	return box("esds", words(0), []byte{3, byte(len(config) + 3), 0, 1, 0}, config)
}

// turned is the "tkhd" of a phone held upright.
func turned() []byte {
	return box("tkhd", make([]byte, 40), words(0, 1<<16, 0, 0xffff<<16, 0, 0, 0, 0, 1<<30, 320<<16, 180<<16))
}

var ftyp = box("ftyp", []byte("isom\x00\x00\x02\x00isomavc1"))
var mdat = box("mdat", make([]byte, 3000))

func movie(parts ...[]byte) []byte { return box("moov", parts...) }

// mp4File is complete except for the pictures themselves: 2.5 seconds.
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
		element(idNumber, []byte{1}), element(idType, []byte{1}), element(idConfig, []byte{0x81, 0x04, 0x0c, 0}),
		element(idVideo, element(idPixelWidth, []byte{1, 64}), element(idPixelHeight, []byte{180})))
}

var firstBytes = map[string][]byte{"V_VP8": {0x10, 0, 0, 0x9d, 0x01, 0x2a}, "V_VP9": {0x82}, "V_AV1": {0x12, 0}}

// block is a picture of the first track at the given time.
func block(codec string, time uint16) []byte {
	return element(idSimpleBlock, []byte{0x81, byte(time >> 8), byte(time), 0x80}, firstBytes[codec], make([]byte, 490))
}

// clusterOf has two pictures, 40 ms apart.
func clusterOf(codec string, time uint16) []byte {
	return element(idCluster, element(idTimestamp, []byte{byte(time >> 8), byte(time)}), block(codec, 0), block(codec, 40))
}

func webmFile(codec string) []byte {
	return append(webmHead("webm"), element(idSegment, webmInfo(2.5), element(idTracks, webmTrack(codec)), clusterOf(codec, 0))...)
}
