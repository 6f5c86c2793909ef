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

// The rules of a document stand in its struct, as validate tags; this file says
// what the tags mean. Documents are validated by validate, whoever made them.

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

// normalText is how text of several lines is kept.
func normalText(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// plain tells text without control characters, but for those allowed. Text of
// spaces alone was trimmed to nothing before.
func plain(s, allowed string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(allowed, r)
	})
}

// shows tells characters that leave something to see: not spaces, marks, format characters, fillers (ᅠ) or the blanks among
// the symbols. Text needs one of them; beside it, all of those are fine (emoji sequences, Persian with its joiners).
func shows(r rune) bool {
	const blankBraille, nullNotehead = 0x2800, 0x1d159
	return (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsPunct(r) || unicode.IsSymbol(r)) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && r != blankBraille && r != nullNotehead
}

// validate checks a document against its rules: the error names every field.
func validate(document any) error {
	err := rules.Struct(document)
	var faults validator.ValidationErrors
	if !errors.As(err, &faults) {
		return err
	}
	e := apperr.New(apperr.Invalid, "Please correct what is marked.")
	for _, fault := range faults {
		name, _, _ := strings.Cut(fault.Field(), "[") // "tags[2]" is a fault of "tags"
		e.Fields = append(e.Fields, apperr.Field{Name: name, Message: explain(fault)})
	}
	return e
}

func explain(fault validator.FieldError) string {
	switch fault.ActualTag() {
	case "required":
		return "This is needed."
	case "max":
		if fault.Kind() == reflect.Slice {
			return fmt.Sprintf("At most %s.", fault.Param())
		}
		return fmt.Sprintf("At most %s characters.", fault.Param())
	case "username":
		return "3 to 30 characters: a-z, 0-9, _ . -"
	case "email":
		return "This is not an e-mail address."
	case "plain", "plain_lines":
		return "This has characters that can't be shown."
	case "visible":
		return "Use at least one visible character."
	case "oneof":
		return "One of: " + strings.ReplaceAll(fault.Param(), " ", ", ") + "."
	}
	return "This cannot be taken."
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
