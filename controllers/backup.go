package controllers

import (
	"net/http"
	"os"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/apperr"
	"tokentube/utils/archive"
)

// Backups let administrators download the site.
type Backups struct {
	*App
	running *atomic.Bool
}

// NewBackups makes the feature.
func NewBackups(app *App) Backups { return Backups{app, new(atomic.Bool)} }

// Routes registers the feature.
func (b Backups) Routes(r middlewares.Access) {
	r.Admin.Download().API(http.MethodGet, "/admin/backup", b.Show)
}

// Show is GET /api/v1/admin/backup: the database as of this moment, with the files that it names. It doesn't include
// the signing secrets: anyone who has them can be anybody as long as they are in use, so a stolen cookie must not be
// enough to get them.
func (b Backups) Show(c *gin.Context) error {
	if !b.running.CompareAndSwap(false, true) {
		return apperr.New(apperr.Conflict, "A backup is already running.")
	}
	defer b.running.Store(false)
	release := b.Media.Hold()
	defer release()
	database, err := b.DB.Snapshot(c, b.Config.DataDir)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(database) }()
	contents := archive.Contents{Database: database, Made: b.Now()}
	if b.Config.MediaURL == "" {
		contents.Media = b.Media
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Type", "application/x-tar")
	c.Header("Content-Disposition", `attachment; filename="tokentube-`+contents.Made.UTC().Format("2006-01-02-150405")+`.tar"`)
	if c.Request.Method == http.MethodHead {
		return nil
	}
	if err := archive.Write(c, c.Writer, contents); err != nil {
		b.Log.ErrorContext(c, "a backup was cut off", "error", err)
		panic(http.ErrAbortHandler) // otherwise the client would mistake half a backup for a complete one
	}
	return nil
}
