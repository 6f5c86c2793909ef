package controllers_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/utils/media"
)

// clip is a video of about the given size.
func clip(size int) testsite.File {
	return testsite.File{Field: "videoFile", Name: "clip.mp4", Content: slices.Concat(testsite.VideoBefore(size), make([]byte, size))}
}

// filesOf is the total size of the site's files, except profile pictures.
func filesOf(t *testing.T, site *testsite.Site) (n int64) {
	t.Helper()
	if err := site.Media.Each(t.Context(), "private/", func(i media.Info) error { n += i.Size; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func stored(t *testing.T, site *testsite.Site, c *testsite.Client) int64 {
	t.Helper()
	id, err := bson.ObjectIDFromHex(c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).ID())
	if err != nil {
		t.Fatal(err)
	}
	u, err := site.Users.ByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u.StoredBytes
}

func TestQuotaOfAPerson(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.UserQuota = 2 << 20 })
	alice, bob := site.User("alice"), site.User("bob")
	title := map[string]string{"title": "A ball"}
	first := alice.Upload("POST", "/api/v1/videos/publish-video", title, clip(1<<20)).Status(201).ID()
	same := func(when string) {
		t.Helper()
		if counted, there := stored(t, site, alice), filesOf(t, site); counted != there {
			t.Errorf("%s: %d bytes are counted, %d are there", when, counted, there)
		}
	}
	same("one video")
	alice.Upload("PATCH", "/api/v1/videos/"+first, nil, testsite.File{Field: "thumbnail", Name: "t.png", Content: png(t, 600, 300)}).Status(200)
	same("another thumbnail")
	alice.Get("/create").Status(200).Has("Your posts use 1 MB of 2 MB.")
	alice.Get("/settings/account").Status(200).Has("Your posts use 1 MB of 2 MB.")

	alice.Upload("POST", "/api/v1/videos/publish-video", title, clip(1<<20)).Status(413).Has("of your 2 MB left", "Delete a post")
	alice.Upload("POST", "/watch", title, clip(1<<20)).Status(413).Has("of your 2 MB left", "<h1")
	same("a video that does not fit")
	alice.Upload("POST", "/api/v1/photos", title, testsite.File{Field: "photo", Name: "p.png", Content: png(t, 300, 200)}).Status(201)
	same("a photo that fits")
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "text takes nothing"}).Status(201)
	bob.Upload("POST", "/api/v1/videos/publish-video", title, clip(100<<10)).Status(201)

	alice.JSON("DELETE", "/api/v1/videos/"+first, nil).Status(200)
	alice.Upload("POST", "/api/v1/videos/publish-video", title, clip(1<<20)).Status(201)
}

func TestUploadsOfOnePersonAtOnceStayWithinTheQuota(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.UserQuota = 1 << 20 })
	alice := site.User("alice")
	var published atomic.Int32
	var all sync.WaitGroup
	for range 3 {
		c := alice.Copy()
		all.Go(func() {
			if c.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": "A ball"}, clip(600<<10)).Code == 201 {
				published.Add(1)
			}
		})
	}
	all.Wait()
	if n := stored(t, site, alice); published.Load() != 1 || n > 1<<20 || n != filesOf(t, site) {
		t.Errorf("%d videos, %d bytes are counted, %d are there", published.Load(), n, filesOf(t, site))
	}
}

// A request that declares too much is refused before anything after its form's key is read.
func TestAQuotaIsLookedAtFirst(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.UserQuota = 1 << 20 })
	body := &endless{}
	r := httptest.NewRequest("POST", "https://localhost/api/v1/videos/publish-video", body)
	r.ContentLength = 400 << 20
	r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	site.User("alice").Do(r).Status(http.StatusRequestEntityTooLarge).Has("of your 1 MB left")
	if n := body.n.Load(); n > 64<<10 {
		t.Errorf("%d bytes were read", n)
	}
}

// endless is a body longer than anybody would read. It counts how much was read.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.n.Add(int64(len(p)))
	return len(p), nil
}

// Below the reserve of free space, uploads are refused, and everything else continues.
func TestUploadsLeaveAReserveOnTheDisk(t *testing.T) {
	cfg := testsite.Config(t)
	before := testsite.Start(t, cfg)
	alice := before.User("alice")
	id := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills"}, testsite.File{Field: "photo", Name: "p.png", Content: png(t, 300, 200)}).Status(201).ID()
	before.Close()
	cfg.DiskReserve = 1 << 60
	site := testsite.Start(t, cfg)
	alice = site.SignIn("alice")
	picture := png(t, 300, 200)
	for path, file := range map[string]testsite.File{
		"POST /api/v1/videos/publish-video":      clip(1 << 20),
		"POST /api/v1/photos":                    {Field: "photo", Name: "p.png", Content: picture},
		"PATCH /api/v1/users/update-user-avatar": {Field: "avatar", Name: "p.png", Content: picture},
		"POST /photos":                           {Field: "photo", Name: "p.png", Content: picture},
	} {
		method, path, _ := strings.Cut(path, " ")
		answer := alice.Upload(method, path, map[string]string{"title": "x"}, file).Status(http.StatusInsufficientStorage)
		if answer.Header.Get("Retry-After") == "" || !strings.Contains(answer.Body, "no room for uploads") {
			t.Errorf("%s: %s", path, answer)
		}
	}
	body := &endless{}
	r := httptest.NewRequest("POST", "https://localhost/api/v1/videos/publish-video", body)
	r.ContentLength = 400 << 20
	r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	alice.Do(r).Status(http.StatusInsufficientStorage)
	if n := body.n.Load(); n > 0 {
		t.Errorf("%d bytes were read of what says that it is too much", n)
	}
	site.User("bob").Get("/photos/" + id).Status(200)
	site.Client().Get("/media/posts/" + id).Status(200)
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201)
	alice.JSON("PATCH", "/api/v1/photos/"+id, testsite.M{"title": "Other hills"}).Status(200)
	alice.JSON("DELETE", "/api/v1/photos/"+id, nil).Status(200)
}

