package controllers_test

import (
	"bytes"
	"context"
	"image"
	imagepng "image/png"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// damaged is a picture with a valid header, so that only decoding reveals the damage.
func damaged(t *testing.T, field string) testsite.File {
	data := png(t, 90, 90)
	data = data[:len(data)-30]
	return testsite.File{Field: field, Name: "x.png", Content: data}
}

// A damaged picture is reported together with all other faults of its form.
func TestDamagedPicturesAreToldWithOtherFaults(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	video := alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": "x"}, testsite.File{Field: "videoFile", Name: "x", Content: testsite.Video}).Status(201).ID()
	clip := testsite.File{Field: "videoFile", Name: "x", Content: testsite.Video}
	for _, c := range []struct {
		client       *testsite.Client
		method, path string
		bad, good    map[string]string
		field        string
		pictures     []testsite.File
	}{
		{site.Client(), "POST", "/api/v1/users/register",
			map[string]string{"username": "x", "email": "bob@example.com", "fullName": "Bob", "password": testsite.Password},
			map[string]string{"username": "bob", "email": "bob@example.com", "fullName": "Bob", "password": testsite.Password},
			"username", []testsite.File{damaged(t, "avatar")}},
		{site.Client(), "POST", "/api/v1/users/register",
			map[string]string{"username": "bob", "email": "bob@example.com", "fullName": "Bob", "password": "short"},
			map[string]string{"username": "bob", "email": "bob@example.com", "fullName": "Bob", "password": testsite.Password},
			"password", []testsite.File{damaged(t, "avatar"), damaged(t, "coverImage")}},
		{alice, "POST", "/api/v1/photos", map[string]string{"title": ""}, map[string]string{"title": "x"}, "title", []testsite.File{damaged(t, "photo")}},
		{alice, "POST", "/api/v1/videos/publish-video", map[string]string{"title": ""}, map[string]string{"title": "x"}, "title", []testsite.File{clip, damaged(t, "thumbnail")}},
		{alice, "PATCH", "/api/v1/videos/" + video, map[string]string{"title": ""}, map[string]string{"title": "x"}, "title", []testsite.File{damaged(t, "thumbnail")}},
	} {
		bad := c.client.Upload(c.method, c.path, c.bad, c.pictures...).Status(422)
		good := c.client.Upload(c.method, c.path, c.good, c.pictures...).Status(422)
		if bad.Fault(c.field) == "" || good.Fault(c.field) != "" {
			t.Errorf("%s %s: %s, then %s", c.method, c.path, bad, good)
		}
		for _, sent := range c.pictures {
			if is := sent.Field != "videoFile"; is != (bad.Fault(sent.Field) != "") || is != (good.Fault(sent.Field) != "") {
				t.Errorf("%s %s, %s: %s, then %s", c.method, c.path, sent.Field, bad, good)
			}
		}
		intact := slices.Clone(c.pictures)
		for i, sent := range intact {
			if sent.Field != "videoFile" {
				intact[i].Content = png(t, 90, 90)
			}
		}
		refused := c.client.Upload(c.method, c.path, c.bad, intact...).Status(422)
		for _, sent := range intact {
			if refused.Fault(sent.Field) != "" || refused.Fault(c.field) == "" {
				t.Errorf("%s %s with a picture that is right: %s", c.method, c.path, refused)
			}
		}
	}
	if left := storedFiles(t, site); left != 3 {
		t.Errorf("%d files stored, want an avatar, a video and its thumbnail", left)
	}
}

// A request whose client has disconnected stops using resources, however its body was sent.
func TestNobodyWaitsForAPicture(t *testing.T) {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 {
		t.Skip("this system does not list the processes that one started")
	}
	site := testsite.New(t)
	alice := site.User("alice")
	var photo bytes.Buffer
	if err := imagepng.Encode(&photo, image.NewNRGBA(image.Rect(0, 0, 7000, 5600))); err != nil {
		t.Fatal(err)
	}
	for _, chunked := range []bool{false, true} {
		ended := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			r.Host = "localhost"
			site.Handler.ServeHTTP(w, r)
		}))
		ctx, leave := context.WithCancel(t.Context())
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, _ := form.CreateFormFile("photo", "x.png")
		_, _ = part.Write(photo.Bytes())
		_ = form.WriteField("title", "x")
		_ = form.Close()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/photos", &body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", form.FormDataContentType())
		for name, value := range alice.Cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		if chunked {
			r.ContentLength = -1
		}
		go func() {
			if response, err := http.DefaultClient.Do(r); err == nil {
				_ = response.Body.Close()
			}
		}()
		waitFor(t, func() bool { return decoders() > 0 })
		leave()
		start := time.Now()
		<-ended
		if took := time.Since(start); took > 3*time.Second || decoders() > 0 {
			t.Errorf("chunked %v: it went on for %v, and %d processes are left", chunked, took, decoders())
		}
		server.Close()
	}
	if left := storedFiles(t, site); left != 1 {
		t.Errorf("%d files stored, want the avatar alone", left)
	}
}

// decoders counts the child processes of this one.
func decoders() int {
	n := 0
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		n += len(strings.Fields(string(text)))
	}
	return n
}

func waitFor(t *testing.T, until func() bool) {
	t.Helper()
	for range 1000 {
		if until() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not happen")
}
