package assets

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/respond"
)

func newSite(t *testing.T) (*Files, http.Handler) {
	t.Helper()
	files, err := New(fstest.MapFS{
		"css/base.css": {Data: []byte("body{}")}, "js/app.js": {Data: []byte("let a")}, "icons.svg": {Data: []byte("<svg/>")},
		"logo.png": {Data: []byte("\x89PNG")}, "embed.go": {Data: []byte("package static")}, "notes.txt": {Data: []byte("private")},
	})
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
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
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
