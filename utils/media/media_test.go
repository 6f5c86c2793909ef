package media

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"image"
	"io"
	"strings"
	"testing"
	"time"

	"tokentube/utils/apperr"
)

// open returns an empty store in a folder. It allows time for slow machines and the race detector, unless the test is
// about that.
func open(t testing.TB, limits Limits) *Store {
	t.Helper()
	limits.DecodeTime = cmp.Or(limits.DecodeTime, time.Minute)
	return openAt(t, "", t.TempDir(), limits)
}

func openAt(t testing.TB, url, dir string, limits Limits) *Store {
	t.Helper()
	s, err := Open(context.Background(), url, dir, limits)
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
	err := s.bucket.List(context.Background(), "", func(i Info) error {
		list = append(list, i.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// content is the content of a file.
func (s *Store) content(t testing.TB, name string) []byte {
	t.Helper()
	file, err := s.Read(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

// wantCode checks the code, and a part of the message shown to users.
func wantCode(t testing.TB, err error, code apperr.Code, part string) {
	t.Helper()
	if !apperr.Is(err, code) || !strings.Contains(apperr.From(err).Message, part) {
		t.Fatalf("error is %v, want %s with %q", err, code, part)
	}
}

// broken returns its bytes and then fails like a lost connection.
type broken struct{ r io.Reader }

var errLost = errors.New("connection lost")

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = errLost
	}
	return n, err
}

func TestNames(t *testing.T) {
	s := open(t, Limits{})
	s.random = bytes.NewReader(bytes.Repeat([]byte{0xab}, 16))
	name, err := s.SaveInitials(t.Context(), image.NewRGBA(image.Rect(0, 0, 1, 1)))
	if want := "public/" + strings.Repeat("ab", 16) + ".png"; err != nil || name != want {
		t.Errorf("name is %s, %v, want %s", name, err, want)
	}
	if _, err := s.SaveInitials(t.Context(), image.NewRGBA(image.Rect(0, 0, 1, 1))); err == nil {
		t.Error("without randomness there must be no name")
	}
}

// If the second file fails, the first one of a photo must not be kept.
func TestPhotoIsAllOrNothing(t *testing.T) {
	s := open(t, Limits{})
	s.random = bytes.NewReader(make([]byte, 16)) // enough for one name
	if _, err := savePhoto(t.Context(), s, jpegOf(t, shapes(8, 8))); err == nil {
		t.Fatal("no error")
	}
	if left := s.stored(t); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
