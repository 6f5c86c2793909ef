package media

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tokentube/utils/apperr"
)

// open gives an empty store in memory.
func open(t testing.TB, limits Limits) *Store {
	t.Helper()
	s, err := Open(context.Background(), "mem://", "", limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// stored lists all names in the bucket.
func (s *Store) stored(t testing.TB) []string {
	t.Helper()
	var list []string
	for all := s.bucket.List(nil); ; {
		object, err := all.Next(context.Background())
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, object.Key)
	}
}

// wantCode checks the code, and a part of the message that people are shown.
func wantCode(t testing.TB, err error, code apperr.Code, part string) {
	t.Helper()
	if !apperr.Is(err, code) || !strings.Contains(apperr.From(err).Message, part) {
		t.Fatalf("error is %v, want %s with %q", err, code, part)
	}
}

// broken gives its bytes and then fails as a lost connection does.
type broken struct{ r io.Reader }

var errLost = errors.New("connection lost")

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = errLost
	}
	return n, err
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "media")
	s, err := Open(t.Context(), "", dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name, err := s.SaveAvatar(t.Context(), bytes.NewReader(jpegOf(t, shapes(40, 30))))
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, filepath.FromSlash(name))
	if got := files(t, dir); !slices.Equal(got, []string{want}) {
		t.Fatalf("the folder has %v, want %s alone", got, want)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v: others could read it", info.Mode(), err)
	}

	if _, err := s.SaveVideo(t.Context(), broken{bytes.NewReader(mp4File("avc1"))}); !errors.Is(err, errLost) {
		t.Errorf("error is %v, want the lost connection", err)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("a failed upload left %v", got)
	}
	if err := s.Delete(t.Context(), "", name, name, public+"../../x"); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("after Delete there is %v", got)
	}
}

func TestFolderLosesLeftovers(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, "private", "a.mp4.1.tmp"), filepath.Join(dir, "private", "b.mp4.2.tmp")
	if err := os.Mkdir(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "", dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := files(t, dir); !slices.Equal(got, []string{young}) {
		t.Errorf("the folder has %v, want %s alone", got, young)
	}
}

func TestNames(t *testing.T) {
	s := open(t, Limits{})
	s.random = bytes.NewReader(bytes.Repeat([]byte{0xab}, 16))
	name, err := s.SaveDrawing(t.Context(), image.NewRGBA(image.Rect(0, 0, 1, 1)))
	if want := "public/" + strings.Repeat("ab", 16) + ".png"; err != nil || name != want {
		t.Errorf("name is %s, %v, want %s", name, err, want)
	}
	if _, err := s.SaveDrawing(t.Context(), image.NewRGBA(image.Rect(0, 0, 1, 1))); err == nil {
		t.Error("without randomness there must be no name")
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, url := range []string{"nothing://x", "://"} {
		if _, err := Open(t.Context(), url, "", Limits{}); err == nil {
			t.Errorf("%s opened", url)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "", file, Limits{}); err == nil {
		t.Error("a file opened as a folder")
	}
}

// A second failure must not keep the first file of a photo.
func TestPhotoIsAllOrNothing(t *testing.T) {
	s := open(t, Limits{})
	s.random = bytes.NewReader(make([]byte, 16)) // enough for one name
	if _, err := s.SavePhoto(t.Context(), bytes.NewReader(jpegOf(t, shapes(8, 8)))); err == nil {
		t.Fatal("no error")
	}
	if left := s.stored(t); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
