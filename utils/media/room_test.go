package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"tokentube/utils/apperr"
)

func TestUploadsLeaveAReserveOfFreeSpace(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, "", dir, Limits{Reserve: 1 << 20})
	free := int64(1<<20 - 1)
	s.free = func() (int64, error) { return free, nil }
	for name, save := range map[string]func() error{
		"a video":   func() error { _, err := s.SaveVideo(t.Context(), bytes.NewReader(mp4File("avc1"))); return err },
		"a picture": func() error { _, err := s.Spool(t.Context(), bytes.NewReader([]byte("x"))); return err },
		"room":      func() error { return s.Room(0) },
	} {
		wantCode(t, save(), apperr.NoRoom, "no room for uploads")
		if left := s.stored(t); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
	if apperr.From(s.Room(0)).Status() != 507 {
		t.Error("the status is not 507")
	}
	free = 1<<20 + 100
	if err := s.Room(100); err != nil {
		t.Error(err)
	}
	wantCode(t, s.Room(101), apperr.NoRoom, "no room")
	// If the free space is unknown, nothing is refused.
	s.free = func() (int64, error) { return 0, errors.ErrUnsupported }
	if err := s.Room(100); err != nil {
		t.Error(err)
	}
}

// Space may run out during the upload of a video.
func TestALongVideoEndsWhenTheRoomDoes(t *testing.T) {
	s := open(t, Limits{Reserve: 1})
	looks := 0
	s.free = func() (int64, error) {
		if looks++; looks > 3 {
			return 0, nil
		}
		return 1 << 30, nil
	}
	_, err := s.SaveVideo(t.Context(), bytes.NewReader(longVideo(100<<20)))
	wantCode(t, err, apperr.NoRoom, "no room")
	if left := s.stored(t); len(left) != 0 || looks > 5 {
		t.Errorf("left %v, after %d looks", left, looks)
	}
}

func TestFreeSpaceOfTheSystem(t *testing.T) {
	s := openAt(t, "", t.TempDir(), Limits{Reserve: 1})
	free, err := s.free()
	if err != nil {
		t.Skip("this system does not tell: ", err)
	}
	if free <= 0 || s.Room(0) != nil {
		t.Errorf("%d bytes are free, %v", free, s.Room(0))
	}
	wantCode(t, s.Room(free), apperr.NoRoom, "no room")
}

// A spooled upload has no name: after a restart or a kill, nothing of it is left.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, "", dir, Limits{ImageBytes: 1000})
	content := bytes.Repeat([]byte("picture "), 125)
	p, err := s.Spool(t.Context(), iotest.OneByteReader(bytes.NewReader(content)))
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	if p.remove == nil && len(files) != 0 {
		t.Errorf("there is %v", files)
	}
	got, err := io.ReadAll(p)
	if err != nil || !bytes.Equal(got, content) || p.Size != 1000 {
		t.Errorf("%d of %d bytes, %v", len(got), p.Size, err)
	}
	p.Close()
	_, err = s.Spool(t.Context(), bytes.NewReader(append(content, 'x')))
	wantCode(t, err, apperr.TooLarge, "larger than 1000 bytes")
	_, err = s.Spool(t.Context(), io.MultiReader(bytes.NewReader(content[:500]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a client that left: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Spool(ctx, &cancelling{bytes.NewReader(content), cancel, 600})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a request that ended: %v", err)
	}
	if files, _ = filepath.Glob(filepath.Join(dir, "*", "*")); len(files) != 0 {
		t.Errorf("left %v", files)
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		for _, fd := range open {
			if target, _ := os.Readlink("/proc/self/fd/" + fd.Name()); filepath.Dir(filepath.Dir(target)) == dir {
				t.Errorf("%s is still open", target)
			}
		}
	}
}

func TestMemoryForUploadsIsBounded(t *testing.T) {
	s := open(t, Limits{})
	var back []func()
	for range 9 { // of 10 MB each
		release, err := s.Memory(t.Context(), 10<<20)
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, release)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Memory(short, 10<<20); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the tenth: %v", err)
	}
	if release, err := s.Memory(t.Context(), 500<<10); err != nil {
		t.Errorf("a small one beside: %v", err)
	} else {
		release()
	}
	for _, release := range back {
		release()
	}
	release, err := s.Memory(t.Context(), 1<<40) // a request for more than there is waits for all of it
	if err != nil {
		t.Fatal(err)
	}
	release()
}
