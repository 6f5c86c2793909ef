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
		"username": usernames.MatchString,
		"line":     func(s string) bool { return plain(s, "") },
		"text":     func(s string) bool { return plain(s, "\n\t") },
	}
	for tag, ok := range custom {
		must(v.RegisterValidation(tag, func(f validator.FieldLevel) bool { return ok(f.Field().String()) }))
	}
	return v
}

// plain tells text without control characters, but for those allowed. Text of
// spaces alone was trimmed to nothing before.
func plain(s, allowed string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(allowed, r)
	})
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
	switch fault.Tag() {
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
	case "line", "text":
		return "This has characters that cannot be shown."
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
