package archive

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var errFull = errors.New("no space left on device")

// full is a disk with this many bytes left.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func contents(t *testing.T) Contents {
	t.Helper()
	dir := t.TempDir()
	c := Contents{Database: filepath.Join(dir, Database), Secrets: filepath.Join(dir, Secrets), Made: time.Now()}
	for path, text := range map[string]string{c.Database: "a database", c.Secrets: "secrets"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestAFullDiskIsAnErrorAtEveryByte(t *testing.T) {
	c := contents(t)
	var whole bytes.Buffer
	if err := Write(t.Context(), &whole, c); err != nil {
		t.Fatal(err)
	}
	for room := range whole.Len() {
		if err := Write(t.Context(), &full{room}, c); !errors.Is(err, errFull) {
			t.Fatalf("with room for %d of %d bytes: %v", room, whole.Len(), err)
		}
	}
}

func TestUnpackedIsWhatWasWritten(t *testing.T) {
	c := contents(t)
	var whole bytes.Buffer
	if err := Write(t.Context(), &whole, c); err != nil {
		t.Fatal(err)
	}
	if head, err := Verify(t.Context(), bytes.NewReader(whole.Bytes())); err != nil || !head.Secrets || head.Media {
		t.Errorf("head %+v, %v", head, err)
	}
	dir := t.TempDir()
	mediaDir := filepath.Join(t.TempDir(), Media)
	head, err := Unpack(t.Context(), &whole, dir, mediaDir)
	if err != nil || !head.Made.Equal(c.Made.UTC().Truncate(time.Second)) {
		t.Fatalf("%+v, %v", head, err)
	}
	for name, want := range map[string]string{Database: "a database", Secrets: "secrets"} {
		path := filepath.Join(dir, name)
		got, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(got) != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v", name, got, info.Mode(), err)
		}
	}
	if _, err := os.Stat(mediaDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a media folder from a backup without one: %v", err)
	}
}

func TestNothingGoesOnAfterTheEndOfTheContext(t *testing.T) {
	var whole bytes.Buffer
	c := contents(t)
	if err := Write(t.Context(), &whole, c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, &bytes.Buffer{}, c); !errors.Is(err, context.Canceled) {
		t.Errorf("writing: %v", err)
	}
	if _, err := Verify(ctx, &whole); !errors.Is(err, context.Canceled) {
		t.Errorf("reading: %v", err)
	}
}
