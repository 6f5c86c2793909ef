package respond

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFormsThatMakeSomethingHaveAKey(t *testing.T) {
	page := `{{define "content"}}` + strings.Join([]string{
		`<form method="post" action="/posts">1</form>`,
		`<form class="form" method="post" action="/comments/{{.Path}}" enctype="multipart/form-data" data-upload>2</form>`,
		"<form\n  method=\"post\"\n  action=\"/playlists\">3</form>",
		`<form method="post" action="/posts/1?_method=DELETE">4</form>`,
		`<form method="post" action="/login">5</form><form method="post" action="/logout">6</form>`,
		`<form method="post" action="/register" enctype="multipart/form-data">7</form>`,
		`<form method="get" action="/search">8</form><form action="/search">9</form><formula>10</formula>`,
	}, "\n") + `{{end}}`
	files := fstest.MapFS{
		"layout.html":           {Data: []byte(`{{template "content" .}}{{template "report"}}`)},
		"partials/report.html":  {Data: []byte(`{{define "report"}}<form method="post" action="/reports">11</form>{{end}}`)},
		"playlists/create.html": {Data: []byte(page)},
	}
	pages, err := NewRenderer(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`><input type="hidden" name="idempotencyKey" value="([A-Z0-9]{26})" autocomplete="off">(\d+)<`)
	seen := map[string]bool{}
	for range 2 {
		text, err := pages.String("playlists/create", Page{Path: "x"})
		if err != nil {
			t.Fatal(err)
		}
		var with []string
		for _, found := range field.FindAllStringSubmatch(text, -1) {
			with = append(with, found[2])
			seen[found[1]] = true
		}
		if got := strings.Join(with, " "); got != "1 2 3 11" || strings.Count(text, "idempotencyKey") != 4 {
			t.Errorf("forms with a key: %s in\n%s", got, text)
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d keys in 8 forms", len(seen))
	}
}
