// Package clip makes short videos by code, for the sample content: real MP4
// files with H.264 that browsers play. It writes the simplest pictures that the
// standard has (ITU-T H.264): blocks that changed as plain samples, the others
// as "the same as before". That is exact, and small where little moves.
//
// It does not belong here: uploads (utils/media), still pictures (utils/picture),
// and anything that one would call a video encoder.
package clip

import (
	"fmt"
	"image"
	"io"

	"github.com/Eyevinn/mp4ff/mp4"
)

// maxSide keeps the pictures within level 3.1 of the standard.
const maxSide = 1280

// Encode writes n pictures, shown fps a second, as one MP4 file whose index
// comes first. All pictures have the size of the first: even numbers of pixels,
// at most 1280 by 720. The file is put together in memory before it is written.
func Encode(w io.Writer, n, fps int, frame func(i int) image.Image) error {
	if n < 1 || fps < 1 || fps > 240 {
		return fmt.Errorf("clip: %d pictures at %d a second", n, fps)
	}
	first := frame(0)
	size := first.Bounds().Size()
	if size.X < 2 || size.Y < 2 || size.X%2 != 0 || size.Y%2 != 0 || size.X > maxSide || size.X*size.Y > maxSide*720 {
		return fmt.Errorf("clip: pictures of %d by %d", size.X, size.Y)
	}
	e := newEncoder(size.X, size.Y, fps)
	samples := [][]byte{e.encode(first)}
	for i := 1; i < n; i++ {
		img := frame(i)
		if got := img.Bounds().Size(); got != size {
			return fmt.Errorf("clip: picture %d is %v, the first is %v", i, got, size)
		}
		samples = append(samples, e.encode(img))
	}
	return mux(w, e, samples)
}

// unitsPerFrame makes the time scale of the file fine enough for players that
// round to it.
const unitsPerFrame = 100

// mux writes ftyp, moov and mdat, in this order: a browser can then start to
// play before the whole file is there.
func mux(w io.Writer, e *encoder, samples [][]byte) error {
	ftyp := mp4.NewFtyp("isom", 0x200, []string{"isom", "iso2", "avc1", "mp41"})
	moov, stco, err := index(e, samples)
	if err != nil {
		return fmt.Errorf("clip: %w", err)
	}
	stco.ChunkOffset = []uint32{0}
	mdat := &mp4.MdatBox{DataParts: samples}
	stco.ChunkOffset[0] = uint32(ftyp.Size() + moov.Size() + mdat.HeaderSize())
	for _, b := range []mp4.Box{ftyp, moov, mdat} {
		if err := b.Encode(w); err != nil {
			return fmt.Errorf("clip: write %s: %w", b.Type(), err)
		}
	}
	return nil
}

// index describes the one track, whose pictures lie in one piece.
func index(e *encoder, samples [][]byte) (*mp4.MoovBox, *mp4.StcoBox, error) {
	count, scale := uint32(len(samples)), uint32(e.fps*unitsPerFrame)
	length := uint64(count) * unitsPerFrame
	trak := mp4.CreateEmptyTrak(1, scale, "video", "und")
	if err := trak.SetAVCDescriptor("avc1", [][]byte{e.sps()}, [][]byte{e.pps()}, true); err != nil {
		return nil, nil, err
	}
	trak.Tkhd.Duration, trak.Mdia.Mdhd.Duration = length, length
	table := trak.Mdia.Minf.Stbl
	table.Stts.SampleCount, table.Stts.SampleTimeDelta = []uint32{count}, []uint32{unitsPerFrame}
	if err := table.Stsc.AddEntry(1, count, 1); err != nil {
		return nil, nil, err
	}
	table.Stsz.SampleNumber = count
	for _, s := range samples {
		table.Stsz.SampleSize = append(table.Stsz.SampleSize, uint32(len(s)))
	}
	table.AddChild(&mp4.StssBox{SampleNumber: []uint32{1}}) // seeking starts at the first
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale, mvhd.Duration, mvhd.NextTrackID = scale, length, 2
	moov := mp4.NewMoovBox()
	moov.AddChild(mvhd)
	moov.AddChild(trak)
	return moov, table.Stco, nil
}
