package respond

import (
	"html/template"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestShort(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 1: "1", 999: "999", 1000: "1K", 1099: "1K", 1200: "1.2K", 9999: "9.9K", 10_000: "10K", 15_400: "15K", 999_999: "999K",
		1_000_000: "1M", 3_400_000: "3.4M", 999_999_999: "999M", 1_000_000_000: "1B",
	} {
		if got := short(n); got != want {
			t.Errorf("short(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int64]string{0: "0 views", 1: "1 view", 2: "2 views", 1200: "1.2K views"} {
		if got := plural(n, "view", "views"); got != want {
			t.Errorf("plural(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	now, day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), 24*time.Hour
	for d, want := range map[time.Duration]string{
		-time.Hour: "just now", 0: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 119 * time.Second: "1 minute ago",
		59 * time.Minute: "59 minutes ago", time.Hour: "1 hour ago", 23 * time.Hour: "23 hours ago", day: "1 day ago", 6 * day: "6 days ago",
		7 * day: "1 week ago", 29 * day: "4 weeks ago", 30 * day: "1 month ago", 364 * day: "12 months ago", 365 * day: "1 year ago", 800 * day: "2 years ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%s before: %s, want %s", d, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0:00", 6.6: "0:07", 59.5: "1:00", 60: "1:00", 750: "12:30", 3599.4: "59:59", 3600: "1:00:00", 3723: "1:02:03", 360000: "100:00:00"} {
		if got := clock(seconds); got != want {
			t.Errorf("clock(%g) = %s, want %s", seconds, got, want)
		}
	}
}

func TestDict(t *testing.T) {
	got, err := dict("a", 1, "b", nil)
	if err != nil || !reflect.DeepEqual(got, map[string]any{"a": 1, "b": nil}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, pairs := range [][]any{{"a"}, {1, 2}, {"a", 1, nil, 2}} {
		if _, err := dict(pairs...); err == nil {
			t.Errorf("%v: no error", pairs)
		}
	}
}

func TestFuncsInATemplate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	funcs := Funcs(func(name string) string { return "/static/" + name + `?v="` }, func() time.Time { return now })
	text := `{{asset "a.css"}} {{icon "x\"><script>"}} {{timeTag .}} {{iso .}} {{fullTime .}}`
	var out strings.Builder
	if err := template.Must(template.New("").Funcs(funcs).Parse(text)).Execute(&out, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/static/a.css?v=&#34; ", `<time datetime="2026-01-02T01:04:05Z" title="2 January 2026, 01:04 UTC">1 hour ago</time> 2026-01-02T01:04:05Z 2 January 2026, 01:04 UTC`, `aria-hidden="true"`, "?v=&#34;#x&#34;&gt;&lt;script&gt;"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in %s", want, &out)
		}
	}
}

func TestConstantsAreComputedOnce(t *testing.T) {
	calls := 0
	funcs := Funcs(func(name string) string { calls++; return "/static/" + name + "?a&b" }, time.Now)
	r, err := NewRenderer(fstest.MapFS{
		"layout.html":        {Data: []byte(`<link href="{{asset "a.css"}}">{{template "part" .}}{{block "content" .}}{{end}}`)},
		"partials/part.html": {Data: []byte(`{{define "part"}}{{if .Path}}{{icon "heart"}}{{end}}{{end}}`)},
		"a/b.html":           {Data: []byte(`{{define "content"}}{{range .Data}}{{icon "plus"}}{{icon .}}{{else}}none{{end}}{{end}}`)},
	}, funcs)
	if err != nil {
		t.Fatal(err)
	}
	atStart := calls
	icon := func(name string) string {
		return `<svg class="icon" aria-hidden="true" focusable="false"><use href="/static/icons.svg?a&amp;b#` + name + `"></use></svg>`
	}
	want := `<link href="/static/a.css?a&amp;b">` + icon("heart") + icon("plus") + icon("x") + icon("plus") + icon("y")
	got, err := r.String("a/b", Page{Path: "/", Data: []string{"x", "y"}})
	if got != want || err != nil {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	if calls-atStart != 2 {
		t.Errorf("%d calls for a page with two icons that depend on its data", calls-atStart)
	}
}

// Each line of a text determines its own direction, and nothing in it becomes HTML.
func TestLines(t *testing.T) {
	const line, end = `<span class="line" dir="auto">`, `</span>`
	for text, want := range map[string]string{
		"":                     "",
		"One <line>":           "One &lt;line&gt;",
		"First\n<b>\r\nלום":    line + "First" + end + line + "&lt;b&gt;" + end + line + "\u2068לום\u2069" + end,
		"\nAfter an empty one": line + "<br>" + end + line + "After an empty one" + end,
	} {
		if got := string(lines(text)); got != want {
			t.Errorf("lines(%q) = %q, want %q", text, got, want)
		}
		if got := string(linked(text)); got != want {
			t.Errorf("linked(%q) = %q, want %q", text, got, want)
		}
	}
	if got, want := string(linked("#one\n@someone")), line+`<a href="/search?q=%23one"><bdi>#one</bdi></a>`+end+line+`<a href="/@someone"><bdi>@someone</bdi></a>`+end; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
