package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"io"

	"golang.org/x/image/webp"
)

var errNoFrame = errors.New("webp: no whole first frame")

// decodeWebP decodes a WebP; for an animated one, which the library doesn't support, its first frame.
func decodeWebP(r io.Reader) (image.Image, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	canvas, frame := firstFrame(data)
	if frame == nil {
		return webp.Decode(bytes.NewReader(data))
	}
	at := image.Pt(2*uint24(frame), 2*uint24(frame[3:]))
	size := image.Pt(1+uint24(frame[6:]), 1+uint24(frame[9:]))
	if !(image.Rectangle{at, at.Add(size)}).In(canvas) {
		return nil, errNoFrame
	}
	img, err := webp.Decode(bytes.NewReader(stillWebP(frame)))
	if err != nil || img.Bounds() == canvas {
		return img, err
	}
	whole := image.NewNRGBA(canvas)
	draw.Draw(whole, img.Bounds().Add(at), img, image.Point{}, draw.Src)
	return whole, nil
}

// firstFrame is the canvas and the first frame of an animated WebP, if the file is one. A frame begins with a header of
// 16 bytes.
func firstFrame(data []byte) (canvas image.Rectangle, frame []byte) {
	for name, body := range webpChunks(data[12:]) {
		switch {
		case name == "VP8X" && len(body) == 10 && body[0]&webpAnimated != 0:
			canvas = image.Rect(0, 0, 1+uint24(body[4:]), 1+uint24(body[7:]))
		case name == "ANMF" && len(body) > 16 && !canvas.Empty():
			return canvas, body
		}
	}
	return canvas, nil
}

// Flags of the extended header.
const (
	webpAnimated = 0x02
	webpAlpha    = 0x10
)

// stillWebP makes a file from a single frame.
func stillWebP(frame []byte) []byte {
	header := make([]byte, 10)
	copy(header[4:], frame[6:12]) // width and height have the same encoding
	for name := range webpChunks(frame[16:]) {
		if name == "ALPH" {
			header[0] = webpAlpha
		}
	}
	body := append([]byte("WEBPVP8X\x0a\x00\x00\x00"), header...)
	body = append(body, frame[16:]...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
