package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"tokentube/utils/apperr"
)

// Video is a stored video.
type Video struct {
	Name          string  // private
	ContentType   string  // video/mp4 or video/webm
	Duration      float64 // seconds; 0 if the file doesn't contain it
	Width, Height int     // as displayed
	Size          int64   // bytes
}

// stream is what the file declares about itself.
type stream struct {
	seconds       float64
	width, height int
}

const videoField = "videoFile"

// SaveVideo stores a video that browsers can play: MP4 with H.264 or AV1, or WebM. It is read once, from the network
// into the storage, and inspected on its way through; whatever its size, this takes the same small amount of memory. If
// it turns out to be invalid, or the context is cancelled, nothing is kept.
func (s *Store) SaveVideo(ctx context.Context, r io.Reader) (Video, error) {
	if err := s.Room(0); err != nil {
		return Video{}, err
	}
	src := &source{ctx: ctx, r: r, limit: s.limits.VideoBytes, what: "video"}
	in := bufio.NewReaderSize(src, 4<<10)
	head, err := in.Peek(16)
	if src.err != nil {
		return Video{}, src.err
	}
	if err != nil && len(head) == 0 {
		return Video{}, apperr.InvalidField(videoField, "The file is empty.")
	}
	contentType, inspect, err := videoFormat(head)
	if err != nil {
		return Video{}, err
	}
	name, err := s.newName(private, contentType)
	if err != nil {
		return Video{}, err
	}
	var found stream
	err = s.put(ctx, name, contentType, func(w io.Writer) (err error) {
		found, err = passThrough(inspect, src, in, &sink{w: w, room: s.Room})
		return err
	})
	if err != nil {
		return Video{}, err
	}
	return Video{name, contentType, found.seconds, found.width, found.height, src.n}, nil
}

// videoFormat recognizes a video by its first bytes.
func videoFormat(head []byte) (contentType string, inspect func(*cursor) (stream, error), err error) {
	switch {
	case isQuickTime(head):
		return "", nil, apperr.New(apperr.UnsupportedMedia, "Most browsers can't play QuickTime (.mov). Export the video as MP4 with H.264 or AV1, or as WebM.")
	case isPictureBrand(brand(head)):
	case brand(head) != "":
		return typeMP4, inspectMP4, nil
	case len(head) >= 4 && [4]byte(head[:4]) == [4]byte{0x1a, 0x45, 0xdf, 0xa3}:
		return typeWebM, inspectWebM, nil
	}
	return "", nil, apperr.New(apperr.UnsupportedMedia, "A video must be MP4 with H.264 or AV1, or WebM.")
}

// passThrough copies all of in to out while inspect reads along.
func passThrough(inspect func(*cursor) (stream, error), src *source, in io.Reader, out *sink) (stream, error) {
	all := bufio.NewReaderSize(io.TeeReader(in, out), 256<<10)
	found, err := inspect(&cursor{r: all})
	if err == nil {
		_, err = io.Copy(io.Discard, all)
	}
	var known *apperr.Error
	switch {
	case src.err != nil: // the connection, the limit or the context
		return stream{}, src.err
	case out.err != nil:
		return stream{}, fmt.Errorf("store the video: %w", out.err)
	case errors.As(err, &known):
		return stream{}, err
	case err != nil:
		return stream{}, damagedVideo().Because(err)
	}
	return found, nil
}

// sink remembers whether the storage failed. It regularly checks whether there is space for more: many videos may be
// uploaded at once.
type sink struct {
	w      io.Writer
	room   func(int64) error
	looked int64 // the position up to which there was space
	n      int64
	err    error
}

const lookEvery = 16 << 20

func (s *sink) Write(p []byte) (int, error) {
	if s.n >= s.looked && s.room != nil {
		if s.err = s.room(lookEvery); s.err != nil {
			return 0, s.err
		}
		s.looked = s.n + lookEvery
	}
	n, err := s.w.Write(p)
	s.n += int64(n)
	if err != nil {
		s.err = err
	}
	return n, err
}

func damagedVideo() *apperr.Error {
	return apperr.InvalidField(videoField, "The video is damaged or incomplete.")
}

// maxSeconds and maxSide are far beyond any real video.
const (
	maxSeconds = 1000 * 3600
	maxSide    = 16384
)

// check rejects values that no video can have.
func (s stream) check() error {
	if !(s.seconds >= 0 && s.seconds <= maxSeconds) { // written so that NaN fails too
		return damagedVideo()
	}
	if s.width < 1 || s.height < 1 || s.width > maxSide || s.height > maxSide {
		return damagedVideo()
	}
	return nil
}

// cursor reads forward and knows its position. It never allocates memory based on what a file claims: it reads the few
// bytes that are needed and skips the rest.
type cursor struct {
	r  *bufio.Reader
	at int64
}

var errStructure = errors.New("the parts do not fit into each other")

// read fills p, which must end before end.
func (c *cursor) read(p []byte, end int64) error {
	if int64(len(p)) > end-c.at {
		return errStructure
	}
	n, err := io.ReadFull(c.r, p)
	c.at += int64(n)
	return err
}

// skip advances to the given position. A file that ends before it is incomplete.
func (c *cursor) skip(to int64) error {
	if to < c.at {
		return errStructure
	}
	n, err := io.CopyN(io.Discard, c.r, to-c.at)
	c.at += n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// rest advances to the end of the file.
func (c *cursor) rest() error {
	n, err := io.Copy(io.Discard, c.r)
	c.at += n
	return err
}
