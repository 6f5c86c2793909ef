// Package assets serves the site's own style sheets, scripts and pictures from memory, under URLs that change with
// their content.
package assets

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

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

// New reads all files of known types.
func New(folder fs.FS) (*Files, error) {
	contents, scripts := map[string][]byte{}, sha256.New()
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || types[path.Ext(name)] == "" {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		contents[name] = content
		if path.Ext(name) == ".js" {
			scripts.Write(content)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f, encoder := &Files{files: map[string]file{}}, compress.Best()
	for name, content := range contents {
		sum := sha256.Sum256(content)
		version := short(sum[:])
		if path.Ext(name) == ".js" {
			version = short(scripts.Sum(nil))
			if content, err = versioned(name, content, version, contents); err != nil {
				return nil, err
			}
		}
		f.files[name] = file{encodings(name, content, encoder), version}
	}
	return f, nil
}

func short(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum[:9]) }

// imported matches where a script names another one in its folder, to import it now or later.
var imported = regexp.MustCompile(`"\./([\w-]+\.js)"`)

// versioned is a script with the version added to its imports: so imported scripts are cached as long as those that
// pages name, and a browser never requests them again. All scripts share one version, because each may import any
// other.
func versioned(name string, content []byte, version string, all map[string][]byte) ([]byte, error) {
	for _, m := range imported.FindAllSubmatch(content, -1) {
		if other := path.Join(path.Dir(name), string(m[1])); all[other] == nil {
			return nil, fmt.Errorf("%s imports %s, which doesn't exist", name, other)
		}
	}
	return imported.ReplaceAll(content, []byte(`"./$1?v=`+version+`"`)), nil
}

// encodings are the original content, and compressed variants where that helps.
func encodings(name string, content []byte, encoder *compress.Encoder) map[compress.Coding][]byte {
	bodies := map[compress.Coding][]byte{compress.Identity: content}
	if path.Ext(name) == ".png" {
		return bodies
	}
	for _, to := range []compress.Coding{compress.Zstd, compress.Gzip} {
		if small, coding := encoder.Encode(to, content); coding == to {
			bodies[to] = small
		}
	}
	return bodies
}

// Path is the URL path of a file, including its version.
func (f *Files) Path(name string) string {
	return fmt.Sprintf("/static/%s?v=%s", name, f.files[name].version)
}

// Serve handles GET /static/*name. With the right version in the URL, the response may be cached forever; otherwise it
// must be revalidated, which is cheap if the file is unchanged.
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
	respond.Content(c, file.version, coding, body)
}
