package testsite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"tokentube/utils/source"
)

// Code is the program's own source as embedded by main: here it is read, once, from the module's folder above the
// test's. So every test notices if a page shows code that main doesn't embed, rather than only the program's first
// start.
func Code(t testing.TB) *source.Code {
	t.Helper()
	code, err := readCode()
	check(t, err)
	return code
}

var readCode = sync.OnceValues(func() (*source.Code, error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		_, err := os.Stat(filepath.Join(folder, "go.mod"))
		if err == nil {
			return embedded(os.DirFS(folder))
		}
		if !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return nil, err
		}
		folder = filepath.Dir(folder)
	}
})

var directive = regexp.MustCompile(`(?m)^//go:embed (.*)$`)

// embedded reads the files that main.go embeds.
func embedded(module fs.FS) (*source.Code, error) {
	main, err := fs.ReadFile(module, "main.go")
	if err != nil {
		return nil, err
	}
	named := directive.FindSubmatch(main)
	if named == nil {
		return nil, errors.New("main.go embeds nothing")
	}
	files := fstest.MapFS{}
	for _, pattern := range strings.Fields(string(named[1])) {
		found, err := fs.Glob(module, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			content, err := fs.ReadFile(module, name)
			if err != nil {
				return nil, err
			}
			files[name] = &fstest.MapFile{Data: content}
		}
	}
	return source.New(files)
}
