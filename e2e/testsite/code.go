package testsite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tokentube/utils/source"
)

// Code is the program's own source, which main embeds: here it is read, once,
// from the folder of the module, above that of the test.
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
			return source.New(os.DirFS(folder))
		}
		if !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return nil, err
		}
		folder = filepath.Dir(folder)
	}
})
