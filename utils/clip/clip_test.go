package clip

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math/bits"
	"testing"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
	"tokentube/utils/media"
)

// dots is a picture with a bright square that moves with i.
func dots(w, h, i int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), 0, 255})
			if (x-i*7)/10 == 1 && y < 12 {
				img.SetRGBA(x, y, color.RGBA{255, 255, 255, 255})
			}
		}
	}
	return img
}

func TestEncodeIsTaken(t *testing.T) {
	cases := []struct {
		w, h, n, fps int
		seconds      float64
	}{
		{320, 180, 40, 10, 4}, {480, 270, 30, 15, 2}, {64, 64, 1, 1, 1}, {2, 2, 600, 30, 20}, {18, 34, 3, 25, 0.12},
	}
	s, err := media.Open(t.Context(), "mem://", "", media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range cases {
		var b bytes.Buffer
		if err := Encode(&b, c.n, c.fps, func(i int) image.Image { return dots(c.w, c.h, i) }); err != nil {
			t.Fatal(err)
		}
		v, err := s.SaveVideo(t.Context(), &b)
		if err != nil || v.Duration != c.seconds || v.Width != c.w || v.Height != c.h {
			t.Errorf("%+v became %+v, %v", c, v, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	cases := []struct{ w, h, n, fps int }{
		{320, 180, 0, 10}, {320, 180, 1, 0}, {320, 180, 1, 1000}, {321, 180, 1, 10}, {320, 181, 1, 10},
		{0, 0, 1, 10}, {1282, 2, 1, 10}, {2, 1282 * 720, 1, 10},
	}
	for _, c := range cases {
		blank := image.NewUniform(color.Black)
		frame := func(int) image.Image { return sized{blank, image.Rect(0, 0, c.w, c.h)} }
		if err := Encode(&bytes.Buffer{}, c.n, c.fps, frame); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	growing := func(i int) image.Image { return dots(16+2*i, 16, i) }
	if err := Encode(&bytes.Buffer{}, 2, 1, growing); err == nil {
		t.Error("pictures of two sizes were taken")
	}
	if err := Encode(full{}, 1, 1, growing); !errors.Is(err, errFull) {
		t.Errorf("error is %v, want the writer's", err)
	}
}

// sized is a picture of one colour and any size.
type sized struct {
	image.Image
	bounds image.Rectangle
}

func (s sized) Bounds() image.Rectangle { return s.bounds }

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

// What a decoder makes of the file is what was put in, to the bit.
func TestEncodeIsExact(t *testing.T) {
	const w, h, n = 70, 50, 300 // blocks over the edge; numbers that wrap
	var b bytes.Buffer
	if err := Encode(&b, n, 10, func(i int) image.Image { return dots(w, h, i%9) }); err != nil {
		t.Fatal(err)
	}
	file, err := mp4.DecodeFile(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if kinds := []string{file.Children[0].Type(), file.Children[1].Type(), file.Children[2].Type()}; kinds[1] != "moov" || kinds[2] != "mdat" {
		t.Errorf("the boxes are %v", kinds)
	}
	table := file.Moov.Trak.Mdia.Minf.Stbl
	at := int(table.Stco.ChunkOffset[0])
	want, seen := newEncoder(w, h, 10), make([]block, 5*4)
	for i, size := range table.Stsz.SampleSize {
		want.load(dots(w, h, i%9))
		sample := b.Bytes()[at : at+int(size)]
		at += int(size)
		decode(t, sample[4:], seen, i)
		for k := range seen {
			if seen[k] != want.next[k] {
				t.Fatalf("picture %d differs in block %d", i, k)
			}
		}
	}
	if at != b.Len() {
		t.Errorf("%d bytes follow the last picture", b.Len()-at)
	}
}

// decode reads a picture of the kinds that the encoder writes.
func decode(t *testing.T, unit []byte, to []block, number int) {
	t.Helper()
	in := reader{data: bytes.ReplaceAll(unit[1:], []byte{0, 0, 3}, []byte{0, 0})}
	in.unsigned()
	kind := in.unsigned()
	in.unsigned()
	if got := in.take(8); got != number%256 {
		t.Fatalf("picture %d has the number %d", number, got)
	}
	if kind == pictureI {
		in.unsigned()
		in.take(2)
	} else {
		in.take(3)
	}
	in.unsigned()
	if in.unsigned() != 1 {
		t.Fatalf("picture %d has smooth edges", number)
	}
	for i := 0; i < len(to); i++ {
		if kind == pictureP {
			if i += in.unsigned(); i == len(to) {
				break
			}
		}
		if got := in.unsigned(); got != plainInI && got != plainInP {
			t.Fatalf("block %d of picture %d is of type %d", i, number, got)
		}
		in.at = (in.at + 7) / 8 * 8
		in.at += 8 * copy(to[i][:], in.data[in.at/8:])
	}
	if rest := in.data[in.at/8] << (in.at % 8); rest != 0x80 || in.at/8 != len(in.data)-1 {
		t.Errorf("picture %d does not end where it should", number)
	}
}

type reader struct {
	data []byte
	at   int
}

func (r *reader) take(n int) (v int) {
	for range n {
		v = v<<1 | int(r.data[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

func (r *reader) unsigned() int {
	n := 0
	for r.take(1) == 0 {
		n++
	}
	return 1<<n - 1 + r.take(n)
}

func TestParameters(t *testing.T) {
	e := newEncoder(480, 270, 15)
	sps, err := avc.ParseSPSNALUnit(e.sps(), true)
	if err != nil {
		t.Fatal(err)
	}
	if sps.Width != 480 || sps.Height != 270 || sps.Profile != 66 || sps.VUI == nil || sps.VUI.TimeScale != 30 {
		t.Errorf("got %+v, %+v", sps, sps.VUI)
	}
	if _, err := avc.ParsePPSNALUnit(e.pps(), map[uint32]*avc.SPS{0: sps}); err != nil {
		t.Error(err)
	}
}

func TestUnitHasNoStartCode(t *testing.T) {
	var b fields
	b.bytes(0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0)
	want := []byte{9, 0, 0, 3, 0, 0, 3, 0, 1, 0, 0, 3, 2, 0, 0, 3, 3, 0, 0, 0x80}
	if got := b.nal(9); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	for v := range 1000 {
		var b fields
		b.unsigned(v)
		in := reader{data: b.data}
		if got := in.unsigned(); got != v || in.at != 2*bits.Len(uint(v+1))-1 {
			t.Errorf("%d is read as %d", v, got)
		}
	}
}

func TestSample(t *testing.T) {
	s, err := media.Open(t.Context(), "mem://", "", media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for seed := range uint64(4) {
		data, poster, err := Sample(seed)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 3<<20 {
			t.Errorf("seed %d has %d bytes", seed, len(data))
		}
		if b := poster.Bounds(); b.Dx() != 640 || b.Dy() != 360 {
			t.Errorf("the poster is %v", b)
		}
		v, err := s.SaveVideo(t.Context(), bytes.NewReader(data))
		if err != nil || v.Duration < 4 || v.Duration > 8 || v.Width != 480 || v.Height != 270 {
			t.Errorf("seed %d became %+v, %v", seed, v, err)
		}
	}
	one, _, _ := Sample(5)
	again, _, _ := Sample(5)
	if !bytes.Equal(one, again) {
		t.Error("a seed does not always give the same")
	}
}
