package apperr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestEveryCodeHasItsStatus(t *testing.T) {
	for code, want := range map[Code]int{
		Malformed: 400, Unauthorized: 401, Forbidden: 403, NotFound: 404, MethodNotAllowed: 405, Conflict: 409, TooLarge: 413,
		UnsupportedMedia: 415, Invalid: 422, RateLimited: 429, Internal: 500, Unavailable: 503, NoRoom: 507,
	} {
		if got := New(code, "x").Status(); got != want {
			t.Errorf("%s is %d, want %d", code, got, want)
		}
	}
}

func TestUnknownErrorBecomesInternalAndTellsNothing(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.1: password=hunter2")
	e := From(fmt.Errorf("loading: %w", secret))
	if e.Code != Internal || strings.Contains(e.Message, "hunter2") || !errors.Is(e, secret) || !strings.Contains(e.Error(), "hunter2") {
		t.Errorf("%+v", e)
	}
}

func TestErrorIsFoundWithinOthers(t *testing.T) {
	e := New(NotFound, "There is no %s.", "post").Because(io.EOF)
	wrapped := errors.Join(errors.New("cleaning"), fmt.Errorf("showing: %w", e))
	if From(wrapped) != e || !Is(wrapped, NotFound) || Is(wrapped, Conflict) || !errors.Is(wrapped, io.EOF) || Is(nil, NotFound) {
		t.Error("the error was not found")
	}
	if e.Message != "There is no post." || e.Error() != "There is no post.: EOF" || New(Invalid, "x").Error() != "x" {
		t.Errorf("%q, %q", e.Message, e.Error())
	}
}

func TestInvalidFieldNamesTheField(t *testing.T) {
	e := InvalidField("title", "At most %d characters.", 120)
	if e.Code != Invalid || e.Message != "At most 120 characters." || len(e.Fields) != 1 || e.Fields[0] != (Field{"title", e.Message}) {
		t.Errorf("%+v", e)
	}
}

func TestReadOnlyDiskIsUnavailable(t *testing.T) {
	e := From(fmt.Errorf("storing: %w", &fs.PathError{Op: "open", Path: "/srv/media/x", Err: syscall.EROFS}))
	if e.Code != Unavailable || e.RetryAfter == 0 || strings.Contains(e.Message, "/srv") {
		t.Errorf("%+v", e)
	}
}

func TestFullDiskIsNoRoom(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/srv/tokentube.db", Err: syscall.ENOSPC}
	e := From(fmt.Errorf("storing: %w", full))
	if e.Code != NoRoom || e.RetryAfter == 0 || strings.Contains(e.Message, "/srv") || !errors.Is(e, syscall.ENOSPC) {
		t.Errorf("%+v", e)
	}
}

func TestJoinTellsAllFieldsOnce(t *testing.T) {
	name, again, taken := InvalidField("name", "Enter a name."), InvalidField("name", "Choose another."), &Error{Code: Conflict, Fields: []Field{{"email", "In use."}}}
	file := &Error{Code: UnsupportedMedia, Message: "Not a picture.", Fields: []Field{{"photo", "Not a picture."}}}
	large := &Error{Code: TooLarge, Message: "Too large.", Fields: []Field{{"photo", "Too large."}}}
	gone := errors.New("gone")
	for _, test := range []struct {
		errs   []error
		code   Code
		fields string
	}{
		{[]error{name, nil, again}, Invalid, "[{name Enter a name.}]"},
		{[]error{nil, file, nil}, UnsupportedMedia, "[{photo Not a picture.}]"},
		{[]error{file, name, taken}, Invalid, "[{photo Not a picture.} {name Enter a name.} {email In use.}]"},
		{[]error{taken, &Error{Code: Conflict, Fields: []Field{{"username", "In use."}}}}, Conflict, "[{email In use.} {username In use.}]"},
		{[]error{name, large}, TooLarge, "[{photo Too large.}]"}, // nothing is known about what follows it
		{[]error{name, New(RateLimited, "Later."), file}, RateLimited, "[]"},
		{[]error{name, gone}, Internal, "[]"},
	} {
		e := From(Join(test.errs...))
		if got := fmt.Sprint(e.Fields); e.Code != test.code || got != test.fields {
			t.Errorf("%v: %s %s, want %s %s", test.errs, e.Code, got, test.code, test.fields)
		}
	}
	if err := Join(nil, nil); err != nil || Join() != nil {
		t.Errorf("nothing is wrong: %v", err)
	}
	if len(name.Fields) != 1 || len(file.Fields) != 1 {
		t.Error("the joined errors changed")
	}
}
