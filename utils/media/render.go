package media

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	flexible "github.com/kovidgoyal/imaging/jpeg"

	"tokentube/utils/apperr"
)

// init turns the process into a decoder if decoderCommand started it. It happens here rather than in main, so that
// every program with this package can decode, including tests, and so that no part of a site is started in such a
// process.
func init() {
	text := os.Getenv(jobVariable)
	if text == "" {
		return
	}
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		os.Exit(1)
	}
	beNice()
	go j.watch(time.Now())
	if err := j.run(os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// job is what a decoder process should do, and the limits it must respect.
type job struct {
	Shapes []shape
	Memory int64         // bytes
	Time   time.Duration // processor time
}

// shape describes a picture to make from an upload. Each one after the first is made from the previous result.
type shape struct {
	Width, Height int  // maximum size
	Cut           bool // fill the whole size with the middle of the picture
	Enlarge       bool // even if the picture is smaller
	Lighter       bool // omitted unless it is narrower and smaller in bytes than the previous one
}

// made is a picture as passed on by a decoder process: this header, with its bytes after the report.
type made struct {
	Type          string
	Size          int64
	Width, Height int
}

// report is the first line of a decoder process's output.
type report struct {
	Fault  string // why nothing was made
	Detail string
	Made   []made
}

// The faults.
const (
	faultDamaged     = "damaged"
	faultIncomplete  = "incomplete"
	faultUnsupported = "unsupported"
)

func (r report) refusal(field string) error {
	cause := errors.New(r.Detail)
	switch r.Fault {
	case faultIncomplete:
		return apperr.InvalidField(field, "The picture is incomplete. The file was cut off.").Because(cause)
	case faultUnsupported:
		return unsupportedJPEG().Because(cause)
	}
	return damagedPicture(field, cause)
}

// overBudget is the exit status of a decoder process that exceeded its limits.
const overBudget = 3

// watch ends the process when it exceeds its limits. Checking a hundred times a second is enough: memory grows by at
// most a few gigabytes per second, and a large allocation is counted before it is used.
func (j job) watch(start time.Time) {
	debug.SetMemoryLimit(j.Memory * 7 / 8) // collects garbage before it is mistaken for a bomb
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for {
		metrics.Read(samples)
		held := samples[0].Value.Uint64() - samples[1].Value.Uint64()
		if int64(held) > j.Memory || spent(start) > j.Time {
			os.Exit(overBudget)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// run reads an upload and writes a report and the results.
func (j job) run(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var said report
	files, err := j.render(data)
	if err != nil {
		said.Fault, said.Detail = faultOf(err), err.Error()
	}
	for _, file := range files {
		said.Made = append(said.Made, made{file.contentType, int64(len(file.data)), file.size.X, file.size.Y})
	}
	w := bufio.NewWriter(out)
	if err := json.NewEncoder(w).Encode(said); err != nil {
		return err
	}
	for _, file := range files {
		if _, err := w.Write(file.data); err != nil {
			return err
		}
	}
	return w.Flush()
}

func faultOf(err error) string {
	var unsupported flexible.UnsupportedError
	if errors.As(err, &unsupported) {
		return faultUnsupported
	}
	// The decoders' messages if the data ends before the picture does; only some of them return io.ErrUnexpectedEOF.
	for _, text := range []string{"unexpected EOF", "short Huffman data", "missing 0xff00 sequence"} {
		if strings.Contains(err.Error(), text) {
			return faultIncomplete
		}
	}
	return faultDamaged
}

// render decodes an upload and makes the shapes.
func (j job) render(data []byte) (files []encoded, err error) {
	p, err := decode(data)
	if err != nil {
		return nil, err
	}
	for _, s := range j.Shapes {
		if s.Lighter && p.Bounds().Dx() <= s.Width {
			continue
		}
		img := s.of(p)
		p.colours.apply(img)
		file, err := encode(img)
		if err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		if s.Lighter && len(file.data) >= len(files[len(files)-1].data) {
			continue
		}
		files = append(files, file)
		p = picture{Image: img, turn: upright}
	}
	return files, nil
}

// picture is a decoded upload, and how to rotate it and convert its colours.
type picture struct {
	image.Image
	turn    orientation
	colours conversion
}

func decode(data []byte) (p picture, err error) {
	kind := sniff(data)
	exif, profile := metadata(kind, data)
	p.turn = readOrientation(exif)
	r := io.Reader(bytes.NewReader(data))
	switch kind {
	case formatJPEG:
		j := readJPEG(data)
		p.Image, err = flexible.Decode(bytes.NewReader(j.whole(data)))
	case formatPNG:
		p.Image, err = png.Decode(r)
	case formatGIF:
		p.Image, err = gif.Decode(r)
	case formatWebP:
		p.Image, err = decodeWebP(r)
	}
	if err != nil {
		return p, err
	}
	switch img := p.Image.(type) {
	case *image.CMYK:
		p.Image = fromInks(img, profile)
	case *image.Gray, *image.Gray16:
		p.colours, _ = readProfile(profile, 1)
	default:
		p.colours, _ = readProfile(profile, 3)
	}
	return p, nil
}

// fromInks converts a CMYK picture to sRGB. A pixel's four bytes hold the four inks, which are scaled like any colours.
// The picture is scaled down first, because applying a CMYK profile is slow.
func fromInks(img *image.CMYK, profile []byte) image.Image {
	inks := fit(picture{Image: &image.RGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}, turn: upright}, photoSide, photoSide)
	colours, err := readProfile(profile, 4)
	if err != nil {
		inksToRGB(inks)
		return inks
	}
	colours.apply(inks)
	return inks
}

// of makes the shape.
func (s shape) of(p picture) *image.RGBA {
	if !s.Cut {
		return fit(p, s.Width, s.Height)
	}
	w, h := s.Width, s.Height
	if !s.Enlarge {
		b := p.Bounds()
		if p.turn.sideways() {
			b = image.Rect(0, 0, b.Dy(), b.Dx())
		}
		width := min(w, middle(b, w, h).Dx())
		w, h = width, max(1, width*h/w)
	}
	return cover(p, w, h)
}

// encoded is a picture encoded as a file.
type encoded struct {
	data        []byte
	contentType string
	size        image.Point
}

// encode makes a JPEG, or a PNG if the picture has transparency. Re-encoding removes the location of a photo, the
// serial number of the camera, and anything hidden after the picture.
func encode(img *image.RGBA) (encoded, error) {
	var b bytes.Buffer
	if img.Opaque() {
		err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality})
		return encoded{b.Bytes(), typeJPEG, img.Rect.Size()}, err
	}
	err := png.Encode(&b, img)
	return encoded{b.Bytes(), typePNG, img.Rect.Size()}, err
}
