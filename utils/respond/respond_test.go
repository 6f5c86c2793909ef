package respond_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// M is a JSON object.
type M = map[string]any

var templates = fstest.MapFS{
	"layout.html":        {Data: []byte(`<html>[{{.Viewer}}|{{.Flash}}|{{.Status}}|{{.Path}}|{{.RequestID}}]{{template "content" .}}{{template "foot"}}</html>`)},
	"partials/foot.html": {Data: []byte(`{{define "foot"}}<foot>{{end}}`)},
	"errors/show.html":   {Data: []byte(`{{define "content"}}ERROR {{.Message}}{{end}}`)},
	"posts/show.html":    {Data: []byte(`{{define "content"}}POST {{.Data.Title}}{{end}}`)},
	"posts/new.html":     {Data: []byte(`{{define "content"}}FORM {{.Data.Title}} ({{.Message}}) FIELD {{.Errors.title}}.{{end}}`)},
	"posts/broken.html":  {Data: []byte(`{{define "content"}}HALF {{.Data.Nothing}}{{end}}`)},
}

type post struct {
	Title string `json:"title"`
}

// site serves one action at /page and /api/v1/page, for all methods.
type site struct {
	t       *testing.T
	handler http.Handler
	log     *strings.Builder
}

// flash is how the tests' sites carry their messages.
var flash = respond.Flash{Key: "key", Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}

func newSite(t *testing.T, action respond.Action) site { return newSiteOf(t, templates, nil, action) }

func newSiteOf(t *testing.T, files fstest.MapFS, viewer any, action respond.Action) site {
	t.Helper()
	pages, err := respond.NewRenderer(files, respond.Funcs(func(name string) string { return name }, time.Now))
	if err != nil {
		t.Fatal(err)
	}
	text := &strings.Builder{}
	log := slog.New(slog.NewTextHandler(text, nil))
	responder := respond.New(pages, func(*gin.Context) any { return viewer }, "https://tube.example", flash, log)
	gin.SetMode(gin.TestMode)
	engine := gin.New()
	engine.Use(responder.Use, func(c *gin.Context) { respond.SetRequestID(c, "request-1") }, middlewares.Recover(log))
	engine.Any("/page", respond.Handle(action))
	engine.Any("/api/v1/page", respond.Handle(action))
	return site{t, engine, text}
}

func (s site) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s site) want(w *httptest.ResponseRecorder, code int, header M) {
	s.t.Helper()
	if w.Code != code {
		s.t.Errorf("status %d, want %d: %s", w.Code, code, w.Body)
	}
	for name, value := range header {
		if got := w.Header().Get(name); got != value {
			s.t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func (s site) body(w *httptest.ResponseRecorder) M {
	s.t.Helper()
	m := M{}
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		s.t.Errorf("%q: %v", w.Body, err)
	}
	return m
}

func (s site) same(got M, want string) {
	s.t.Helper()
	text, _ := json.Marshal(got)
	sorted := M{}
	_ = json.Unmarshal([]byte(want), &sorted)
	if expected, _ := json.Marshal(sorted); string(text) != string(expected) {
		s.t.Errorf("got %s\nwant %s", text, expected)
	}
}

func TestShow(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error { return respond.Show(c, "posts/show", post{"<b>"}) })
	page := s.do("GET", "/page?x=1")
	s.want(page, 200, M{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "private, no-cache", "Vary": "Accept, Accept-Encoding, Cookie"})
	if got := page.Body.String(); got != "<html>[||200|/page?x=1|request-1]POST &lt;b&gt;<foot></html>" {
		t.Errorf("page %q", got)
	}
	api := s.do("GET", "/api/v1/page")
	s.want(api, 200, M{"Content-Type": "application/json; charset=utf-8", "Cache-Control": "private, no-cache", "Vary": "Accept, Accept-Encoding, Cookie"})
	s.same(s.body(api), `{"statusCode":200,"message":"OK","success":true,"data":{"title":"<b>"}}`)
}

func TestDone(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error {
		return respond.Done(c, "Saved; “you” are done.", "/posts/1", post{"a"})
	})
	page := s.do("POST", "/page")
	s.want(page, 303, M{"Location": "/posts/1", "Cache-Control": "no-store"})
	api := s.do("POST", "/api/v1/page")
	s.want(api, 200, M{"Location": "", "Set-Cookie": ""})
	s.same(s.body(api), `{"statusCode":200,"message":"Saved; “you” are done.","success":true,"data":{"title":"a"}}`)
}

