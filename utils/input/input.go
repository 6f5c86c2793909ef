// Package input reads a request into a struct: JSON, a form, or a multipart form whose files are streamed to their
// destination, part by part.
//
// Does not belong here: which values are valid. Models decide that.
package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gin-gonic/gin/binding"

	"tokentube/utils/apperr"
)

const (
	// TextLimit is how many bytes of text a request may contain once it is decoded, not counting files.
	TextLimit = 20 << 10
	// EncodedLimit is for the same text in a form or in JSON, where a byte beyond ASCII may take three: %C3%A9 and
	// \u00e9 are é.
	EncodedLimit = 3 * TextLimit
)

// Files are the file fields that an action accepts, each with a function that processes the file's bytes.
type Files map[string]func(io.Reader) error

// Read fills dst, a pointer to a struct with form and json tags, from the body. Nothing that a client sends can become
// a database operator: a field accepts text, a number or a boolean, and anything else is a fault.
func Read(r *http.Request, dst any, files Files) error {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return apperr.New(apperr.UnsupportedMedia, "Send the body without Content-Encoding.")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.ContentLength == 0 {
		return nil // nothing was sent: every field keeps its zero value
	}
	switch kind {
	case "application/json":
		return readJSON(r.Body, dst)
	case "application/x-www-form-urlencoded":
		body, err := readText(r.Body, formSize)
		if err != nil {
			return err
		}
		return readForm(string(body), dst)
	case "multipart/form-data":
		return readMultipart(r.Body, params["boundary"], dst, files)
	}
	return apperr.New(apperr.UnsupportedMedia, "Send JSON, a form or a multipart form.")
}

func readJSON(body io.Reader, dst any) error {
	text, err := readText(body, jsonSize)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if !utf8.Valid(text) { // RFC 8259 §8.1; the library would substitute other characters
		return apperr.New(apperr.Malformed, "The body isn't valid UTF-8.")
	}
	err = json.Unmarshal(text, dst)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return apperr.InvalidField(wrong.Field, "This must be %s.", describe(wrong.Type)).Because(err)
	}
	if err != nil {
		return apperr.New(apperr.Malformed, "The body isn't valid JSON.").Because(err)
	}
	return nil
}

func readForm(body string, dst any) error {
	values, err := url.ParseQuery(body)
	if err != nil {
		return apperr.New(apperr.Malformed, "Couldn't read the form.").Because(err)
	}
	return setFields(dst, values)
}

// Query fills dst from the query string, by the same rules.
func Query(r *http.Request, dst any) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return apperr.New(apperr.Malformed, "Couldn't read the address.").Because(err)
	}
	return setFields(dst, values)
}

// setFields sets the values one field at a time, so that each fault names its field.
func setFields(dst any, values url.Values) error {
	var faults error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		faults = apperr.Join(faults, setField(dst, name, values[name]))
	}
	return faults
}

func setField(dst any, name string, all []string) error {
	for _, value := range all {
		if !utf8.ValidString(value) {
			return apperr.InvalidField(name, "This isn't valid UTF-8.")
		}
	}
	one := map[string][]string{name: all}
	if err := binding.MapFormWithTag(dst, one, "form"); err != nil {
		return apperr.InvalidField(name, "This must be %s.", describe(fieldType(dst, name))).Because(err)
	}
	return nil
}

func fieldType(dst any, name string) reflect.Type {
	t := reflect.TypeOf(dst).Elem()
	for _, f := range reflect.VisibleFields(t) {
		if f.Tag.Get("form") == name {
			return f.Type
		}
	}
	return t
}

func describe(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// readText reads text of at most TextLimit bytes; size is how many it has without its escapes.
func readText(body io.Reader, size func(encoded []byte) int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(body, EncodedLimit+1))
	if err != nil {
		return nil, broken(err)
	}
	if len(text) > EncodedLimit || size(text) > TextLimit {
		return nil, tooMuchText()
	}
	return text, nil
}

func formSize(encoded []byte) int { return len(encoded) - 2*bytes.Count(encoded, []byte("%")) }

func jsonSize(encoded []byte) int {
	n := len(encoded)
	for i := 0; i+1 < len(encoded); i++ {
		if encoded[i] != '\\' {
			continue
		}
		i++
		n--
		if code, err := strconv.ParseUint(string(encoded[i+1:min(i+5, len(encoded))]), 16, 16); encoded[i] == 'u' && err == nil {
			n -= 5 - bytesOf(rune(code))
		}
	}
	return n
}

// bytesOf is how many bytes a \u escape stands for. A character of four bytes takes two of them, which are surrogates.
func bytesOf(code rune) int {
	if utf16.IsSurrogate(code) {
		return 2
	}
	return utf8.RuneLen(code)
}

func tooMuchText() error {
	return apperr.New(apperr.TooLarge, "Send at most %d kB of text at once.", TextLimit>>10)
}

// broken is the error for a body that ended early or exceeded its limit.
func broken(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return apperr.New(apperr.TooLarge, "Send at most %s at once.", Size(tooLarge.Limit)).Because(err)
	}
	if own := (*apperr.Error)(nil); errors.As(err, &own) { // our own code ended the body
		return own
	}
	return apperr.New(apperr.Malformed, "The upload was cut off.").Because(err)
}

// Size formats a number of bytes for people.
func Size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", n>>10)
}
