package input_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"tokentube/utils/apperr"
	"tokentube/utils/input"
)

type form struct {
	Identifier string   `form:"identifier" json:"identifier"`
	Title      *string  `form:"title" json:"title"`
	Remember   bool     `form:"remember" json:"remember"`
	Count      int      `form:"count" json:"count"`
	Ratio      *float64 `form:"ratio" json:"ratio"`
	Tags       []string `form:"tags" json:"tags"`
}

func pointer[T any](v T) *T { return &v }

func request(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
	typeMany = "multipart/form-data; boundary=B"
)

// part is one part of a multipart body with the boundary B.
func part(name, content string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n"
}

func filePart(name, file, content string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + file + "\"\r\nContent-Type: image/png\r\n\r\n" + content + "\r\n"
}

const end = "--B--\r\n"

// must fails unless err has the code and, if field is given, names it.
func must(t *testing.T, name string, err error, code apperr.Code, field string) {
	t.Helper()
	if !apperr.Is(err, code) {
		t.Errorf("%s: %v, want %s", name, err, code)
		return
	}
	e := apperr.From(err)
	if e.Message == "" {
		t.Errorf("%s: the error says nothing", name)
	}
	if field != "" && (len(e.Fields) != 1 || e.Fields[0].Name != field || e.Fields[0].Message == "") {
		t.Errorf("%s: fields %v, want %s", name, e.Fields, field)
	}
}

