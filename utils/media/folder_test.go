package media

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

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
	name, err := saveAvatar(s, jpegOf(t, shapes(40, 30)))
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
	removed, left, err := s.RemoveDrafts(t.Context(), time.Now().Add(-time.Hour))
	if removed != 1 || left != 1 || err != nil {
		t.Errorf("removed %d, %d are young, %v", removed, left, err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{young}) {
		t.Errorf("the folder has %v, want %s alone", got, young)
	}
}
