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
	release func() // the memory that its pictures take; nil: none
}

// discard removes them again, unless they are named by now: no failed request leaves a file behind, also when its client
// is gone.
func (u *uploads) discard(c *gin.Context) {
	if u.release != nil {
		u.release()
	}
	_ = u.db.DeleteFiles(context.WithoutCancel(c), u.names...)
}

// settle is called with how writing the document ended that names the files. They stay if it was written, or may have
// been: the daily sweep removes what nothing names after all.
func (u *uploads) settle(err error) {
	if err == nil || store.InDoubt(err) {
		u.names = nil
	}
}

// add remembers stored files.
func (u *uploads) add(names ...string) { u.names = append(u.names, names...) }

// receive takes the upload of a picture. It is decoded last, when all of the request has arrived.
func (a *App) receive(c *gin.Context, field string, to **media.Picture) func(io.Reader) error {
	return func(r io.Reader) (err error) {
		*to, err = a.Media.Receive(c, field, r, middlewares.Turn(c, middlewares.UserID(c)).Of...)
		return ofField(field, err)
	}
}

// ofField makes a picture that isn't accepted a fault of its field, so that a form shows it there.
func ofField(field string, err error) error {
	var e *apperr.Error
	if errors.As(err, &e) && len(e.Fields) == 0 && (e.Code == apperr.UnsupportedMedia || e.Code == apperr.TooLarge) {
		e.Fields = []apperr.Field{{Name: field, Message: e.Message}}
	}
	return err
}

// picture decodes and stores a picture under one name, if one was received.
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

// withPictures adds to what is wrong with a form what is wrong with its pictures and shows only when they are opened, so that
// one round tells all of it. If they can't be opened now, the form is refused for what is known. Without a fault it opens
// nothing: storing a picture does that.
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

// videoFile is the one file that is streamed to where it stays. All others are pictures, which are decoded in memory.
const videoFile = "videoFile"

// read is input.Read for a request with files. Pictures wait on the disk until all of the request has arrived, so that nobody
// holds memory by sending slowly; then they wait for memory, and are taken.
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

// withinQuota ends the upload of a video that its owner has no room for as soon as that is plain.
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

// checkSpace refuses an upload for which its owner has no room, before any of it is read: a user whose quota is used up, or a
// request whose video must be too large.
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

// spaceUsed is how much of their quota a user has used, as pages show it; nil without a quota.
type spaceUsed struct{ Used, Quota string }

func (a *App) spaceUsed(c *gin.Context) *spaceUsed {
	space := a.Posts.Space(middlewares.Current(c).User)
	if !space.Bounded() {
		return nil
	}
	return &spaceUsed{input.Size(max(0, space.Used)), input.Size(space.Quota)}
}
