package assets

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"

	"tokentube/utils/respond"
)

func newSite(t *testing.T) (*Files, http.Handler) {
	t.Helper()
	return siteOf(t, fstest.MapFS{
		"css/base.css": {Data: []byte("body{}")}, "js/app.js": {Data: []byte("let a")}, "icons.svg": {Data: []byte("<svg/>")},
		"logo.png": {Data: []byte("\x89PNG")}, "embed.go": {Data: []byte("package static")}, "notes.txt": {Data: []byte("private")},
	})
}

func siteOf(t *testing.T, folder fs.FS) (*Files, http.Handler) {
	t.Helper()
	files, err := New(folder)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := respond.NewRenderer(fstest.MapFS{
		"layout.html": {Data: []byte(`{{.Message}}`)}, "partials/p.html": {Data: []byte("")}, "errors/show.html": {Data: []byte("")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.TestMode)
	engine := gin.New()
	responder := respond.New(pages, func(*gin.Context) any { return nil }, "", respond.Flash{Now: time.Now}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	engine.GET("/static/*name", responder.Use, files.Serve)
	engine.HEAD("/static/*name", responder.Use, files.Serve)
	return files, engine
}

func get(h http.Handler, method, address string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/static/", nil)
	path, query, _ := strings.Cut(address, "?")
	r.URL.Path, r.URL.RawQuery = path, query
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFilesAreServedWithTheirTypes(t *testing.T) {
	files, h := newSite(t)
	for name, want := range map[string][2]string{
		"css/base.css": {"text/css; charset=utf-8", "body{}"}, "js/app.js": {"text/javascript; charset=utf-8", "let a"},
		"icons.svg": {"image/svg+xml", "<svg/>"}, "logo.png": {"image/png", "\x89PNG"},
	} {
		address := files.Path(name)
		if !regexp.MustCompile(`^/static/` + regexp.QuoteMeta(name) + `\?v=[\w-]{12}$`).MatchString(address) {
			t.Errorf("the address of %s is %s", name, address)
		}
		w := get(h, http.MethodGet, address)
		if w.Code != 200 || w.Header().Get("Content-Type") != want[0] || w.Body.String() != want[1] {
			t.Errorf("%s: %d, %s, %q", name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if w := get(h, http.MethodHead, address); w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d, %q", name, w.Code, w.Body)
		}
	}
}

func TestOtherVersionsAreAskedForAgain(t *testing.T) {
	_, h := newSite(t)
	for _, query := range []string{"", "?v=", "?v=AAAAAAAAAAAA"} {
		w := get(h, http.MethodGet, "/static/js/app.js"+query)
		tag := w.Header().Get("ETag")
		if w.Code != 200 || w.Header().Get("Cache-Control") != "no-cache" || tag == "" {
			t.Errorf("%q: %d, %v", query, w.Code, w.Header())
		}
		if w := get(h, http.MethodGet, "/static/js/app.js"+query, "If-None-Match", tag); w.Code != 304 || w.Body.Len() != 0 {
			t.Errorf("%q, asked again: %d", query, w.Code)
		}
		if w := get(h, http.MethodGet, "/static/js/app.js"+query, "If-None-Match", `"old"`); w.Code != 200 {
			t.Errorf("%q, changed: %d", query, w.Code)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	_, h := newSite(t)
	for _, path := range []string{
		"/", "/css", "/css/", "/css/base", "/CSS/base.css", "/embed.go", "/notes.txt", "/unknown.css", "/../assets.go", "/css/../../assets.go",
		"/css/../icons.svg", "//icons.svg", "/./icons.svg", "/icons.svg/", "/icons.svg\x00", `/css\base.css`, "/%2e%2e/icons.svg",
	} {
		w := get(h, http.MethodGet, "/static"+path)
		if w.Code != 404 || strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.Contains(w.Body.String(), "This file") {
			t.Errorf("%q: %d, %q, %v", path, w.Code, w.Body, w.Header())
		}
	}
}

func TestVersionFollowsTheContent(t *testing.T) {
	path := func(content string) string {
		files, err := New(fstest.MapFS{"a.css": {Data: []byte(content)}})
		if err != nil {
			t.Fatal(err)
		}
		return files.Path("a.css")
	}
	if first, again := path("one"), path("one"); first == path("two") || first != again {
		t.Error("the version is not that of the content")
	}
}

func TestUnreadableFolderIsAnError(t *testing.T) {
	if _, err := New(broken{}); err == nil {
		t.Error("no error")
	}
}

type broken struct{ fstest.MapFS }

func (broken) ReadDir(string) ([]fs.DirEntry, error) { return nil, errors.New("broken disk") }

func TestFilesAreCompressedOnce(t *testing.T) {
	text := strings.Repeat("body { margin: 0 } ", 200)
	files, h := siteOf(t, fstest.MapFS{"a.css": {Data: []byte(text)}, "b.css": {Data: []byte("b{}")}, "c.png": {Data: []byte(text)}})
	address := files.Path("a.css")
	tags := map[string]bool{}
	for _, coding := range []string{"", "gzip", "zstd"} {
		w := get(h, http.MethodGet, address, "Accept-Encoding", coding)
		tag, whole := w.Header().Get("ETag"), w.Body.Len()
		tags[tag] = true
		if got := w.Header(); w.Code != 200 || got.Get("Content-Encoding") != coding || got.Get("Vary") != "Accept-Encoding" ||
			got.Get("Cache-Control") != "public, max-age=31536000, immutable" || got.Get("Content-Length") != strconv.Itoa(whole) || (whole < 200) != (coding != "") {
			t.Errorf("%q: %d, %d bytes, %v", coding, w.Code, whole, got)
		}
		if coding == "gzip" {
			r, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); string(got) != text || err != nil {
				t.Errorf("%.50q, %v", got, err)
			}
		}
		if w := get(h, http.MethodHead, address, "Accept-Encoding", coding); w.Header().Get("Content-Length") != strconv.Itoa(whole) || w.Body.Len() != 0 {
			t.Errorf("HEAD, %q: %v", coding, w.Header())
		}
		if w := get(h, http.MethodGet, address, "Accept-Encoding", coding, "If-None-Match", tag); w.Code != 304 || w.Body.Len() != 0 {
			t.Errorf("%q, asked again: %d", coding, w.Code)
		}
		part := get(h, http.MethodGet, address, "Accept-Encoding", coding, "Range", "bytes=0-3")
		if part.Code != 206 || part.Body.Len() != 4 || part.Header().Get("Content-Range") != "bytes 0-3/"+strconv.Itoa(whole) {
			t.Errorf("%q, a range: %d, %v", coding, part.Code, part.Header())
		}
	}
	if len(tags) != 3 {
		t.Errorf("codings share tags: %v", tags)
	}
	for _, name := range []string{"b.css", "c.png"} { // tiny; and a picture, which is already compressed
		if w := get(h, http.MethodGet, files.Path(name), "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
}

func TestImportedScriptsHaveTheirVersion(t *testing.T) {
	scripts := func(say string) fstest.MapFS {
		return fstest.MapFS{
			"js/a.js":   {Data: []byte("import { b } from \"./b.js\";\nimport \"./say.js\";\nconst c = [\"./c.js\"];\nimport(c[0]);\nfetch(\"b.js\")")},
			"js/b.js":   {Data: []byte("import { say } from \"./say.js\"; import \"./a.js\";")},
			"js/c.js":   {Data: []byte("export default 1")},
			"js/say.js": {Data: []byte(say)},
		}
	}
	files, h := siteOf(t, scripts("one"))
	body := get(h, http.MethodGet, files.Path("js/a.js")).Body.String()
	version := func(name string) string { return strings.TrimPrefix(files.Path("js/"+name), "/static/js/") }
	want := "import { b } from \"./" + version("b.js") + "\";\nimport \"./" + version("say.js") + "\";\nconst c = [\"./" + version("c.js") + "\"];\nimport(c[0]);\nfetch(\"b.js\")"
	if body != want {
		t.Errorf("got %s\nwant %s", body, want)
	}
	if w := get(h, http.MethodGet, "/static/js/"+version("say.js")); !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("an imported script: %v", w.Header())
	}
	if others, _ := siteOf(t, scripts("two")); others.Path("js/a.js") == files.Path("js/a.js") || others.Path("js/c.js") == files.Path("js/c.js") {
		t.Error("a version doesn't follow what the script imports")
	}
}

func TestScriptsThatCannotBeLoadedStopTheStart(t *testing.T) {
	want := "a.js imports b.js, which doesn't exist"
	if _, err := New(fstest.MapFS{"a.js": {Data: []byte(`import "./b.js"`)}}); err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}
