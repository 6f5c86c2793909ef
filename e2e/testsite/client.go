package testsite

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// M is a JSON object.
type M = map[string]any

// Client sends requests to a site, keeps the cookies it gets, and doesn't follow redirects.
type Client struct {
	site    *Site
	Cookies map[string]string
	Header  http.Header // sent with every request
	Change  func(*http.Request)
	until   map[string]time.Time // of short-lived cookies; others are kept longer than in a browser, to see them refused
}

// Answer is a recorded response.
type Answer struct {
	*http.Response
	Code int
	Body string
	page *html.Node // once it has been parsed
	t    testing.TB
}

// Copy is another client with the same cookies.
func (c *Client) Copy() *Client { return c.CopyTo(c.site) }

// CopyTo is another client with the same cookies, whose requests go to another process.
func (c *Client) CopyTo(site *Site) *Client {
	other := site.Client()
	maps.Copy(other.Cookies, c.Cookies)
	maps.Copy(other.until, c.until)
	return other
}

// Do sends a request, and keeps the cookies that the response sets. An endless response, such as server-sent events, is
// cut off after its first part. A response of the API must match openapi.json.
func (c *Client) Do(r *http.Request) *Answer {
	c.site.t.Helper()
	for name, values := range c.Header {
		r.Header[name] = values
	}
	for name, value := range c.Cookies {
		if until, short := c.until[name]; short && !c.site.Clock.Now().Before(until) {
			continue
		}
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if c.Change != nil {
		c.Change(r)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	r = r.WithContext(ctx)
	w := recorder{httptest.NewRecorder(), cancel}
	c.site.Handler.ServeHTTP(w, r)
	answer := w.Result()
	answer.Request = r
	for _, cookie := range answer.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.Cookies, cookie.Name)
			continue
		}
		c.Cookies[cookie.Name] = cookie.Value
		delete(c.until, cookie.Name)
		if life := time.Duration(cookie.MaxAge) * time.Second; life > 0 && life < time.Minute {
			c.until[cookie.Name] = c.site.Clock.Now().Add(life)
		}
	}
	a := &Answer{Response: answer, Code: w.Code, Body: w.Body.String(), t: c.site.t}
	c.checkDescribed(a)
	return a
}

// recorder disconnects from a stream after its first part.
type recorder struct {
	*httptest.ResponseRecorder
	hangUp func()
}

func (r recorder) Flush() {
	r.ResponseRecorder.Flush()
	if strings.HasPrefix(r.Header().Get("Content-Type"), "text/event-stream") {
		r.hangUp()
	}
}

// Get opens a page.
func (c *Client) Get(path string) *Answer {
	c.site.t.Helper()
	return c.Do(httptest.NewRequest(http.MethodGet, "https://localhost"+path, nil))
}

// PostForm sends a page's form.
func (c *Client) PostForm(path string, fields url.Values) *Answer {
	c.site.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://localhost"+path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.Do(r)
}

// JSON calls the API, or a page as a script would.
func (c *Client) JSON(method, path string, body any) *Answer {
	c.site.t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		check(c.site.t, err)
		content = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, "https://localhost"+path, content)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return c.Do(r)
}

// File is a part of a multipart form.
type File struct {
	Field, Name string
	Content     []byte
}

// Upload sends a multipart form: the files first, then the fields.
func (c *Client) Upload(method, path string, fields map[string]string, files ...File) *Answer {
	c.site.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, file := range files {
		part, err := w.CreateFormFile(file.Field, file.Name)
		check(c.site.t, err)
		_, err = part.Write(file.Content)
		check(c.site.t, err)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		check(c.site.t, w.WriteField(name, fields[name]))
	}
	check(c.site.t, w.Close())
	r := httptest.NewRequest(method, "https://localhost"+path, &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return c.Do(r)
}

// Status fails the test if the response has another status.
func (a *Answer) Status(want int) *Answer {
	a.t.Helper()
	if a.Code != want {
		a.t.Fatalf("%s: want %d", a, want)
	}
	return a
}

// Has fails the test if the body lacks any of the texts.
func (a *Answer) Has(texts ...string) *Answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			a.t.Fatalf("%s: want %q in it", a, text)
		}
	}
	return a
}

// HasNot fails the test if the body contains any of the texts.
func (a *Answer) HasNot(texts ...string) *Answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.Body, text) {
			a.t.Fatalf("%s: %q must not be in it", a, text)
		}
	}
	return a
}

// Envelope is the whole JSON response.
func (a *Answer) Envelope() M {
	a.t.Helper()
	var m M
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		a.t.Fatalf("%s: %v", a, err)
	}
	return m
}

// Data is the data in the envelope.
func (a *Answer) Data() M {
	a.t.Helper()
	data, _ := a.Envelope()["data"].(M)
	return data
}

// Fault is the message for a field in the error envelope, or "".
func (a *Answer) Fault(field string) string {
	a.t.Helper()
	list, _ := a.Envelope()["errors"].([]any)
	for _, entry := range list {
		if m := entry.(M); m["field"] == field {
			return m["message"].(string)
		}
	}
	return ""
}