func TestAllFormatsGiveTheSame(t *testing.T) {
	want := form{Identifier: "alice & co ü", Title: pointer(""), Remember: true, Count: 7, Ratio: pointer(1.5), Tags: []string{"a", "b"}}
	for name, r := range map[string]*http.Request{
		"JSON":         request(typeJSON+"; charset=utf-8", `{"identifier":"alice & co \u00fc","title":"","remember":true,"count":7,"ratio":1.5,"tags":["a","b"],"unknown":{"x":1}}`),
		"form":         request(typeForm, "identifier=alice+%26+co+%C3%BC&title=&remember=true&count=7&ratio=1.5&tags=a&tags=b&unknown=x"),
		"multipart":    request(typeMany, part("tags", "a")+part("identifier", "alice & co ü")+part("title", "")+part("unknown", "x")+part("remember", "true")+part("ratio", "1.5")+part("tags", "b")+part("count", "7")+end),
		"upper case":   request("APPLICATION/JSON", `{"identifier":"alice & co ü","title":"","remember":true,"count":7,"ratio":1.5,"tags":["a","b"]}`),
		"no last line": request(typeMany, part("tags", "a")+part("tags", "b")+part("identifier", "alice & co ü")+part("title", "")+part("remember", "true")+part("ratio", "1.5")+part("count", "7")+"--B--"),
		"no charset":   request(typeJSON+";", `{"identifier":"alice & co ü","title":"","remember":true,"count":7,"ratio":1.5,"tags":["a","b"]}`),
	} {
		var got form
		if err := input.Read(r, &got, nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	var got form
	r := httptest.NewRequest(http.MethodGet, "/?identifier=alice+%26+co+%C3%BC&title=&remember=true&count=7&ratio=1.5&tags=a&tags=b&x=1", nil)
	if err := input.Query(r, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("query: %+v, %v", got, err)
	}
}

func TestNothingSentLeavesTheFieldsAlone(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"no body":             httptest.NewRequest(http.MethodPost, "/", nil),
		"JSON, no body":       request(typeJSON, ""),
		"JSON, white space":   request(typeJSON, " \r\n"),
		"JSON, empty object":  request(typeJSON, "{}"),
		"JSON, null":          request(typeJSON, "null"),
		"JSON, null fields":   request(typeJSON, `{"identifier":null,"title":null,"remember":null,"count":null,"tags":null}`),
		"form, no body":       request(typeForm, ""),
		"multipart, no parts": request(typeMany, end),
	} {
		var got form
		if err := input.Read(r, &got, nil); err != nil || !reflect.DeepEqual(got, form{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestWrongTypesAreInvalidAndNamed(t *testing.T) {
	for _, test := range []struct{ field, values string }{
		{"identifier", `1 true {} [] {"$gt":""} ["alice"]`},
		{"title", `1 false {} []`},
		{"remember", `"true" 1 {} []`},
		{"count", `"7" 1.5 true {} [] 1e99 99999999999999999999`},
		{"ratio", `"1" 1e999 {}`},
		{"tags", `"a" {} 1 [1] [{}]`},
	} {
		for value := range strings.FieldsSeq(test.values) {
			var got form
			err := input.Read(request(typeJSON, `{"`+test.field+`":`+value+`}`), &got, nil)
			must(t, test.field+" = "+value, err, apperr.Invalid, test.field)
		}
	}
	for _, body := range []string{"remember=maybe", "remember=1x", "count=many", "count=1.5", "count=99999999999999999999", "ratio=x", "count=[]"} {
		field, value, _ := strings.Cut(body, "=")
		must(t, body, input.Read(request(typeForm, body), &form{}, nil), apperr.Invalid, field)
		must(t, "multipart "+body, input.Read(request(typeMany, part(field, value)+end), &form{}, nil), apperr.Invalid, field)
		must(t, "query "+body, input.Query(httptest.NewRequest(http.MethodGet, "/?"+body, nil), &form{}), apperr.Invalid, field)
	}
	for _, body := range []string{`[]`, `"text"`, `1`, `true`} {
		must(t, body, input.Read(request(typeJSON, body), &form{}, nil), apperr.Invalid, "")
	}
}

func TestMalformedBodiesAreRefused(t *testing.T) {
	for _, body := range []string{`{`, `{"identifier":"alice"`, `{"identifier":"alice"} {}`, `{"identifier":"alice"}x`, `{identifier:1}`, `{'a':1}`, "\x00", `{"a":NaN}`, `{"identifier":"` + "\xff" + `"}`} {
		must(t, body, input.Read(request(typeJSON, body), &form{}, nil), apperr.Malformed, "")
	}
	for _, body := range []string{"identifier=%zz", "identifier=%", "a=1;b=2"} {
		must(t, body, input.Read(request(typeForm, body), &form{}, nil), apperr.Malformed, "")
		must(t, "query "+body, input.Query(&http.Request{URL: &url.URL{RawQuery: body}}, &form{}), apperr.Malformed, "")
	}
	must(t, "no boundary", input.Read(request("multipart/form-data", part("a", "b")+end), &form{}, nil), apperr.Malformed, "")
	must(t, "no multipart at all", input.Read(request(typeMany, "identifier=alice"), &form{}, nil), apperr.Malformed, "")
	must(t, "empty multipart", input.Read(request(typeMany, ""), &form{}, nil), apperr.Malformed, "")
}

func TestInvalidTextIsRefused(t *testing.T) {
	must(t, "form", input.Read(request(typeForm, "identifier=%ff"), &form{}, nil), apperr.Invalid, "identifier")
	must(t, "multipart", input.Read(request(typeMany, part("identifier", "\xff")+end), &form{}, nil), apperr.Invalid, "identifier")
	must(t, "query", input.Query(httptest.NewRequest(http.MethodGet, "/?identifier=%ff", nil), &form{}), apperr.Invalid, "identifier")
}

func TestOtherTypesAreNotTaken(t *testing.T) {
	for _, contentType := range []string{"", "text/plain", "text/html", "application/xml", "application/jsonx", "multipart/mixed; boundary=B", "x", "/", ";"} {
		must(t, contentType, input.Read(request(contentType, `{"identifier":"alice"}`), &form{}, nil), apperr.UnsupportedMedia, "")
	}
}

func TestOperatorsReachNoField(t *testing.T) {
	for _, body := range []string{
		"identifier[$ne]=x", "identifier%5B%24gt%5D=", "identifier[]=x", "identifier.$ne=x", "$where=1", "Identifier[$ne]=x", "identifier%00=x",
	} {
		var got form
		if err := input.Read(request(typeForm, body), &got, nil); err != nil || !reflect.DeepEqual(got, form{}) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
	var got form
	must(t, "JSON", input.Read(request(typeJSON, `{"identifier":{"$gt":""}}`), &got, nil), apperr.Invalid, "identifier")
	if !reflect.DeepEqual(got, form{}) {
		t.Errorf("JSON: %+v", got)
	}
	// Text stays text, whatever it looks like.
	if err := input.Read(request(typeForm, "identifier="+url.QueryEscape(`{"$gt":""}`)), &got, nil); err != nil || got.Identifier != `{"$gt":""}` {
		t.Errorf("text: %+v, %v", got, err)
	}
}

func TestTextHasALimit(t *testing.T) {
	body := map[string]func(int) (contentType, body string){
		"JSON":      func(n int) (string, string) { return typeJSON, `{"identifier":"` + strings.Repeat("a", n-17) + `"}` },
		"form":      func(n int) (string, string) { return typeForm, "identifier=" + strings.Repeat("a", n-11) },
		"multipart": func(n int) (string, string) { return typeMany, part("identifier", strings.Repeat("a", n-11)) + end },
	}
	for name, make := range body {
		var got form
		if err := input.Read(request(make(input.TextLimit)), &got, nil); err != nil || len(got.Identifier) < input.TextLimit-20 {
			t.Errorf("%s at the limit: %v", name, err)
		}
		must(t, name+" over it", input.Read(request(make(input.TextLimit+1)), &got, nil), apperr.TooLarge, "")
	}
	// Text that is percent-encoded or escaped has the same limit as other text.
	for letters, n := range map[string]int{"é": input.TextLimit/2 - 20, "漢": input.TextLimit/3 - 20, "😀": input.TextLimit/4 - 20, "\n": input.TextLimit - 20} {
		text, more := strings.Repeat(letters, n), strings.Repeat(letters, 40)
		for name, encode := range map[string]func(string) (contentType, body string){
			"a form": func(text string) (string, string) { return typeForm, url.Values{"identifier": {text}}.Encode() },
			"JSON": func(text string) (string, string) {
				var body strings.Builder
				for _, unit := range utf16.Encode([]rune(text)) {
					fmt.Fprintf(&body, `\u%04x`, unit)
				}
				return typeJSON, `{"identifier":"` + body.String() + `"}`
			},
		} {
			var got form
			if letters == "\n" && name == "JSON" {
				continue // nobody escapes every ASCII character
			}
			if err := input.Read(request(encode(text)), &got, nil); err != nil || got.Identifier != text {
				t.Errorf("%d times %q in %s: %v", n, letters, name, err)
			}
			must(t, name+" with too many "+letters, input.Read(request(encode(text+more)), &got, nil), apperr.TooLarge, "")
		}
	}
	half := strings.Repeat("a", input.TextLimit/2)
	must(t, "in several parts", input.Read(request(typeMany, part("a", half)+part("b", half)+part("c", "aa")+end), &form{}, nil), apperr.TooLarge, "")
	var names strings.Builder
	for i := range 100 {
		names.WriteString(part(fmt.Sprintf("%d-%s", i, strings.Repeat("n", 1000)), ""))
	}
	must(t, "in the names", input.Read(request(typeMany, names.String()+end), &form{}, nil), apperr.TooLarge, "")
	must(t, "in empty parts", input.Read(request(typeMany, strings.Repeat(part("", ""), input.TextLimit+1)+end), &form{}, nil), apperr.TooLarge, "")
}

// A file in a field of another name is no text, so its sender isn't told to shorten the text.
func TestAFileInAnotherFieldIsNamed(t *testing.T) {
	photo := input.Files{"photo": func(r io.Reader) error { _, err := io.ReadAll(r); return err }}
	err := input.Read(request(typeMany, filePart("media", "a.png", strings.Repeat("a", input.TextLimit))+end), &form{}, photo)
	must(t, "another field", err, apperr.TooLarge, "")
	if err != nil && !strings.Contains(apperr.From(err).Message, "“media”") {
		t.Errorf("the message is %q", apperr.From(err).Message)
	}
}

func TestMaxBytesReaderIsTooLarge(t *testing.T) {
	long := strings.Repeat("a", 5000)
	for name, r := range map[string]*http.Request{
		"JSON":             request(typeJSON, `{"identifier":"`+long+`"}`),
		"form":             request(typeForm, "identifier="+long),
		"multipart":        request(typeMany, part("identifier", long)+end),
		"multipart header": request(typeMany, "--B\r\nX-Long: "+long+"\r\n\r\n"+end),
		"file":             request(typeMany, filePart("photo", "a.png", long)+end),
	} {
		r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 1000)
		err := input.Read(r, &form{}, input.Files{"photo": func(r io.Reader) error {
			_, err := io.ReadAll(r)
			return err
		}})
		must(t, name, err, apperr.TooLarge, "")
	}
}

// With a real multipart writer, as browsers send it.
func TestMultipartWriterIsUnderstood(t *testing.T) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	file, _ := w.CreateFormFile("photo", `a "quoted" name.png`)
	_, _ = file.Write([]byte("\r\n--content--\r\n"))
	_ = w.WriteField("identifier", "alice\r\n--x")
	_ = w.Close()
	var got form
	var content []byte
	err := input.Read(request(w.FormDataContentType(), body.String()), &got, input.Files{"photo": keep(&content)})
	if err != nil || got.Identifier != "alice\r\n--x" || string(content) != "\r\n--content--\r\n" {
		t.Errorf("%+v, %q, %v", got, content, err)
	}
}

func keep(to *[]byte) func(io.Reader) error {
	return func(r io.Reader) (err error) {
		*to, err = io.ReadAll(r)
		return err
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []struct{ contentType, body string }{
		{typeJSON, `{"identifier":"alice","count":1,"tags":["a"]}`},
		{typeJSON, `{"identifier":{"$gt":""}}`},
		{typeJSON, `[[[[`},
		{typeForm, "identifier=alice&count=1&remember=on&tags=a&tags=b"},
		{typeForm, "identifier[$ne]=x&=&&%"},
		{typeMany, part("identifier", "alice") + filePart("photo", "a.png", "content") + end},
		{typeMany, filePart("photo", "", "") + part("count", "x")},
		{"multipart/form-data; boundary=", "----"},
		{"", ""},
	} {
		f.Add(seed.contentType, seed.body)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		var got form
		err := input.Read(request(contentType, body), &got, input.Files{"photo": func(r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}})
		if err != nil {
			if e := (*apperr.Error)(nil); !errors.As(err, &e) || e.Code == apperr.Internal {
				t.Fatalf("%q %q: %v is our fault", contentType, body, err)
			}
			return
		}
		if text, err := json.Marshal(got); err != nil || len(text) > 8*input.TextLimit {
			t.Fatalf("%q %q: %d bytes, %v", contentType, body, len(text), err)
		}
	})
}

func TestEncodedBodiesAreRefusedByName(t *testing.T) {
	for coding, refused := range map[string]bool{"gzip": true, "br, gzip": true, "zstd": true, "identity": false, "": false} {
		r := request("application/json", `{"identifier":"alice"}`)
		r.Header.Set("Content-Encoding", coding)
		err := input.Read(r, &form{}, nil)
		if refused {
			must(t, coding, err, apperr.UnsupportedMedia, "")
			if !strings.Contains(err.Error(), "Content-Encoding") {
				t.Error(err)
			}
		} else if err != nil {
			t.Errorf("%q: %v", coding, err)
		}
	}
}
