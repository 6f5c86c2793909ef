package media

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"tokentube/utils/apperr"
)

// Serve handles GET and HEAD with the file, or with the part of it that Range requests. The caller sets Cache-Control
// and has decided that the file may be seen. A missing file returns apperr.NotFound, and nothing is written.
func (s *Store) Serve(w http.ResponseWriter, r *http.Request, name string) error {
	if !names.MatchString(name) {
		return apperr.New(apperr.NotFound, "This file doesn't exist.")
	}
	file, err := s.bucket.Open(r.Context(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return apperr.New(apperr.NotFound, "This file doesn't exist.").Because(err)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer file.Close()

	ending := path.Ext(name)
	header := w.Header()
	header.Set("Content-Type", types[ending])
	// A browser that guesses types could be tricked into running a file as a page.
	header.Set("X-Content-Type-Options", "nosniff")
	// A name is never reused, so it is a tag for its content, on every storage.
	header.Set("ETag", `"`+strings.TrimSuffix(path.Base(name), ending)+`"`)
	// Without a time, the tag is the only validator.
	http.ServeContent(w, r, "", time.Time{}, &countedReader{file, &s.out})
	return nil
}
