package media

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

func putText(t *testing.T, s *Store, name, text string) {
	t.Helper()
	err := s.put(t.Context(), name, typePNG, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
	if err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, s *Store, prefix string) (names []string) {
	t.Helper()
	err := s.Each(t.Context(), prefix, func(i Info) error {
		names = append(names, i.Name)
		if i.Size != 4 || i.Changed.IsZero() {
			t.Errorf("%+v", i)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestEachListsOurFilesInOrder(t *testing.T) { onEach(t, testEach) }

func testEach(t *testing.T, s *Store, strange func(name string)) {
	strange("public/not-ours.png")
	strange("elsewhere/x")
	one, two, three := fmt.Sprintf("private/%032x.png", 1), fmt.Sprintf("public/%032x.png", 2), fmt.Sprintf("public/%032x.png", 3)
	for _, name := range []string{three, one, two} {
		putText(t, s, name, "text")
	}
	if got := listed(t, s, ""); !slices.Equal(got, []string{one, two, three}) {
		t.Errorf("all: %q", got)
	}
	if got := listed(t, s, "public/"); !slices.Equal(got, []string{two, three}) {
		t.Errorf("public: %q", got)
	}
	if err := s.Each(t.Context(), "", func(Info) error { return io.ErrClosedPipe }); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the visitor's error: %v", err)
	}
	file, err := s.Read(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(file); string(text) != "text" || err != nil || file.Close() != nil {
		t.Errorf("%q, %v", text, err)
	}
	if there, err := s.Exists(t.Context(), one); !there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
	if err := s.Delete(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if there, err := s.Exists(t.Context(), one); there || err != nil {
		t.Errorf("deleted: %v, %v", there, err)
	}
	if _, err := s.Read(t.Context(), one); !errors.Is(err, ErrGone) {
		t.Errorf("deleted: %v", err)
	}
}

func TestHoldKeepsDeletedFilesUntilTheLastRelease(t *testing.T) {
	s := open(t, Limits{})
	name := fmt.Sprintf("public/%032x.png", 1)
	putText(t, s, name, "text")
	first, second := s.Hold(), s.Hold()
	for _, release := range []func(){first, second} {
		if err := s.Delete(t.Context(), name); !errors.Is(err, ErrHeld) {
			t.Errorf("held: %v", err)
		}
		if got := listed(t, s, ""); len(got) != 1 {
			t.Fatalf("held: %q", got)
		}
		release()
	}
	if err := s.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, s, ""); len(got) != 0 {
		t.Errorf("released: %q", got)
	}
}

// A backup and the daily sweep list a folder while uploads come and go.
func TestEachGoesOnWhenAFileGoes(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, _ func(string)) {
		one, two, three := fmt.Sprintf("public/%032x.png", 1), fmt.Sprintf("public/%032x.png", 2), fmt.Sprintf("public/%032x.png", 3)
		for _, name := range []string{one, two, three} {
			putText(t, s, name, "text")
		}
		var seen []string
		err := s.Each(t.Context(), "", func(i Info) error {
			seen = append(seen, i.Name)
			return s.Delete(t.Context(), two)
		})
		if err != nil || !slices.Contains(seen, one) || !slices.Contains(seen, three) {
			t.Errorf("%q, %v", seen, err)
		}
		if got := listed(t, s, ""); !slices.Equal(got, []string{one, three}) {
			t.Errorf("%q", got)
		}
	})
}
