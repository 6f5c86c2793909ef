package input_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"tokentube/utils/apperr"
	"tokentube/utils/input"
)

func TestPartsMayComeInAnyOrder(t *testing.T) {
	title, photo, thumb := part("identifier", "alice"), filePart("photo", "a.png", "PHOTO"), filePart("thumb", "b.png", "THUMB")
	for _, body := range []string{title + photo + thumb, thumb + title + photo, photo + thumb + title} {
		var got form
		var one, two []byte
		err := input.Read(request(typeMany, body+end), &got, input.Files{"photo": keep(&one), "thumb": keep(&two)})
		if err != nil || got.Identifier != "alice" || string(one) != "PHOTO" || string(two) != "THUMB" {
			t.Errorf("%q: %+v, %q, %q, %v", body, got, one, two, err)
		}
	}
}

func TestFileFieldThatWasLeftAloneIsNoFile(t *testing.T) {
	var got form
	err := input.Read(request(typeMany, filePart("photo", "", "")+part("identifier", "alice")+end), &got, input.Files{"photo": never(t)})
	if err != nil || got.Identifier != "alice" {
		t.Errorf("%+v, %v", got, err)
	}
	err = input.Read(request(typeMany, filePart("photo", "empty.png", "")+end), &got, input.Files{"photo": never(t)})
	must(t, "an empty file", err, apperr.Invalid, "photo")
}

func never(t *testing.T) func(io.Reader) error {
	return func(io.Reader) error {
		t.Error("there is no file, but it was saved")
		return nil
	}
}

func TestTwoFilesOfOneFieldAreRefused(t *testing.T) {
	saved := 0
	photo := filePart("photo", "a.png", "PHOTO")
	err := input.Read(request(typeMany, photo+photo+end), &form{}, input.Files{"photo": func(r io.Reader) error {
		saved++
		return nil // what it doesn't read is skipped
	}})
	must(t, "two files", err, apperr.Invalid, "photo")
	if saved != 1 {
		t.Errorf("%d files were saved", saved)
	}
}

func TestFileThatNobodyTakesCountsAsText(t *testing.T) {
	err := input.Read(request(typeMany, filePart("other", "a.png", strings.Repeat("a", input.TextLimit))+end), &form{}, nil)
	must(t, "a file that nobody takes", err, apperr.TooLarge, "")
}

func TestBodyCutAnywhereIsRefused(t *testing.T) {
	whole := filePart("photo", "a.png", "PHOTO") + part("identifier", "alice") + "--B--"
	for cut := range len(whole) {
		var got form
		var content []byte
		err := input.Read(request(typeMany, whole[:cut]), &got, input.Files{"photo": keep(&content)})
		if !apperr.Is(err, apperr.Malformed) {
			t.Errorf("cut after %q: %v", whole[max(0, cut-20):cut], err)
		}
	}
}

func TestFaultOfTheClientBeatsWhatTheFilesReaderMadesOfIt(t *testing.T) {
	body := filePart("photo", "a.png", "PHOTO")
	for name, save := range map[string]func(io.Reader) error{
		"wraps":   func(r io.Reader) error { _, err := io.ReadAll(r); return fmt.Errorf("not a picture: %w", err) },
		"hides":   func(r io.Reader) error { _, _ = io.ReadAll(r); return apperr.New(apperr.Invalid, "Not a picture.") },
		"ignores": func(r io.Reader) error { _, _ = io.ReadAll(r); return nil },
	} {
		must(t, name, input.Read(request(typeMany, body[:len(body)-3]), &form{}, input.Files{"photo": save}), apperr.Malformed, "")
	}
}

