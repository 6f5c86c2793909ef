package media

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"tokentube/utils/apperr"
)

func TestServe(t *testing.T) { onEach(t, testServe) }

func testServe(t *testing.T, s *Store, _ func(string)) {
	data := mp4File("avc1")
	video, err := s.SaveVideo(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	tag := `"` + video.Name[len(private):len(video.Name)-len(".mp4")] + `"`
	n := len(data)
	cases := []struct {
		name, method, header, value string
		status                      int
		body                        []byte
	}{
		{"whole", "GET", "", "", 200, data},
		{"head", "HEAD", "", "", 200, nil},
		{"start", "GET", "Range", "bytes=0-99", 206, data[:100]},
		{"middle", "GET", "Range", "bytes=100-199", 206, data[100:200]},
		{"to the end", "GET", "Range", "bytes=3000-", 206, data[3000:]},
		{"last bytes", "GET", "Range", "bytes=-5", 206, data[n-5:]},
		{"past the end", "GET", "Range", "bytes=99999-", 416, nil},
		{"known already", "GET", "If-None-Match", tag, 304, nil},
		{"another is known", "GET", "If-None-Match", `"x"`, 200, data},
	}
	for _, c := range cases {
		w := serve(t, s, c.method, video.Name, c.header, c.value)
		if w.Code != c.status || c.status < 300 && !bytes.Equal(w.Body.Bytes(), c.body) {
			t.Errorf("%s: %d with %d bytes", c.name, w.Code, w.Body.Len())
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: not nosniff", c.name)
		}
		if c.status < 300 && (w.Header().Get("ETag") != tag || w.Header().Get("Content-Type") != typeMP4) {
			t.Errorf("%s: headers %v", c.name, w.Header())
		}
	}
	if w := serve(t, s, "GET", video.Name, "Range", "bytes=0-9", "If-Range", tag); w.Code != 206 {
		t.Errorf("If-Range with the tag: %d", w.Code)
	}
	if w := serve(t, s, "GET", video.Name, "Range", "bytes=0-9", "If-Range", `"x"`); w.Code != 200 {
		t.Errorf("If-Range with another tag: %d", w.Code)
	}
}

func serve(t *testing.T, s *Store, method, name string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	if err := s.Serve(w, r, name); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestServeNothing(t *testing.T) {
	s := open(t, Limits{})
	list := []string{"", "public/", "public/../private/x.jpg", "/etc/passwd", "private/0123456789abcdef0123456789abcdef.html",
		"private/0123456789abcdef0123456789abcdef.jpg", "private/0123456789abcdef0123456789abcdef.jpg.tmp"}
	for _, name := range list {
		w := httptest.NewRecorder()
		err := s.Serve(w, httptest.NewRequest(http.MethodGet, "/", nil), name)
		if !apperr.Is(err, apperr.NotFound) || len(w.Header()) != 0 {
			t.Errorf("%q: %v, %v", name, err, w.Header())
		}
	}
}

func TestServeTypes(t *testing.T) {
	s := open(t, Limits{})
	photo, err := savePhoto(t.Context(), s, jpegOf(t, shapes(9, 9)))
	if err != nil {
		t.Fatal(err)
	}
	video, err := s.SaveVideo(t.Context(), bytes.NewReader(webmFile("V_VP9")))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{photo.Name: typeJPEG, photo.Thumbnail: typeJPEG, video.Name: typeWebM} {
		if got := serve(t, s, "GET", name).Header().Get("Content-Type"); got != want {
			t.Errorf("%s is served as %s", name, got)
		}
	}
}