func TestCreated(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error {
		return respond.Created(c, "Made.", "/posts/1", "/api/v1/posts/1", post{"a"})
	})
	s.want(s.do("POST", "/page"), 303, M{"Location": "/posts/1"})
	api := s.do("POST", "/api/v1/page")
	s.want(api, 201, M{"Location": "/api/v1/posts/1"})
	s.same(s.body(api), `{"statusCode":201,"message":"Made.","success":true,"data":{"title":"a"}}`)
}

func TestInvalid(t *testing.T) {
	var fault error
	s := newSite(t, func(c *gin.Context) error { return respond.Invalid(c, "posts/new", post{"typed"}, fault) })
	for _, test := range []struct {
		fault  *apperr.Error
		status int
		form   bool
	}{
		{apperr.InvalidField("title", "Too long."), 422, true},
		{apperr.New(apperr.Conflict, "Taken."), 409, true},
		{apperr.New(apperr.UnsupportedMedia, "No picture."), 415, true},
		{apperr.New(apperr.TooLarge, "Too much."), 413, true},
		{apperr.New(apperr.Unauthorized, "Wrong password."), 401, true},
		{apperr.New(apperr.NotFound, "Gone."), 404, false},
		{apperr.New(apperr.Unavailable, "Later."), 503, false},
	} {
		fault = test.fault
		page := s.do("POST", "/page")
		s.want(page, test.status, nil)
		if got := page.Body.String(); strings.Contains(got, "FORM typed ("+test.fault.Message+")") != test.form || strings.Contains(got, "ERROR") == test.form {
			t.Errorf("%s: %s", test.fault.Code, got)
		}
		api := s.do("POST", "/api/v1/page")
		s.want(api, test.status, nil)
		if got := s.body(api); got["message"] != test.fault.Message || got["code"] != string(test.fault.Code) {
			t.Errorf("%s: %v", test.fault.Code, got)
		}
	}
	fault = apperr.InvalidField("title", "Too long.")
	if got := s.do("POST", "/page").Body.String(); !strings.Contains(got, "FIELD Too long..") {
		t.Errorf("the field's message is missing in %s", got)
	}
	s.same(s.body(s.do("POST", "/api/v1/page")), `{"statusCode":422,"success":false,"code":"invalid","message":"Too long.","userMessage":"Too long.",
		"errors":[{"field":"title","message":"Too long."}],"data":null,"requestId":"request-1"}`)
}

func TestErrorsOfEachKind(t *testing.T) {
	var fault error
	s := newSite(t, func(*gin.Context) error { return fault })
	busy := apperr.New(apperr.Unavailable, "Later.")
	busy.RetryAfter = 1500 * time.Millisecond
	for _, test := range []struct {
		err     error
		status  int
		message string
		retry   string
	}{
		{apperr.New(apperr.NotFound, "No such <post>.").Because(io.EOF), 404, "No such <post>.", ""},
		{fmt.Errorf("showing: %w", apperr.New(apperr.Forbidden, "Not yours.")), 403, "Not yours.", ""},
		{busy, 503, "Later.", "2"},
		{errors.New("pq: password=hunter2"), 500, "Something went wrong on our side.", ""},
		{context.Canceled, 500, "Something went wrong on our side.", ""},
	} {
		fault = test.err
		page := s.do("GET", "/page")
		s.want(page, test.status, M{"Retry-After": test.retry, "Content-Type": "text/html; charset=utf-8"})
		escaped := strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(test.message)
		if got := page.Body.String(); !strings.Contains(got, "ERROR "+escaped) || !strings.Contains(got, "request-1") {
			t.Errorf("%v: page %s", test.err, got)
		}
		api := s.do("GET", "/api/v1/page")
		s.want(api, test.status, M{"Retry-After": test.retry, "Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding, Cookie"})
		if got := s.body(api); got["message"] != test.message || got["success"] != false || got["requestId"] != "request-1" || got["errors"] == nil {
			t.Errorf("%v: %v", test.err, got)
		}
		for _, w := range []*httptest.ResponseRecorder{page, api} {
			if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(w.Body.String(), "EOF") {
				t.Errorf("the cause is told: %s", w.Body)
			}
		}
	}
	if !strings.Contains(s.log.String(), "hunter2") || !strings.Contains(s.log.String(), "request-1") {
		t.Error("the log does not tell the cause")
	}
}

