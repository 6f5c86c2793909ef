// Package assets serves the style sheets, scripts and pictures of the site
// itself, from memory, under addresses that change with their content.
package assets

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// Files are the static files, read once.
type Files struct{ files map[string]file }

type file struct {
	content []byte
	version string // a hash of the content
}

var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png",
}

// New reads all files whose type is known.
func New(folder fs.FS) (*Files, error) {
	f := &Files{files: map[string]file{}}
	return f, fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || types[path.Ext(name)] == "" {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		sum := sha256.Sum256(content)
		f.files[name] = file{content, base64.RawURLEncoding.EncodeToString(sum[:9])}
		return err
	})
}

// Path is the address of a file, with its version.
func (f *Files) Path(name string) string {
	return fmt.Sprintf("/static/%s?v=%s", name, f.files[name].version)
}

// Serve answers GET /static/*name. With the right version in the address it may
// be kept for good; without (a script that a script imports) it is asked for
// again, and answered in a line when it is the same.
func (f *Files) Serve(c *gin.Context) {
	name := strings.TrimPrefix(c.Param("name"), "/")
	file, ok := f.files[name]
	if !ok {
		respond.Error(c, apperr.New(apperr.NotFound, "This file doesn't exist."))
		return
	}
	c.Header("Cache-Control", "no-cache")
	if c.Query("v") == file.version {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	c.Header("Content-Type", types[path.Ext(name)])
	c.Header("ETag", `"`+file.version+`"`)
	http.ServeContent(c.Writer, c.Request, name, time.Time{}, bytes.NewReader(file.content))
}
