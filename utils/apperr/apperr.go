// Package apperr is the one error type that crosses the program: a code that
// maps to an HTTP status, a message that may be shown to anyone, the faults of
// single fields, and the cause, which is logged and never shown.
//
// It does not belong here: how an error is written (utils/respond) or what
// caused it (models translate the errors of the database, once).
package apperr

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"
)

// Code says what kind of error it is, in words that a program can rely on.
type Code string

const (
	Malformed        Code = "malformed"             // the request cannot be read at all
	Invalid          Code = "invalid"               // it can be read, but fields break a rule
	Unauthorized     Code = "unauthorized"          // nobody is logged in
	Forbidden        Code = "forbidden"             // somebody is, but may not do this
	Unconfirmed      Code = "confirmation_required" // somebody is, and must first confirm that it's them
	NotFound         Code = "not_found"             // there is no such thing, or not for you
	MethodNotAllowed Code = "method_not_allowed"    // the address is right, the method is not
	Conflict         Code = "conflict"              // something else has this name already
	TooLarge         Code = "too_large"             // more bytes than the limit
	UnsupportedMedia Code = "unsupported_media"     // a type of content that is not taken
	RateLimited      Code = "rate_limited"          // too many requests
	Unavailable      Code = "unavailable"           // for the moment; try again
	NoRoom           Code = "no_room"               // the disk is full; reading and deleting go on
	Internal         Code = "internal"              // our fault
)

var statuses = map[Code]int{
	Malformed:        http.StatusBadRequest,
	Invalid:          http.StatusUnprocessableEntity,
	Unauthorized:     http.StatusUnauthorized,
	Forbidden:        http.StatusForbidden,
	Unconfirmed:      http.StatusForbidden,
	NotFound:         http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	Conflict:         http.StatusConflict,
	TooLarge:         http.StatusRequestEntityTooLarge,
	UnsupportedMedia: http.StatusUnsupportedMediaType,
	RateLimited:      http.StatusTooManyRequests,
	Unavailable:      http.StatusServiceUnavailable,
	NoRoom:           http.StatusInsufficientStorage,
	Internal:         http.StatusInternalServerError,
}

// Field is a fault of one input field. The name is the one that the client sent.
type Field struct {
	Name    string `json:"field"`
	Message string `json:"message"`
}

// Error is the error type of the program.
type Error struct {
	Code       Code
	Message    string        // for people: plain, short, and without secrets
	Fields     []Field       // with Invalid and Conflict
	RetryAfter time.Duration // with RateLimited, Unavailable and NoRoom
	Crowded    bool          // with Unavailable: there are too many at once, and nothing is wrong
	cause      error
}

// New makes an error whose message is formatted as by fmt.Sprintf.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField is an error about a single field of the input.
func InvalidField(name, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Code: Invalid, Message: message, Fields: []Field{{name, message}}}
}

// OfFields reports whether err is about fields of the input alone, so that there may be more to say about the others. That
// holds for nil, but not for what is too large: it isn't read to its end, and nothing is known of what comes after it.
func OfFields(err error) bool {
	var e *Error
	return err == nil || errors.As(err, &e) && len(e.Fields) > 0 && e.Code != TooLarge
}

// Join is one error about all fields that something is wrong with, each told once, by the first that names it. An error that
// isn't about fields is returned alone.
func Join(errs ...error) error {
	var all *Error
	for _, err := range errs {
		if !OfFields(err) {
			return err
		}
		if err != nil {
			all = all.with(From(err))
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// with is e and what another error adds to it.
func (e *Error) with(other *Error) *Error {
	if e == nil {
		return other
	}
	more := slices.DeleteFunc(slices.Clone(other.Fields), func(f Field) bool { return e.Names(f.Name) })
	if len(more) == 0 {
		return e
	}
	both := New(Invalid, "Please fix the highlighted fields.").Because(errors.Join(e.cause, other.cause))
	both.Fields = slices.Concat(e.Fields, more)
	if other.Code == e.Code {
		both.Code = e.Code
	}
	return both
}

// Names reports whether the error is about this field.
func (e *Error) Names(field string) bool {
	return e != nil && slices.ContainsFunc(e.Fields, func(f Field) bool { return f.Name == field })
}

// Because keeps what caused the error, for the log and for errors.Is.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Error is the text for the log; people are shown Message alone.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

func (e *Error) Unwrap() error { return e.cause }

// Status is the HTTP status code that belongs to the error's code.
func (e *Error) Status() int { return statuses[e.Code] }

// Full is the error of a disk that has no room left.
func Full() *Error {
	e := New(NoRoom, "The site is out of disk space. You can still read and delete. Try again later.")
	e.RetryAfter = time.Minute
	return e
}

// Crowd is the error for somebody for whom there is no room among too many others. It is not a fault of ours: the log has one
// line for many of them.
func Crowd(retry time.Duration, message string) *Error {
	return &Error{Code: Unavailable, Message: message, RetryAfter: retry, Crowded: true}
}

// From finds the *Error in err. A full disk is NoRoom, one that takes no writes
// Unavailable; any other error becomes Internal, with a fixed message, so that
// nothing of its text reaches the outside.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Full().Because(err)
	case errors.Is(err, syscall.EROFS):
		e = New(Unavailable, "The site can't save anything right now. Try again later.").Because(err)
		e.RetryAfter = time.Minute
		return e
	}
	return New(Internal, "Something went wrong on our side.").Because(err)
}

// Is reports whether err is an *Error with the given code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