func TestUnauthorizedLeadsToTheLogin(t *testing.T) {
	s := newSite(t, func(*gin.Context) error { return apperr.New(apperr.Unauthorized, "Log in first.") })
	s.want(s.do("GET", "/page?a=1&b=x%20y"), 303, M{"Location": "/login?next=%2Fpage%3Fa%3D1%26b%3Dx%2520y", "Cache-Control": "no-store"})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		s.want(s.do(method, "/page?a=1"), 303, M{"Location": "/login"})
	}
	for _, w := range []*httptest.ResponseRecorder{s.do("GET", "/api/v1/page"), s.do("GET", "/page", "Accept", "application/json")} {
		s.want(w, 401, M{"WWW-Authenticate": `Bearer realm="tokentube"`, "Location": ""})
	}
	other := newSite(t, func(c *gin.Context) error {
		c.Header("WWW-Authenticate", "Bearer error=invalid_token")
		return apperr.New(apperr.Unauthorized, "x")
	})
	other.want(other.do("GET", "/api/v1/page"), 401, M{"WWW-Authenticate": "Bearer error=invalid_token"})
}

func TestWantsJSON(t *testing.T) {
	for _, test := range []struct {
		path, accept string
		want         bool
	}{
		{"/page", "", false},
		{"/page", "*/*", false},
		{"/page", "text/html,application/xhtml+xml,*/*;q=0.8", false},
		{"/page", "application/json", true},
		{"/page", "application/json, text/plain, */*", true},
		{"/page", "text/html, application/json", false},
		{"/page", "application/json, text/html;q=0.1", false},
		{"/page", "text/plain", false},
		{"/api/v1/page", "", true},
		{"/api/v1/page", "text/html", true},
		{"/apis", "", false},
		{"/page/api/", "", false},
	} {
		c := &gin.Context{Request: httptest.NewRequest("GET", test.path, nil)}
		c.Request.Header.Set("Accept", test.accept)
		if got := respond.WantsJSON(c); got != test.want {
			t.Errorf("%s with Accept %q: %v", test.path, test.accept, got)
		}
	}
}

func TestBrokenTemplateGivesACleanError(t *testing.T) {
	for name, action := range map[string]respond.Action{
		"fails half-way": func(c *gin.Context) error { return respond.Show(c, "posts/broken", post{}) },
		"is not there":   func(c *gin.Context) error { return respond.Show(c, "posts/unknown", post{}) },
		"form": func(c *gin.Context) error {
			return respond.Invalid(c, "posts/broken", post{}, apperr.New(apperr.Invalid, "x"))
		},
	} {
		s := newSite(t, action)
		w := s.do("GET", "/page")
		s.want(w, 500, nil)
		if got := w.Body.String(); strings.Contains(got, "HALF") || strings.Contains(got, "Nothing") || !strings.Contains(got, "ERROR Something went wrong") || strings.Count(got, "<html>") != 1 {
			t.Errorf("%s: %s", name, got)
		}
	}
	files := fstest.MapFS{
		"layout.html": templates["layout.html"], "partials/foot.html": templates["partials/foot.html"],
		"errors/show.html": {Data: []byte(`{{define "content"}}HALF {{.Nothing}}{{end}}`)},
	}
	s := newSiteOf(t, files, nil, func(*gin.Context) error { return apperr.New(apperr.NotFound, "x") })
	w := s.do("GET", "/page")
	s.want(w, 500, M{"Content-Type": "text/plain; charset=utf-8"})
	if w.Body.String() != "Something went wrong on our side.\n" {
		t.Errorf("a broken error page: %q", w.Body)
	}
}

