package controllers

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/media"
	"tokentube/utils/respond"
)

// Exports let users download their data.
type Exports struct {
	*App
	running *sync.Map // the ids of users with an export in progress
}

// NewExports makes the feature.
func NewExports(app *App) Exports { return Exports{app, new(sync.Map)} }

// Routes registers the feature. An export is everything that a thief could want, so the session is read past the cache,
// the user must have confirmed who they are recently, and no other site can start one.
func (e Exports) Routes(r middlewares.Access) {
	r.Sensitive.Confirmed().Page(http.MethodGet, "/settings/data", e.Index)
	r.Sensitive.Confirmed().Download().Limit(e.Auth.Limits.Exports).Both(http.MethodGet, "/settings/data/export", e.Show)
}

// Index is GET /settings/data.
func (e Exports) Index(c *gin.Context) error { return respond.Show(c, "settings/data", nil) }

// Show is GET /settings/data/export: a zip of all of the user's data, kind by kind, as the registry defines it
// (store.Kind.Export). It is streamed, so it takes no more memory or disk space for more posts.
func (e Exports) Show(c *gin.Context) error {
	user := middlewares.Current(c).User
	if _, running := e.running.LoadOrStore(user.ID, true); running {
		return apperr.New(apperr.Conflict, "Your export is already being downloaded. Wait until it is complete, or cancel it.")
	}
	defer e.running.Delete(user.ID)
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Type", "application/zip")
	c.Header("Content-Disposition", `attachment; filename="tokentube-`+user.Username+`-`+e.Now().UTC().Format("2006-01-02")+`.zip"`)
	if c.Request.Method == http.MethodHead {
		return nil
	}
	w := &exportWriter{zip: zip.NewWriter(c.Writer), made: e.Now()}
	if err := e.write(c, w, user.ID); err != nil {
		if c.Request.Context().Err() == nil {
			e.Log.ErrorContext(c, "an export was cut off", "error", err)
		}
		panic(http.ErrAbortHandler) // otherwise the client would mistake half an export for a complete one
	}
	return nil
}

const exportReadme = `This is what you have on Tokentube.

Each .json file holds one kind of thing, such as your posts or your comments, as a list. The files that they
name are in the folder "files". Times are in UTC. What belongs to others isn't here: of a post that you liked
or commented on, there is only its id. Neither are your password, which is not kept, and anything that could
log someone in.
`

func (e Exports) write(ctx context.Context, w *exportWriter, user bson.ObjectID) error {
	if err := w.text("README.txt", exportReadme); err != nil {
		return err
	}
	if err := e.DB.Export(ctx, user, w.document); err != nil {
		return err
	}
	if err := w.endList(); err != nil {
		return err
	}
	if err := e.DB.ExportFiles(ctx, user, func(name string) error { return w.file(ctx, e.Media, name) }); err != nil {
		return err
	}
	return w.zip.Close()
}

// exportWriter writes the zip.
type exportWriter struct {
	zip  *zip.Writer
	made time.Time
	kind string    // of the list that is being written
	list io.Writer // nil before the first
}

func (w *exportWriter) create(name string, method uint16) (io.Writer, error) {
	return w.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: w.made})
}

func (w *exportWriter) text(name, content string) error {
	entry, err := w.create(name, zip.Deflate)
	if err == nil {
		_, err = io.WriteString(entry, content)
	}
	return err
}

// document adds a document to the list of its kind; the kinds come one after the other.
func (w *exportWriter) document(d store.Exported) (err error) {
	separator := ",\n"
	if w.list == nil || w.kind != d.Kind {
		if err := w.endList(); err != nil {
			return err
		}
		if w.list, err = w.create(d.Kind+".json", zip.Deflate); err != nil {
			return err
		}
		w.kind, separator = d.Kind, "[\n"
	}
	line, err := json.Marshal(d.Document)
	if err == nil {
		_, err = w.list.Write(append([]byte(separator), line...))
	}
	return err
}

func (w *exportWriter) endList() (err error) {
	if w.list != nil {
		_, err = io.WriteString(w.list, "\n]\n")
		w.list = nil
	}
	return err
}

// file adds a stored file uncompressed: pictures and videos are compressed already. One that has been deleted in the
// meantime is left out.
func (w *exportWriter) file(ctx context.Context, files *media.Store, name string) (err error) {
	file, err := files.Read(ctx, name)
	if errors.Is(err, media.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	entry, err := w.create(path.Join("files", name), zip.Store)
	if err == nil {
		_, err = io.Copy(entry, file)
	}
	return err
}
