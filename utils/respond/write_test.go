package respond_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

var long = strings.Repeat("many words, ", 500)

// plain is the body as a client reads it.
func plain(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var r io.Reader = w.Body
	switch coding := w.Header().Get("Content-Encoding"); coding {
	case "gzip":
		g, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		r = g
	case "zstd":
		z, err := zstd.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	case "":
	default:
		t.Fatalf("Content-Encoding: %q", coding)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestPagesAndJSONAreCompressed(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error { return respond.Show(c, "posts/show", post{long}) })
	for _, path := range []string{"/page", "/api/v1/page"} {
		whole := s.do("GET", path).Body.String()
		for accept, want := range map[string]string{"gzip, deflate, br, zstd": "zstd", "gzip": "gzip", "gzip;q=0": "", "br": ""} {
			w := s.do("GET", path, "Accept-Encoding", accept)
			s.want(w, 200, M{"Content-Encoding": want, "Content-Length": strconv.Itoa(w.Body.Len()), "Vary": "Accept, Accept-Encoding, Cookie"})
			if small := w.Body.Len() < len(whole)/5; small != (want != "") {
				t.Errorf("%s, %s: %d bytes of %d", path, accept, w.Body.Len(), len(whole))
			}
			head := s.do("HEAD", path, "Accept-Encoding", accept)
			s.want(head, 200, M{"Content-Encoding": want, "Content-Length": strconv.Itoa(w.Body.Len())})
			if got := plain(t, w); got != whole {
				t.Errorf("%s, %s: %.80q", path, accept, got)
			}
		}
	}
}

func TestTinyResponsesStayAsTheyAre(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error { return respond.Show(c, "posts/show", post{"short"}) })
	for _, path := range []string{"/page", "/api/v1/page"} {
		s.want(s.do("GET", path, "Accept-Encoding", "gzip"), 200, M{"Content-Encoding": "", "Vary": "Accept, Accept-Encoding, Cookie"})
	}
}

// TestNoOtherSiteMakesPeopleGetCompressedPages is about BREACH: see mayCompress.
func TestNoOtherSiteMakesPeopleGetCompressedPages(t *testing.T) {
	s := newSite(t, func(c *gin.Context) error { return respond.Show(c, "posts/show", post{long}) })
	for _, path := range []string{"/page", "/api/v1/page"} {
		for _, test := range []struct{ cookie, from, want string }{
			{"", "cross-site", "gzip"}, {"", "", "gzip"},
			{"AccessToken=x", "same-origin", "gzip"}, {"AccessToken=x", "none", "gzip"},
			{"AccessToken=x", "cross-site", ""}, {"AccessToken=x", "same-site", ""}, {"AccessToken=x", "", ""},
			{"AccessToken=x", "same-origin, none", ""}, {"other=1", "cross-site", ""},
		} {
			header := []string{"Accept-Encoding", "gzip", "Sec-Fetch-Site", test.from}
			if test.cookie != "" {
				header = append(header, "Cookie", test.cookie)
			}
			s.want(s.do("GET", path, header...), 200, M{"Content-Encoding": test.want, "Vary": "Accept, Accept-Encoding, Cookie"})
		}
	}
}

func TestResponsesToChangesAreNotCompressed(t *testing.T) {
	refuse := apperr.InvalidField("title", "%s", long)
	for name, action := range map[string]respond.Action{
		"done":    func(c *gin.Context) error { return respond.Done(c, "Done.", "/", post{long}) },
		"created": func(c *gin.Context) error { return respond.Created(c, "Made.", "/", "/api/v1/1", post{long}) },
		"invalid": func(c *gin.Context) error { return respond.Invalid(c, "posts/new", post{long}, refuse) },
		"error":   func(*gin.Context) error { return apperr.New(apperr.Forbidden, "%s", long) },
	} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			for _, path := range []string{"/page", "/api/v1/page"} {
				w := newSite(t, action).do(method, path, "Accept-Encoding", "gzip", "Sec-Fetch-Site", "same-origin")
				if w.Header().Get("Content-Encoding") != "" {
					t.Errorf("%s, %s %s: compressed", name, method, path)
				}
			}
		}
	}
}

func TestDocument(t *testing.T) {
	d := respond.Document{Type: "application/atom+xml; charset=utf-8", Body: []byte(long), Fresh: time.Minute}
	s := newSite(t, d.Send)
	tags := map[string]bool{}
	for _, coding := range []string{"", "gzip", "zstd"} {
		header := []string{"Accept-Encoding", coding, "Cookie", "AccessToken=x", "Sec-Fetch-Site", "cross-site"}
		w := s.do("GET", "/page", header...)
		s.want(w, 200, M{
			"Content-Encoding": coding, "Content-Type": d.Type, "Cache-Control": "public, max-age=60", "Vary": "Accept-Encoding",
			"Last-Modified": "", "Content-Length": strconv.Itoa(w.Body.Len()),
		})
		tag, whole := w.Header().Get("ETag"), bytes.Clone(w.Body.Bytes())
		tags[tag] = true
		if got := plain(t, w); got != long {
			t.Errorf("%q: %.80q", coding, got)
		}
		head := s.do("HEAD", "/page", header...)
		s.want(head, 200, M{"Content-Encoding": coding, "ETag": tag, "Content-Length": strconv.Itoa(len(whole))})
		if head.Body.Len() != 0 {
			t.Errorf("%q: HEAD has a body", coding)
		}
		for _, asked := range [][2]string{{"If-None-Match", tag}, {"If-None-Match", `"a", W/` + tag}} {
			w := s.do("GET", "/page", append(header, asked[0], asked[1])...)
			s.want(w, 304, M{"ETag": tag, "Vary": "Accept-Encoding", "Cache-Control": "public, max-age=60", "Content-Length": "", "Content-Type": ""})
			if w.Body.Len() != 0 {
				t.Errorf("%q, %s: %d bytes", coding, asked, w.Body.Len())
			}
		}
		s.want(s.do("GET", "/page", append(header, "If-None-Match", `"other"`)...), 200, nil)
		s.want(s.do("GET", "/page", append(header, "If-Modified-Since", "Fri, 02 Jan 2037 03:04:05 GMT")...), 200, nil) // something may have been removed since
		part := s.do("GET", "/page", append(header, "Range", "bytes=2-5", "If-Range", tag)...)
		s.want(part, 206, M{"Content-Encoding": coding, "Content-Length": "4", "Content-Range": "bytes 2-5/" + strconv.Itoa(len(whole))})
		if !bytes.Equal(part.Body.Bytes(), whole[2:6]) {
			t.Errorf("%q: the range is %q", coding, part.Body)
		}
		s.want(s.do("GET", "/page", append(header, "Range", "bytes=99999999-")...), http.StatusRequestedRangeNotSatisfiable, M{"Content-Encoding": ""})
	}
	if len(tags) != 3 {
		t.Errorf("the codings share tags: %v", tags)
	}
	d.Fresh = 0
	s.want(newSite(t, d.Send).do("GET", "/page"), 200, M{"Cache-Control": "no-cache"})
}

func BenchmarkCompressedPage(b *testing.B) {
	t := &testing.T{}
	s := newSite(t, func(c *gin.Context) error { return respond.Show(c, "posts/show", post{long}) })
	for _, coding := range []string{"identity", "gzip", "zstd"} {
		b.Run(coding, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.do("GET", "/page", "Accept-Encoding", coding)
			}
		})
	}
}
