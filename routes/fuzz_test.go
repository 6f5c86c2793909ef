package routes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// stage lets a site that is reused for many fuzzer inputs fail: the fuzz test itself must not be used while it runs an
// input.
type stage struct {
	testing.TB
	input testing.TB
}

func (s *stage) on() testing.TB {
	if s.input != nil {
		return s.input
	}
	return s.TB
}

func (s *stage) Helper()                         { s.on().Helper() }
func (s *stage) Fatal(args ...any)               { s.on().Fatal(args...) }
func (s *stage) Fatalf(form string, args ...any) { s.on().Fatalf(form, args...) }
func (s *stage) Logf(form string, args ...any)   { s.on().Logf(form, args...) }

// target is a whole site that receives arbitrary bodies, with and without a login.
type target struct {
	site   *testsite.Site
	stage  *stage
	routes []route // those with a body
	fields []string
	files  []string // the file fields of all forms
	user   *testsite.Client
	users  int
}

func newTarget(f *testing.F) *target {
	f.Helper()
	x := &target{stage: &stage{TB: f}}
	x.site = testsite.New(x.stage)
	for _, r := range allRoutes(x.site) {
		if !r.safe() {
			x.routes = append(x.routes, r)
		}
	}
	x.fields = slices.Sorted(maps.Keys(fields()))
	for _, file := range allFiles(f) {
		x.files = append(x.files, file.Field)
	}
	return x
}

// signedIn is a logged-in browser. If the last one was logged out, or its account deleted, it is another user's.
// is gone, it is another user's.
func (x *target) signedIn() *testsite.Client {
	if x.user == nil || x.user.JSON("GET", "/api/v1/users/get-current-user", nil).Code != http.StatusOK {
		x.users++
		x.user = x.site.User(fmt.Sprintf("alice%d", x.users))
	}
	return x.user.Copy()
}

func (x *target) route(n uint8) route { return x.routes[int(n)%len(x.routes)] }

// send calls the route with and without a login, as a page and as a script.
func (x *target) send(t *testing.T, r route, contentType string, body []byte) {
	t.Helper()
	x.stage.input = t
	defer func() { x.stage.input = nil }()
	user := x.signedIn()
	id := someID
	if strings.Contains(r.path, "/tweets/:id") || strings.Contains(r.path, "/posts/:id") {
		id = user.JSON("POST", "/api/v1/tweets", testsite.M{"content": "mine"}).Status(http.StatusCreated).ID()
	}
	for _, client := range []*testsite.Client{x.site.Client(), user} {
		for _, accept := range []string{"text/html", "application/json"} {
			request := httptest.NewRequest(r.method, "https://localhost"+r.to(id), bytes.NewReader(body))
			request.Header.Set("Accept", accept)
			request.Header["Content-Type"] = []string{contentType}
			checkAnswer(t, r, client.Do(request), string(body))
		}
	}
}

// checkAnswer fails unless the response is one of ours: a page, an envelope, or a redirect to one of our pages, and not
// a server error.
func checkAnswer(t *testing.T, r route, answer *testsite.Answer, sent string) {
	t.Helper()
	if answer.Code >= 500 {
		t.Fatalf("%s %s: %s", r.method, r.path, answer)
	}
	for _, trace := range []string{"goroutine ", "runtime error", "panic:", ".go:"} {
		if strings.Contains(answer.Body, trace) && !strings.Contains(sent, trace) {
			t.Fatalf("%s %s shows the inside: %s", r.method, r.path, answer)
		}
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.Code == http.StatusSeeOther:
		to, err := url.Parse(answer.Header.Get("Location"))
		if err != nil || to.Host != "" || !strings.HasPrefix(to.Path, "/") {
			t.Fatalf("%s %s leads to %q", r.method, r.path, answer.Header.Get("Location"))
		}
	case kind == "application/json":
		var envelope struct {
			StatusCode int
			Success    *bool
			RequestID  string
		}
		err := json.Unmarshal([]byte(answer.Body), &envelope)
		if err != nil || envelope.StatusCode != answer.Code || envelope.Success == nil || *envelope.Success != (answer.Code < 400) {
			t.Fatalf("%s %s: no envelope: %s, %v", r.method, r.path, answer, err)
		}
	case kind == "text/html":
		if !strings.Contains(answer.Body, "<h1") || !strings.Contains(answer.Body, "</html>") {
			t.Fatalf("%s %s: no page: %s", r.method, r.path, answer)
		}
	default:
		t.Fatalf("%s %s answers with %q: %s", r.method, r.path, answer.Header.Get("Content-Type"), answer)
	}
}

// FuzzBodies sends arbitrary bodies of any type to every route that accepts one.
func FuzzBodies(f *testing.F) {
	x := newTarget(f)
	for n := range x.routes {
		f.Add(uint8(n), "application/json", []byte(`{"title":null,"content":["x"],"password":{"$gt":""},"x":1e999}`))
		f.Add(uint8(n), "multipart/form-data; boundary=B", []byte("--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\n\x89PNG\r\n"))
	}
	f.Fuzz(func(t *testing.T, n uint8, contentType string, body []byte) {
		x.send(t, x.route(n), contentType, body)
	})
}

// FuzzFields fills in the fields of every input struct, in each of the three encodings.
func FuzzFields(f *testing.F) {
	x := newTarget(f)
	for n := range x.routes {
		f.Add(uint8(n), uint8(n), "A name", "alice@example.com", testsite.Password)
		f.Add(uint8(n), uint8(n+1), "draft", "true", "a\x00b\u202e<script>")
	}
	f.Fuzz(func(t *testing.T, n, encoding uint8, one, two, three string) {
		values := [3]string{one, two, three}
		// Which field gets which value depends on the encoding's number, so that every field gets every value.
		value := func(i int) string { return values[(i+int(encoding)/3)%3] }
		var body bytes.Buffer
		var contentType string
		switch encoding % 3 {
		case 0:
			contentType = "application/json"
			object := map[string]any{}
			for i, name := range x.fields {
				object[name] = value(i)
				if text := value(i); text == "true" || text == "false" {
					object[name] = text == "true"
				}
			}
			if err := json.NewEncoder(&body).Encode(object); err != nil {
				t.Fatal(err)
			}
		case 1:
			contentType = "application/x-www-form-urlencoded"
			form := url.Values{}
			for i, name := range x.fields {
				form.Set(name, value(i))
			}
			body.WriteString(form.Encode())
		case 2:
			w := multipart.NewWriter(&body)
			contentType = w.FormDataContentType()
			for i, name := range x.fields {
				if err := w.WriteField(name, value(i)); err != nil {
					t.Fatal(err)
				}
			}
			part, err := w.CreateFormFile(x.files[int(encoding)/3%len(x.files)], one)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write([]byte(three)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		x.send(t, x.route(n), contentType, body.Bytes())
	})
}
