package respond

import (
	"strings"
	"testing"
	"testing/fstest"
)

type named string

// Every place where a page shows a text is found, whatever the template looks like; values that are not text for people
// are left unchanged.
func TestTextsAreIsolatedWherePeopleMeetThem(t *testing.T) {
	const rlo, closed = "\u202ex", "\u2068\u202ex\u202c\u2069"
	for source, want := range map[string]string{
		`<p>{{.Data}}</p>`:                                    `<p>` + closed + `</p>`,
		`<title>{{.Data}} · Tube</title>`:                     `<title>` + closed + ` · Tube</title>`,
		`<p title="{{.Data}}">by {{.Data}}</p>`:               `<p title="` + closed + `">by ` + closed + `</p>`,
		`<img alt='{{.Data}}'>`:                               `<img alt='` + closed + `'>`,
		`<meta content="{{.Data}}">`:                          `<meta content="` + closed + `">`,
		`<option value="{{.Data}}">{{.Data}}</option>`:        `<option value="` + rlo + `">` + closed + `</option>`,
		`<input value="{{.Data}}"><b>{{.Data}}</b>`:           `<input value="` + rlo + `"><b>` + closed + `</b>`,
		`<textarea>{{.Data}}</textarea>{{.Data}}`:             `<textarea>` + rlo + `</textarea>` + closed,
		`<i data-name="{{.Data}}" aria-label="{{.Data}}">`:    `<i data-name="` + rlo + `" aria-label="` + closed + `">`,
		`<a{{if .Data}} title="{{.Data}}"{{else}} b{{end}}>z`: `<a title="` + closed + `">z`,
		`<p>{{if .Data}}<b>{{.Data}}</b>{{end}} {{.Data}}`:    `<p><b>` + closed + `</b> ` + closed,
		`{{with .Data}}{{.}}{{else}}-{{end}}`:                 closed,
		`{{$x := .Data}}{{$x}}`:                               closed,
		`{{printf "%s!" .Data}}`:                              "\u2068\u202ex!\u202c\u2069",
		`{{range .Fields}}{{.}}{{end}}`:                       closed,
		`{{.Named}}`:                                          closed,
		`{{.Number}}{{.Nothing}}`:                             `7`,
		`<a href="/?q={{.Data}}">`:                            `<a href="/?q=%e2%80%aex">`,
		`{{asIs .Data}}`:                                      rlo,
		`{{template "piece" .Data}}`:                          closed,
		`<b title="{{template "piece" .Data}}">`:              `<b title="` + closed + `">`,
		"<p\n  class=\"x\"\n  title=\"{{.Data}}\"\n>":         "<p\n  class=\"x\"\n  title=\"" + closed + "\"\n>",
	} {
		files := fstest.MapFS{
			"layout.html": {Data: []byte(`{{template "content" .Data}}`)}, "partials/piece.html": {Data: []byte(`{{define "piece"}}{{.}}{{end}}`)},
			"a/b.html": {Data: []byte(`{{define "content"}}` + source + `{{end}}`)},
		}
		pages, err := NewRenderer(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pages.String("a/b", Page{Data: map[string]any{"Data": rlo, "Fields": []string{rlo}, "Named": named(rlo), "Number": 7, "Nothing": ""}})
		if err != nil || got != strings.ReplaceAll(want, "'", "'") {
			t.Errorf("%s becomes %+q, %v; want %+q", source, got, err, want)
		}
	}
}
