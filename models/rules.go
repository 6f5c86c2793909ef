package models

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"

	"tokentube/utils/apperr"
)

// A document's rules are the validate tags of its struct; this file defines the tags. validate checks every document,
// wherever it came from.

var usernames = regexp.MustCompile(`^[a-z0-9_.-]{3,30}$`)

var rules = newRules()

func newRules() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("bson"), ",")
		return name
	})
	custom := map[string]func(string) bool{
		"username":    usernames.MatchString,
		"plain":       func(s string) bool { return plain(s, "") },
		"plain_lines": func(s string) bool { return plain(s, "\n\t") },
		"visible":     func(s string) bool { return s == "" || strings.ContainsFunc(s, shows) },
	}
	for tag, ok := range custom {
		must(v.RegisterValidation(tag, func(f validator.FieldLevel) bool { return ok(f.Field().String()) }))
	}
	v.RegisterAlias("line", "plain,visible")
	v.RegisterAlias("text", "plain_lines,visible")
	return v
}

// normalText is the stored form of text with several lines.
func normalText(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// plain reports whether text has no control characters except the allowed ones. Text of only spaces has already been
// trimmed to nothing.
func plain(s, allowed string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(allowed, r)
	})
}

// shows reports whether a character is visible: not a space, mark, format character, filler (ᅠ) or one of the blank
// symbols. Text needs at least one; besides it, all of those are allowed (emoji sequences, Persian with its joiners).
func shows(r rune) bool {
	const blankBraille, nullNotehead = 0x2800, 0x1d159
	return (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsPunct(r) || unicode.IsSymbol(r)) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && r != blankBraille && r != nullNotehead
}

// validate checks a document against its rules. The error names every invalid field.
func validate(document any) error {
	err := rules.Struct(document)
	var faults validator.ValidationErrors
	if !errors.As(err, &faults) {
		return err
	}
	e := apperr.New(apperr.Invalid, "Please fix the highlighted fields.")
	for _, fault := range faults {
		name, _, _ := strings.Cut(fault.Field(), "[") // "tags[2]" is an error of "tags"
		e.Fields = append(e.Fields, apperr.Field{Name: name, Message: explain(fault)})
	}
	return e
}

func explain(fault validator.FieldError) string {
	switch fault.ActualTag() {
	case "required":
		return needed(fault.Field())
	case "max":
		if fault.Kind() == reflect.Slice {
			return fmt.Sprintf("Use at most %s.", fault.Param())
		}
		return fmt.Sprintf("Use at most %s characters.", fault.Param())
	case "username":
		return "Use 3–30 characters: lowercase letters, digits, _ . -"
	case "email":
		return "Enter an email address, such as name@example.com."
	case "plain", "plain_lines":
		return "This contains characters that can't be displayed."
	case "visible":
		return "Use at least one visible character."
	case "oneof":
		return "Use one of: " + strings.ReplaceAll(fault.Param(), " ", ", ") + "."
	}
	return "This isn't accepted."
}

// needed names the field that was left empty, as the forms label it.
func needed(field string) string {
	switch field {
	case "fullName":
		return "Enter your name."
	case "email":
		return "Enter your email address."
	case "content":
		return "Enter some text."
	case "reason":
		return "Choose a reason."
	}
	return "Enter a " + field + "."
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