func TestErrorOfTheFilesReaderPassesThrough(t *testing.T) {
	own := errors.New("the disk is full")
	err := input.Read(request(typeMany, filePart("photo", "a.png", "PHOTO")+end), &form{}, input.Files{"photo": func(io.Reader) error { return own }})
	if err != own {
		t.Errorf("got %v", err)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 kB", 20 << 10: "20 kB", 1<<20 - 1: "1023 kB", 1 << 20: "1 MB", 500 << 20: "500 MB"} {
		if got := input.Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
}

// counting counts how much of a body was read.
type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// What surrounds the content of a form is bounded too, however small the content is.
func TestPartsBombs(t *testing.T) {
	const many = 340_000
	file := filePart("photo", "a.png", "PHOTO")
	for name, body := range map[string]string{
		"empty parts":                   strings.Repeat(part("", ""), many),
		"empty parts of one name":       strings.Repeat(part("a", ""), many),
		"empty files":                   strings.Repeat(filePart("photo", "", ""), many),
		"empty parts behind a file":     file + strings.Repeat(part("", ""), many),
		"a long name":                   part(strings.Repeat("a", nameLimit+1), ""),
		"a long file name":              filePart("photo", strings.Repeat("a", 5<<20), "x"),
		"many headers":                  "--B\r\n" + strings.Repeat("X-Some: thing\r\n", many) + "\r\nx\r\n",
		"a long header":                 "--B\r\nX-Some: " + strings.Repeat("a", 5<<20) + "\r\n\r\nx\r\n",
		"a header without an end":       "--B\r\n" + strings.Repeat("a", 5<<20),
		"something before the boundary": strings.Repeat("preamble\r\n", many) + part("identifier", "alice"),
	} {
		r := request(typeMany, "")
		read := &counting{r: strings.NewReader(body + end)}
		r.Body = io.NopCloser(read)
		err := input.Read(r, &form{}, input.Files{"photo": func(r io.Reader) error { _, err := io.ReadAll(r); return err }})
		must(t, name, err, apperr.TooLarge, "")
		if most := 64 << 10; read.n > most {
			t.Errorf("%s: %d bytes were read", name, read.n)
		}
	}
}

const nameLimit = 100

// Input just within the bounds is accepted, and a large file is not mistaken for a header.
func TestPartsWithinBounds(t *testing.T) {
	large := strings.Repeat("content ", 100_000)
	var kept []byte
	body := strings.Repeat(part("tags", "x"), 98) + part(strings.Repeat("a", nameLimit), "y") + filePart("photo", "a.png", large)
	if err := input.Read(request(typeMany, body+end), &form{}, input.Files{"photo": keep(&kept)}); err != nil || string(kept) != large {
		t.Errorf("100 parts: %d bytes, %v", len(kept), err)
	}
	ignored := func(io.Reader) error { return nil }
	var got form
	if err := input.Read(request(typeMany, filePart("photo", "a.png", large)+part("identifier", "alice")+end), &got, input.Files{"photo": ignored}); err != nil || got.Identifier != "alice" {
		t.Errorf("a large file that nobody reads: %+v, %v", got, err)
	}
}

// A rejected file hides neither the fields after it nor other faults; one that is too large ends the reading.
func TestARefusedFileIsToldWithTheRest(t *testing.T) {
	refuse := func(code apperr.Code) input.Files {
		return input.Files{"photo": func(io.Reader) error {
			return &apperr.Error{Code: code, Message: "No.", Fields: []apperr.Field{{Name: "photo", Message: "No."}}}
		}}
	}
	body := filePart("photo", "a.png", strings.Repeat("x", 100<<10)) + part("title", "Typed") + part("count", "many") + part("remember", "maybe") + end
	var got form
	e := apperr.From(input.Read(request(typeMany, body), &got, refuse(apperr.UnsupportedMedia)))
	if names := fmt.Sprint(e.Names("photo"), e.Names("count"), e.Names("remember"), len(e.Fields)); e.Code != apperr.Invalid || names != "true true true 3" || got.Title == nil || *got.Title != "Typed" {
		t.Errorf("%v %+v, %+v", e.Code, e.Fields, got)
	}
	must(t, "too large", input.Read(request(typeMany, body), &form{}, refuse(apperr.TooLarge)), apperr.TooLarge, "photo")
	must(t, "cut off in the refused file", input.Read(request(typeMany, body[:5000]), &form{}, refuse(apperr.UnsupportedMedia)), apperr.Malformed, "")
}
