package testsite

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"slices"
)

// Video is a clip of three seconds, 320 by 180, that browsers play: a square goes
// over a gradient. ffmpeg made it:
//
//	ffmpeg -f lavfi -i gradients=s=320x180:r=10:d=3:c0=0x2a9d8f:c1=0x264653:x0=0:y0=0:x1=320:y1=180:speed=0.02 \
//	  -f lavfi -i color=c=0xfafaf0:s=32x32:r=10:d=3 -filter_complex "[0][1]overlay=x='mod(8*n,288)':y=74,format=yuv420p" \
//	  -c:v libx264 -preset veryslow -crf 30 -movflags +faststart video.mp4
//
//go:embed video.mp4
var Video []byte

// VideoBefore is the beginning of a larger video: it must be followed by this many more bytes, which are its last
// picture.
func VideoBefore(more int) []byte {
	word := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) } // #nosec G115 -- tests use small ones
	box := func(kind string, body ...[]byte) []byte {
		all := bytes.Join(body, nil)
		return slices.Concat(word(len(all)+8), []byte(kind), all)
	}
	fragment := box("moof", box("traf", box("tfhd", word(0), word(1)), box("trun", word(0x200), word(1), word(more))))
	return slices.Concat(Video, fragment, word(more+8), []byte("mdat"))
}
