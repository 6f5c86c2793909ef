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

// init makes the process a decoder when decoderCommand started it. It is done here, and not in main, so that every program
// with this package can decode, the tests' among them, and so that nothing of a site begins in such a process.
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

// job is what a decoder process is to do, and may take.
type job struct {
	Shapes []shape
	Memory int64         // bytes
	Time   time.Duration // of a processor
}

// shape is what is made of a picture. Each of several is made of the one before.
type shape struct {
	Width, Height int  // at most
	Cut           bool // fill all of it with the middle of the picture
	Enlarge       bool // also a smaller one
	Lighter       bool // left out unless it is narrower than the one before and takes fewer bytes
}

// made is a picture as a decoder process hands it over: this, and behind the report its bytes.
type made struct {
	Type          string
	Size          int64
	Width, Height int
}

// report is the first line that a decoder process writes.
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

// overBudget is how a decoder process exits that took more than it may.
const overBudget = 3

// watch ends the process when it has taken more than it may. A hundred times a second is often enough: new memory comes at a
// few gigabytes a second at most, and a large piece is counted before it is used.
func (j job) watch(start time.Time) {
	debug.SetMemoryLimit(j.Memory * 7 / 8) // collects the garbage before that is taken for a bomb
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

// run reads an upload and writes a report and what was made.
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
	// As the decoders put it when the data ends before the picture does; only some say it with io.ErrUnexpectedEOF.
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

// picture is a decoded upload, and how it must be turned and coloured to look right.
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

// fromInks takes a printed picture to sRGB. There are four inks in the four bytes of a pixel, and each is scaled like any
// colour. It is made smaller first, because a profile of inks is slow to apply.
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

// encoded is a picture as the bytes of a file.
type encoded struct {
	data        []byte
	contentType string
	size        image.Point
}

// encode makes a JPEG, or a PNG where something shows through. Encoding anew is
// what removes the place where a photo was taken, the serial number of the
// camera, and anything that was hidden behind the picture.
func encode(img *image.RGBA) (encoded, error) {
	var b bytes.Buffer
	if img.Opaque() {
		err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality})
		return encoded{b.Bytes(), typeJPEG, img.Rect.Size()}, err
	}
	err := png.Encode(&b, img)
	return encoded{b.Bytes(), typePNG, img.Rect.Size()}, err
}
