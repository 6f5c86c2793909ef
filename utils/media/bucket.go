package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bucket is where the files are: a folder, or an S3-compatible bucket.
type Bucket interface {
	// Put stores what write writes. After an error, nothing exists under the name.
	Put(ctx context.Context, name, contentType string, write func(io.Writer) error) error
	// Open opens a file at its beginning. A missing file returns fs.ErrNotExist.
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Delete removes a file. A missing file is not an error.
	Delete(ctx context.Context, name string) error
	// List visits the files whose names begin with prefix, sorted by name.
	List(ctx context.Context, prefix string, visit func(Info) error) error
	Close() error
}

// Info is what the storage knows about a file.
type Info struct {
	Name    string
	Size    int64
	Changed time.Time
}

const mediaURLForms = "write s3://NAME?region=REGION, or file:///PATH, or leave it empty for a folder in DATA_DIR"

// openBucket opens the storage that MEDIA_URL names. The URL may contain a key: no error repeats it, and errors of the
// URL parser are not passed on.
func openBucket(ctx context.Context, mediaURL, dir string) (Bucket, error) {
	if mediaURL == "" {
		return openFolder(dir, true)
	}
	u, err := url.Parse(mediaURL)
	if err != nil {
		return nil, fmt.Errorf("MEDIA_URL isn't a valid URL (in a key, write / as %%2F): %s", mediaURLForms)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("MEDIA_URL has parameters that can't be read: separate them by &, and escape what is special with %")
	}
	switch u.Scheme {
	case "s3":
		return openS3(ctx, u, query)
	case "file":
		return openFileURL(u, query)
	}
	return nil, fmt.Errorf("MEDIA_URL names a kind of storage that isn't supported: %s", mediaURLForms)
}

// openFileURL opens file:///PATH, or file://./PATH relative to the working directory. The folder must exist unless
// create_dir is set: the disk may just not be mounted.
func openFileURL(u *url.URL, query url.Values) (Bucket, error) {
	// The last three are from earlier versions. What they requested is now always done.
	if err := onlyKnown(query, "create_dir", "no_tmp_dir", "metadata", "dir_file_mode"); err != nil {
		return nil, err
	}
	dir := u.Path
	if u.Host == "." || os.PathSeparator != '/' {
		dir = strings.TrimPrefix(dir, "/")
	} else if u.Host != "" {
		return nil, errors.New("MEDIA_URL names a folder with file:///PATH, three slashes before the path")
	}
	if dir == "" || u.User != nil {
		return nil, errors.New("MEDIA_URL names no folder: write file:///PATH")
	}
	return openFolder(filepath.FromSlash(dir), query.Get("create_dir") != "")
}

func onlyKnown(query url.Values, known ...string) error {
	for name := range query {
		if !slices.Contains(known, name) {
			return fmt.Errorf("MEDIA_URL has the parameter %q, which isn't supported; these are: %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}
