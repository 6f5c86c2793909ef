package controllers

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/media"
)

// uploads are the files that a request has stored so far.
type uploads struct {
	db      *store.DB
	names   []string
	release func() // frees the memory that its pictures take; nil if they take none
}

// discard removes the files, unless a document names them by now: no failed request leaves a file behind, even if its
// client disconnected.
func (u *uploads) discard(c *gin.Context) {
	if u.release != nil {
		u.release()
	}
	_ = u.db.DeleteFiles(context.WithoutCancel(c), u.names...)
}

// settle takes the outcome of writing the document that names the files. They stay if it was written or may have been:
// if it turns out that nothing names them, the daily sweep removes them.
func (u *uploads) settle(err error) {
	if err == nil || store.InDoubt(err) {
		u.names = nil
	}
}

// add remembers stored files.
func (u *uploads) add(names ...string) { u.names = append(u.names, names...) }

// receive accepts an uploaded picture. It is decoded last, after the whole request has arrived.
func (a *App) receive(c *gin.Context, field string, to **media.Picture) func(io.Reader) error {
	return func(r io.Reader) (err error) {
		*to, err = a.Media.Receive(c, field, r, middlewares.Turn(c, middlewares.UserID(c)).Of...)
		return ofField(field, err)
	}
}

// ofField turns the rejection of a picture into a fault of its field, so that the form shows it there.
func ofField(field string, err error) error {
	var e *apperr.Error
	if errors.As(err, &e) && len(e.Fields) == 0 && (e.Code == apperr.UnsupportedMedia || e.Code == apperr.TooLarge) {
		e.Fields = []apperr.Field{{Name: field, Message: e.Message}}
	}
	return err
}

// picture decodes and stores a picture under a single name, if one was received.
func (u *uploads) picture(c *gin.Context, p *media.Picture, save func(context.Context, *media.Picture) (string, error)) (string, error) {
	if p == nil {
		return "", nil
	}
	name, err := save(c, p)
	if err == nil {
		u.add(name)
	}
	return name, ofField(p.Field(), err)
}

// withPictures adds the faults of the pictures that only decoding reveals to those of the form, so that the user sees
// all of them at once. If the pictures can't be decoded now, only the known faults are reported. Without any fault it
// decodes nothing: storing a picture does that.
func (a *App) withPictures(c *gin.Context, faults error, sent ...*media.Picture) error {
	if faults == nil || !apperr.OfFields(faults) {
		return faults
	}
	for _, p := range sent {
		if p == nil {
			continue
		}
		if err := ofField(p.Field(), a.Media.Check(c, p)); apperr.OfFields(err) {
			faults = apperr.Join(faults, err)
		}
	}
	return faults
}

// videoFile is the only field whose file is streamed straight to storage. All others are pictures, which are decoded in
// memory.
const videoFile = "videoFile"

// read is input.Read for a request with files. Pictures are spooled to disk until the whole request has arrived, so
// that a slow sender holds no memory; only then do they wait for memory and get decoded.
func (a *App) read(c *gin.Context, dst any, taken input.Files, u *uploads) error {
	arrived := map[string]*media.Spool{}
	defer func() {
		for _, file := range arrived {
			file.Close()
		}
	}()
	files := maps.Clone(taken)
	for name := range files {
		if name != videoFile {
			files[name] = func(r io.Reader) error {
				file, err := a.Media.Spool(c, r)
				if err == nil {
					arrived[name] = file
				}
				return ofField(name, err)
			}
		}
	}
	faults := input.Read(c.Request, dst, files)
	if !apperr.OfFields(faults) || len(arrived) == 0 {
		return faults
	}
	var bytes int64
	for _, file := range arrived {
		bytes += file.Size
	}
	var err error
	if u.release, err = a.Media.Memory(c, bytes); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(arrived)) {
		faults = apperr.Join(faults, taken[name](arrived[name]))
	}
	return faults
}

// within reads a file up to what is left of its owner's quota.
type within struct {
	r    io.Reader
	left int64
	over error
}

// withinQuota aborts the upload of a video as soon as it exceeds its owner's remaining space.
func (a *App) withinQuota(c *gin.Context, r io.Reader) io.Reader {
	space := a.Posts.Space(middlewares.Current(c).User)
	return &within{r, space.Left(), space.ErrOver()}
}

func (w *within) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if w.left -= int64(n); w.left < 0 {
		return 0, w.over
	}
	return n, err
}

// checkSpace rejects an upload that its owner has no room for before reading any of it: the quota is used up, or the
// request's length means that the video is too large.
func (p postsOf) checkSpace(c *gin.Context) error {
	if p.kind == models.Text {
		return nil
	}
	space := p.Posts.Space(middlewares.Current(c).User)
	least := int64(1)
	if p.kind == models.Video {
		least = max(1, c.Request.ContentLength-p.Config.MaxImageBytes-2*input.TextLimit)
	}
	if space.Left() < least {
		return space.ErrOver()
	}
	return nil
}

// spaceUsed is how much of their quota a user has used, for pages; nil without a quota.
type spaceUsed struct{ Used, Quota string }

func (a *App) spaceUsed(c *gin.Context) *spaceUsed {
	space := a.Posts.Space(middlewares.Current(c).User)
	if !space.Bounded() {
		return nil
	}
	return &spaceUsed{input.Size(max(0, space.Used)), input.Size(space.Quota)}
}
