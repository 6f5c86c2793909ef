// Package assets serves the style sheets, scripts and pictures of the site
// itself, from memory, under addresses that change with their content.
package assets

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/compress"
	"tokentube/utils/respond"
)

// Files are the static files, read and compressed once.
type Files struct{ files map[string]file }

type file struct {
	bodies  map[compress.Coding][]byte
	version string // a hash of the content
}

var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png",
}

// New reads all files whose type is known.
func New(folder fs.FS) (*Files, error) {
	contents := map[string][]byte{}
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || types[path.Ext(name)] == "" {
			return err
		}
		contents[name], err = fs.ReadFile(folder, name)
		return err
	})
	f := &Files{files: map[string]file{}}
	b := builder{contents, f.files, compress.Best()}
	for name := range contents {
		if err := b.add(name, nil); err != nil {
			return nil, err
		}
	}
	return f, err
}

// builder makes the files, those first that others import.
type builder struct {
	contents map[string][]byte
	files    map[string]file
	encoder  *compress.Encoder
}

// imported is where a script names another one of its folder, to import it now or later.
var imported = regexp.MustCompile(`"\./([\w-]+\.js)"`)

// add makes a file. What a script imports gets its version too, so that it is kept as long as what pages name, and a browser
// asks for none of them again. The importers are the scripts that wait for this one: it can't import one of them.
func (b builder) add(name string, importers []string) error {
	if _, done := b.files[name]; done {
		return nil
	}
	content, there := b.contents[name]
	switch {
	case !there:
		return fmt.Errorf("%s imports %s, which doesn't exist", importers[len(importers)-1], name)
	case strings.Contains(" "+strings.Join(importers, " ")+" ", " "+name+" "):
		return fmt.Errorf("scripts import each other: %s, %s", strings.Join(importers, ", "), name)
	}
	if path.Ext(name) == ".js" {
		for _, m := range imported.FindAllSubmatch(content, -1) {
			if err := b.add(path.Join(path.Dir(name), string(m[1])), append(importers[:len(importers):len(importers)], name)); err != nil {
				return err
			}
		}
		content = imported.ReplaceAllFunc(content, func(found []byte) []byte {
			m := imported.FindSubmatch(found)
			version := b.files[path.Join(path.Dir(name), string(m[1]))].version
			return fmt.Appendf(nil, `"./%s?v=%s"`, m[1], version)
		})
	}
	sum := sha256.Sum256(content)
	made := file{map[compress.Coding][]byte{compress.Identity: content}, base64.RawURLEncoding.EncodeToString(sum[:9])}
	if path.Ext(name) != ".png" {
		for _, coding := range []compress.Coding{compress.Zstd, compress.Gzip} {
			if small, is := b.encoder.Encode(coding, content); is == coding {
				made.bodies[coding] = small
			}
		}
	}
	b.files[name] = made
	return nil
}

// Path is the address of a file, with its version.
func (f *Files) Path(name string) string {
	return fmt.Sprintf("/static/%s?v=%s", name, f.files[name].version)
}

// Serve answers GET /static/*name. With the right version in the address it may
// be kept for good; without it is asked for again, and answered in a line when it is the same.
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
	coding := compress.Accepted(c.Request.Header.Values("Accept-Encoding"))
	body, there := file.bodies[coding]
	if !there {
		coding, body = compress.Identity, file.bodies[compress.Identity]
	}
	c.Header("Content-Type", types[path.Ext(name)])
	respond.Content(c, file.version, coding, body, time.Time{})
}