func TestBrokenTemplateStopsTheStart(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no layout": {"partials/foot.html": templates["partials/foot.html"]},
		"layout":    {"layout.html": {Data: []byte("{{")}, "partials/foot.html": templates["partials/foot.html"]},
		"page":      {"layout.html": templates["layout.html"], "partials/foot.html": templates["partials/foot.html"], "a/b.html": {Data: []byte("{{nosuch}}")}},
	} {
		if _, err := respond.NewRenderer(files, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPanic(t *testing.T) {
	s := newSite(t, func(*gin.Context) error { panic("hunter2") })
	page := s.do("GET", "/page")
	s.want(page, 500, M{"Content-Type": "text/html; charset=utf-8"})
	api := s.do("GET", "/api/v1/page")
	s.want(api, 500, M{"Content-Type": "application/json; charset=utf-8"})
	if s.body(api)["code"] != "internal" || strings.Contains(page.Body.String()+api.Body.String(), "hunter2") {
		t.Errorf("%s\n%s", page.Body, api.Body)
	}
	if !strings.Contains(s.log.String(), "hunter2") || !strings.Contains(s.log.String(), "respond_test.go") {
		t.Error("the log does not tell where")
	}
	abort := newSite(t, func(*gin.Context) error { panic(http.ErrAbortHandler) })
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the server's own panic was swallowed")
		}
	}()
	abort.do("GET", "/page")
}

func TestErrorAfterTheAnswerAddsNothing(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error {
		c.String(200, "all of it")
		return errors.New("too late")
	})
	w := s.do("GET", "/page")
	s.want(w, 200, nil)
	if w.Body.String() != "all of it" || !strings.Contains(s.log.String(), "too late") {
		t.Errorf("%q, log %s", w.Body, s.log)
	}
}

func TestErrorStopsTheChain(t *testing.T) {
	w := httptest.NewRecorder()
	c, engine := gin.CreateTestContext(w)
	pages, _ := respond.NewRenderer(templates, nil)
	responder := respond.New(pages, func(*gin.Context) any { return nil }, "", respond.Flash{Now: time.Now}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	engine.GET("/page", responder.Use, func(c *gin.Context) { respond.Error(c, apperr.New(apperr.Forbidden, "x")) },
		func(*gin.Context) { t.Error("the action ran") })
	c.Request = httptest.NewRequest("GET", "/page", nil)
	engine.HandleContext(c)
	if w.Code != 403 {
		t.Errorf("status %d", w.Code)
	}
}

func TestAnswersForOnePersonAreNotStored(t *testing.T) {
	show := func(c *gin.Context) error { return respond.Show(c, "posts/show", post{}) }
	withCookie := func(c *gin.Context) error {
		c.SetCookieData(&http.Cookie{Name: "AccessToken", Value: "x"})
		return show(c)
	}
	for name, test := range map[string]struct {
		viewer any
		action respond.Action
		want   string
	}{
		"nobody":           {nil, show, "private, no-cache"},
		"a user":           {"alice", show, "no-store"},
		"a cookie is set":  {nil, withCookie, "no-store"},
		"both":             {"alice", withCookie, "no-store"},
		"redirect":         {nil, func(c *gin.Context) error { return respond.Redirect(c, "/") }, "no-store"},
		"cached by action": {"alice", func(c *gin.Context) error { c.Header("Cache-Control", "public"); return show(c) }, "no-store"},
	} {
		s := newSiteOf(t, templates, test.viewer, test.action)
		for _, path := range []string{"/page", "/api/v1/page"} {
			if got := s.do("GET", path).Header().Get("Cache-Control"); got != test.want {
				t.Errorf("%s, %s: %q", name, path, got)
			}
		}
	}
	s := newSite(t, func(c *gin.Context) error { c.Writer.Header().Add("Vary", "Origin"); return show(c) })
	for _, path := range []string{"/page", "/api/v1/page"} {
		if got := s.do("GET", path).Header().Values("Vary"); strings.Join(got, ", ") != "Origin, Accept, Accept-Encoding, Cookie" {
			t.Errorf("%s: Vary is %q", path, got)
		}
	}
}

func TestFlashIsShownOnce(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error {
		if c.Request.Method == "POST" {
			return respond.Done(c, "Saved <b>; “ü”", "/page", nil)
		}
		return respond.Show(c, "posts/show", post{})
	})
	set := s.do("POST", "/page").Result().Cookies()
	if len(set) != 1 || !set[0].HttpOnly || !set[0].Secure || set[0].SameSite != http.SameSiteLaxMode || set[0].Path != "/" || set[0].MaxAge <= 0 || set[0].MaxAge > 60 {
		t.Fatalf("cookies %v", set)
	}
	cookie := set[0].Name + "=" + set[0].Value
	if api := s.do("GET", "/api/v1/page", "Cookie", cookie); api.Header().Get("Set-Cookie") != "" {
		t.Error("the API takes the flash away")
	}
	page := s.do("GET", "/page", "Cookie", cookie)
	s.want(page, 200, M{"Cache-Control": "no-store"})
	if !strings.Contains(page.Body.String(), "|Saved &lt;b&gt;; “ü”|") {
		t.Errorf("page %s", page.Body)
	}
	if cleared := page.Result().Cookies(); len(cleared) != 1 || cleared[0].Name != set[0].Name || cleared[0].MaxAge >= 0 {
		t.Errorf("cookies %v", cleared)
	}
	for _, alien := range []string{"!!", "a", "=", "%%%", ".", "QQ", strings.Replace(set[0].Value, ".", ".x", 1), "x" + set[0].Value} { // not ours: as if it were not there
		page := s.do("GET", "/page", "Cookie", set[0].Name+"="+alien)
		s.want(page, 200, nil)
		if !strings.Contains(page.Body.String(), "[||200|") || len(page.Result().Cookies()) != 0 {
			t.Errorf("%s: %s, cookies %v", alien, page.Body, page.Result().Cookies())
		}
	}
	both := s.do("GET", "/page", "Cookie", set[0].Name+"=alien; "+cookie) // next to another program's
	if !strings.Contains(both.Body.String(), "|Saved &lt;b&gt;; “ü”|") {
		t.Errorf("page %s", both.Body)
	}
}

