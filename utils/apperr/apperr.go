// Package apperr is the error type used across the program: a code that maps to an HTTP status, a message that may be
// shown to anyone, the faults of individual fields, and the cause, which is logged and never shown.
//
// Does not belong here: how an error is written (utils/respond), and what caused it (models translate database errors,
// in one place).
package apperr

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"
)

// Code is the kind of an error, as a stable identifier for programs.
type Code string

const (
	Malformed        Code = "malformed"             // the request cannot be parsed
	Invalid          Code = "invalid"               // it can be parsed, but fields are invalid
	Unauthorized     Code = "unauthorized"          // nobody is logged in
	Forbidden        Code = "forbidden"             // logged in, but not allowed to do this
	Unconfirmed      Code = "confirmation_required" // logged in, but must first confirm their identity
	NotFound         Code = "not_found"             // it doesn't exist, or isn't visible to the user
	MethodNotAllowed Code = "method_not_allowed"    // the path is right, the method is not
	Conflict         Code = "conflict"              // the name is already taken, or the data was changed concurrently
	TooLarge         Code = "too_large"             // more bytes than the limit
	UnsupportedMedia Code = "unsupported_media"     // an unsupported content type
	RateLimited      Code = "rate_limited"          // too many requests
	Unavailable      Code = "unavailable"           // temporarily; retry
	NoRoom           Code = "no_room"               // the disk is full; reading and deleting still work
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
	Crowded    bool          // with Unavailable: too many requests at once; nothing is broken
	cause      error
}

// New makes an error with a message formatted by fmt.Sprintf.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField is an error about a single field of the input.
func InvalidField(name, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Code: Invalid, Message: message, Fields: []Field{{name, message}}}
}

// OfFields reports whether err is only about input fields, so that there may be more to report about other fields. That
// includes nil, but not input that is too large: it isn't read to the end, so nothing is known about what follows.
func OfFields(err error) bool {
	var e *Error
	return err == nil || errors.As(err, &e) && len(e.Fields) > 0 && e.Code != TooLarge
}

// Join combines errors about fields into one. Each field is reported once, with its first error. An error that isn't
// about fields is returned alone.
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

// with is e plus what another error adds to it.
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

// Because records the cause of the error, for the log and for errors.Is.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Error is the text for the log; people are only shown Message.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

func (e *Error) Unwrap() error { return e.cause }

// Status is the HTTP status code for the error's code.
func (e *Error) Status() int { return statuses[e.Code] }

// Full is the error for a full disk.
func Full() *Error {
	e := New(NoRoom, "The site is out of disk space. You can still read and delete. Try again later.")
	e.RetryAfter = time.Minute
	return e
}

// Crowd is the error for somebody who is turned away because too many others came at once. It is not our fault: the log
// has one line for many of them.
func Crowd(retry time.Duration, message string) *Error {
	return &Error{Code: Unavailable, Message: message, RetryAfter: retry, Crowded: true}
}

// From finds the *Error in err. A full disk becomes NoRoom, one that can't be written to Unavailable; any other error
// becomes Internal, with a fixed message, so that none of its text leaks.
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