// stalled is the upload of a picture whose client stops sending just before the end.
type stalled struct {
	pipe   *io.PipeWriter
	answer chan int
}

func stall(t *testing.T, server *httptest.Server, token string, content []byte) stalled {
	t.Helper()
	body, pipe := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, server.URL+"/api/v1/photos", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	r.Header.Set("Authorization", "Bearer "+token)
	s := stalled{pipe, make(chan int, 1)}
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			s.answer <- 0
			return
		}
		_ = answer.Body.Close()
		s.answer <- answer.StatusCode
	}()
	head := "--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p.png\"\r\n\r\n"
	if _, err := pipe.Write(append([]byte(head), content...)); err != nil {
		t.Fatal(err)
	}
	return s
}

// A person may have a few concurrent uploads, which take no memory while they wait. Disconnected clients free their
// places, and nobody else is held up.
func TestStalledUploads(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	server := httptest.NewServer(site.Handler)
	defer server.Close()
	const size = 9 << 20
	content := append(png(t, 300, 200), make([]byte, size)...)
	before := heap()
	var waiting []stalled
	for range 3 {
		waiting = append(waiting, stall(t, server, alice.Cookies["AccessToken"], content))
	}
	if grown := heap() - before; grown > size {
		t.Errorf("three stalled pictures of 9 MB hold %d kB", grown>>10)
	}
	photo := testsite.File{Field: "photo", Name: "p.png", Content: append(png(t, 300, 200), make([]byte, 50<<10)...)}
	upload := func(c *testsite.Client) *testsite.Answer {
		return c.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills"}, photo)
	}
	fourth := upload(alice).Status(http.StatusTooManyRequests).Has("too many uploads")
	if fourth.Header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	upload(bob).Status(201)
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201)

	_ = waiting[0].pipe.CloseWithError(io.ErrUnexpectedEOF) // the client has disconnected
	until(t, "a place is free again", func() bool { return upload(alice).Code == 201 })
	if _, err := waiting[1].pipe.Write([]byte("\r\n--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHills\r\n--B--\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = waiting[1].pipe.Close()
	if code := <-waiting[1].answer; code != 201 {
		t.Errorf("the one that goes on ends with %d", code)
	}
	_ = waiting[2].pipe.CloseWithError(io.ErrUnexpectedEOF)
	<-waiting[2].answer
	until(t, "nothing is left of them", func() bool {
		drafts := 0
		for _, folder := range []string{"private", "public"} {
			entries, err := os.ReadDir(site.Config.MediaDir() + "/" + folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.HasSuffix(e.Name(), ".tmp") {
					drafts++
				}
			}
		}
		return drafts == 0
	})
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain until ", what)
		}
	}
}

// All people together share one bound, and each network another.
func TestUploadsInAll(t *testing.T) {
	site := testsite.New(t)
	server := httptest.NewServer(site.Handler)
	defer server.Close()
	var waiting []stalled
	defer func() {
		for _, s := range waiting {
			_ = s.pipe.CloseWithError(io.ErrUnexpectedEOF)
			<-s.answer
		}
	}()
	for i := range 24 {
		waiting = append(waiting, stall(t, server, site.User(fmt.Sprint("user", i)).Cookies["AccessToken"], make([]byte, 60<<10)))
	}
	last := site.User("last")
	whole := func() int {
		s := stall(t, server, last.Cookies["AccessToken"], append(png(t, 300, 200), make([]byte, 60<<10)...))
		if _, err := s.pipe.Write([]byte("\r\n--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHills\r\n--B--\r\n")); err != nil {
			t.Fatal(err)
		}
		_ = s.pipe.Close()
		return <-s.answer
	}
	if code := whole(); code != http.StatusTooManyRequests && code != http.StatusServiceUnavailable {
		t.Errorf("one more upload of this network ends with %d", code)
	}
	for _, s := range waiting {
		_ = s.pipe.CloseWithError(io.ErrUnexpectedEOF)
		<-s.answer
	}
	waiting = nil
	until(t, "there is room again", func() bool { return whole() == 201 })
}