// A cookie set by somebody else can't make a message appear to be the site's own.
func TestAFlashIsTheSitesOwn(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	of := func(f respond.Flash) site {
		pages, err := respond.NewRenderer(templates, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.Now = func() time.Time { return now }
		engine := gin.New()
		engine.Use(respond.New(pages, func(*gin.Context) any { return nil }, "", f, slog.New(slog.DiscardHandler)).Use)
		engine.Any("/page", respond.Handle(func(c *gin.Context) error {
			if c.Request.Method == http.MethodPost {
				return respond.Done(c, "Saved.", "/page", nil)
			}
			return respond.Show(c, "posts/show", post{})
		}))
		return site{t, engine, &strings.Builder{}}
	}
	ours, others := respond.Flash{Prefix: "__Host-", Key: "ours"}, respond.Flash{Prefix: "__Host-", Key: "others"}
	cookie := of(ours).do("POST", "/page").Result().Cookies()[0]
	if cookie.Name != "__Host-Flash" || !cookie.Secure || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie %v", cookie)
	}
	plain := base64.RawURLEncoding.EncodeToString([]byte("Your account is locked. Call 555-0100."))
	alien := of(others).do("POST", "/page").Result().Cookies()[0]
	for name, test := range map[string]struct {
		cookie string
		shown  bool
	}{
		"ours":              {"__Host-Flash=" + cookie.Value, true},
		"without prefix":    {"Flash=" + cookie.Value, false},
		"plain text":        {"__Host-Flash=" + plain + "; Flash=" + plain, false},
		"of another site":   {"__Host-Flash=" + alien.Value, false},
		"other text":        {"__Host-Flash=" + plain + cookie.Value[strings.Index(cookie.Value, "."):], false},
		"without signature": {"__Host-Flash=" + cookie.Value[:strings.Index(cookie.Value, ".")], false},
	} {
		if page := of(ours).do("GET", "/page", "Cookie", test.cookie); strings.Contains(page.Body.String(), "[||") == test.shown {
			t.Errorf("%s: %s", name, page.Body)
		}
	}
	now = now.Add(time.Minute)
	if page := of(ours).do("GET", "/page", "Cookie", "__Host-Flash="+cookie.Value); !strings.Contains(page.Body.String(), "[||") {
		t.Errorf("a minute later: %s", page.Body)
	}
	http1 := ours
	http1.Secure = func(*http.Request) bool { return false }
	if cookie := of(http1).do("POST", "/page").Result().Cookies()[0]; cookie.Secure {
		t.Error("Secure, where COOKIE_SECURE says no")
	}
}

func TestRendererKnowsItsPages(t *testing.T) {
	pages, err := respond.NewRenderer(templates, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := pages.Names(); len(got) != 4 {
		t.Errorf("pages %v", got)
	}
	one, _ := pages.String("posts/show", respond.Page{Data: post{"a"}})
	two, _ := pages.String("posts/new", respond.Page{Data: post{"a"}})
	if !strings.Contains(one, "POST a") || !strings.Contains(two, "FORM a") {
		t.Errorf("two pages that define one block: %s %s", one, two)
	}
}
