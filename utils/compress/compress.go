package compress

import (
	"bytes"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// smallest is the size from which compression is worthwhile: anything smaller fits into one packet anyway.
	smallest = 1 << 10
	// window is how far back an encoder looks, and most of its memory. Pages are rarely longer.
	window = 128 << 10
)

// Encoder encodes whole bodies. It encodes as many at once as there are processors, and others wait for their turn, so
// that its memory is bounded however many requests there are.
type Encoder struct {
	zstd *zstd.Encoder
	gzip chan *gzip.Writer
}

// Fast makes an Encoder for content that is generated for each request.
func Fast() *Encoder { return newEncoder(zstd.SpeedFastest, gzip.BestSpeed, runtime.GOMAXPROCS(0)) }

// Best makes an Encoder for content that is encoded once and sent often. zstd's best level would gain little on files
// this small, and would fill a table of 32 MB at every start.
func Best() *Encoder { return newEncoder(zstd.SpeedBetterCompression, gzip.BestCompression, 1) }

func newEncoder(speed zstd.EncoderLevel, level, atOnce int) *Encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(atOnce), zstd.WithWindowSize(window),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // an invalid option: a bug in this file
	}
	e := &Encoder{zstd: z, gzip: make(chan *gzip.Writer, atOnce)}
	for range atOnce {
		g, err := gzip.NewWriterLevel(nil, level)
		if err != nil {
			panic(err)
		}
		e.gzip <- g
	}
	return e
}

// Encode returns the encoded body and its coding, which is Identity if encoding wouldn't make it smaller.
func (e *Encoder) Encode(to Coding, body []byte) ([]byte, Coding) {
	if to == Identity || len(body) < smallest {
		return body, Identity
	}
	var small []byte
	switch to {
	case Zstd:
		small = e.zstd.EncodeAll(body, make([]byte, 0, len(body)/4))
	case Gzip:
		small = e.gzipped(body)
	}
	if len(small) == 0 || len(small) >= len(body) {
		return body, Identity
	}
	return small, to
}

func (e *Encoder) gzipped(body []byte) []byte {
	w := <-e.gzip
	defer func() { e.gzip <- w }()
	out := bytes.NewBuffer(make([]byte, 0, len(body)/4))
	w.Reset(out)
	if _, err := w.Write(body); err != nil { // writing to a buffer never fails
		return nil
	}
	if err := w.Close(); err != nil {
		return nil
	}
	return out.Bytes()
}
