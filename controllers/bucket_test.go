package controllers_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tokentube/config"
	"tokentube/e2e/storage"
	"tokentube/e2e/testsite"
)

func TestFilesInABucket(t *testing.T) {
	bucket := storage.New(t)
	site := testsite.New(t, func(c *config.Config) { c.MediaURL = bucket.URL })
	alice := site.User("alice")
	own := len(bucket.Names(t)) // the picture that an account starts with
	part := func(path string, from, to int) *testsite.Answer {
		t.Helper()
		r := httptest.NewRequest("GET", "https://localhost"+path, nil)
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
		return site.Client().Do(r).Status(http.StatusPartialContent)
	}
	short := testsite.Video
	large := slices.Concat(testsite.VideoBefore(20<<20), bytes.Repeat([]byte("a piece."), 20<<17)) // large enough to be sent in several parts
	for name, content := range map[string][]byte{"a short video": short, "a large video": large} {
		file := testsite.File{Field: "videoFile", Name: "clip.mp4", Content: content}
		id := alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": "A ball"}, file).Status(201).ID()
		whole := site.Client().Get("/media/posts/" + id).Status(200)
		if whole.Body != string(content) || whole.Header.Get("Content-Type") != "video/mp4" {
			t.Errorf("%s: %d bytes of %d, %v", name, len(whole.Body), len(content), whole.Header)
		}
		from, to := len(content)-3000, len(content)-1001
		end := part("/media/posts/"+id, from, to)
		if end.Body != string(content[from:to+1]) || end.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", from, to, len(content)) {
			t.Errorf("%s: %d bytes, %v", name, len(end.Body), end.Header)
		}
		alice.JSON("DELETE", "/api/v1/videos/"+id, nil).Status(200)
		site.DB.WaitRemovals()
		if left := bucket.Names(t); len(left) != own {
			t.Errorf("%s left %v", name, left)
		}
	}

	picture := testsite.File{Field: "photo", Name: "p.png", Content: png(t, 1700, 300)}
	photo := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Lines"}, picture).Status(201)
	if n := len(bucket.Names(t)) - own; n != 3 {
		t.Errorf("%d files for a photo, its preview and its thumbnail", n)
	}
	for _, smaller := range []string{"preview", "thumbnail"} {
		site.Client().Get(strings.TrimPrefix(photo.Data()[smaller].(string), "https://localhost")).Status(200)
	}
	part("/media/posts/"+photo.ID(), 0, 9)
	avatar := testsite.File{Field: "avatar", Name: "a.png", Content: png(t, 64, 64)}
	alice.Upload("PATCH", "/api/v1/users/update-user-avatar", nil, avatar).Status(200)

	broken := testsite.File{Field: "videoFile", Name: "clip.mp4", Content: large[:6<<20]}
	alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": strings.Repeat("long ", 100)}, broken).Status(422)
	if n := len(bucket.Names(t)); n != 4 { // the new avatar replaced the first one
		t.Errorf("a refused upload stayed: %v", bucket.Names(t))
	}
	alice.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
	site.DB.WaitRemovals()
	if left := bucket.Names(t); len(left) > 0 {
		t.Errorf("the account left %v", left)
	}
}
