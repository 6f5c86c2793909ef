package middlewares_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
)

// stalled opens requests that last until release is called. It returns once all of them are in progress.
func stalled(t *testing.T, site *testsite.Site, address string, n int) (release func()) {
	t.Helper()
	var all sync.WaitGroup
	body, end := newStalledBody(n)
	for range n {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "https://localhost/login", body)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr = address + ":4321"
			site.Client().Do(r)
		})
	}
	body.reading.Wait()
	return func() { end(); all.Wait() }
}

// stalledBody is a body that never arrives, read by several requests.
type stalledBody struct {
	reading sync.WaitGroup
	over    context.Context
}

func newStalledBody(n int) (*stalledBody, func()) {
	ctx, end := context.WithCancel(context.Background())
	b := &stalledBody{over: ctx}
	b.reading.Add(n)
	return b, end
}

func (b *stalledBody) Read([]byte) (int, error) {
	b.reading.Done()
	<-b.over.Done()
	return 0, http.ErrBodyReadAfterClose
}

func get(site *testsite.Site, address, forwarded string) *testsite.Answer {
	r := httptest.NewRequest(http.MethodGet, "https://localhost/readyz", nil)
	r.RemoteAddr = address + ":4321"
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	return site.Client().Do(r)
}

func TestRequestsUnderWayOfAnAddress(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) {
		c.MaxPerAddress, c.MaxConnections, c.TrustedProxies = 5, 100, []string{"10.0.0.1"}
	})
	release := stalled(t, site, "203.0.113.7", 5)
	refused := get(site, "203.0.113.7", "").Status(http.StatusTooManyRequests)
	if refused.Header.Get("Retry-After") == "" || refused.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%v", refused.Header)
	}
	get(site, "203.0.113.8", "").Status(http.StatusOK)
	get(site, "10.0.0.1", "203.0.113.7").Status(http.StatusTooManyRequests) // behind the proxy it is the same client
	get(site, "10.0.0.1", "203.0.113.8").Status(http.StatusOK)
	release()
	get(site, "203.0.113.7", "").Status(http.StatusOK)

	release = stalled(t, site, "[2001:db8::1]", 5)
	defer release()
	get(site, "[2001:db8::2:3]", "").Status(http.StatusTooManyRequests)
	get(site, "[2001:db8:0:100::1]", "").Status(http.StatusOK)
}

func TestRequestsUnderWayInAll(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.MaxPerAddress, c.MaxConnections = 5, 3 })
	var releases []func()
	for _, address := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.3"} {
		releases = append(releases, stalled(t, site, address, 1))
	}
	if refused := get(site, "203.0.113.4", "").Status(http.StatusServiceUnavailable); refused.Header.Get("Retry-After") == "" {
		t.Errorf("%v", refused.Header)
	}
	for _, release := range releases {
		release()
	}
	get(site, "203.0.113.4", "").Status(http.StatusOK)
}

// Whoever has the most requests loses the oldest, so that others are served: on a real connection, which is closed.
func TestRequestsUnderWayMakeRoom(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) {
		c.MaxPerAddress, c.MaxConnections, c.TrustedProxies = 5, 3, []string{"127.0.0.1"}
	})
	reading := make(chan bool, 3)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.Body = announced{r.Body, sync.OnceFunc(func() { reading <- true })}
		}
		site.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close) // after the connections, which it would wait for
	dial := func(head string) net.Conn {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, err = io.WriteString(conn, head)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	ended := make(chan int, 3)
	for i := range 3 {
		conn := dial("POST /login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
		go func() {
			_, _ = io.Copy(io.Discard, conn)
			ended <- i
		}()
		select {
		case <-reading: // it is in progress
		case <-time.After(10 * time.Second):
			t.Fatalf("number %d is not read", i)
		}
	}
	other := dial("GET /readyz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.8\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(other), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", response, err)
	}
	_ = response.Body.Close()
	select {
	case i := <-ended:
		if i != 0 {
			t.Errorf("number %d was ended, not the oldest", i)
		}
	case <-time.After(5 * time.Second):
		t.Error("nobody was ended")
	}
	select {
	case i := <-ended:
		t.Errorf("number %d was ended as well", i)
	case <-time.After(200 * time.Millisecond):
	}
}

// announced is a body that reports when it is read.
type announced struct {
	io.ReadCloser
	read func()
}

func (b announced) Read(p []byte) (int, error) {
	b.read()
	return b.ReadCloser.Read(p)
}

func TestSeveralRangesAreServedAsTheWhole(t *testing.T) {
	site := testsite.New(t)
	whole := site.Client().Get("/static/icons.svg")
	if whole.Code != http.StatusOK {
		t.Fatal(whole.Code)
	}
	for ranges, status := range map[string]int{
		"bytes=0-9":       http.StatusPartialContent,
		"bytes=0-9,20-29": http.StatusOK,
		"bytes=0-0" + strings.Repeat(",0-0", 5000): http.StatusOK,
	} {
		r := httptest.NewRequest(http.MethodGet, "https://localhost/static/icons.svg", nil)
		r.Header.Set("Range", ranges)
		if answer := site.Client().Do(r).Status(status); status == http.StatusOK && answer.Body != whole.Body {
			t.Errorf("%.30s: %d bytes", ranges, len(answer.Body))
		}
	}
	r := httptest.NewRequest(http.MethodGet, "https://localhost/static/icons.svg", nil)
	r.Header["Range"] = []string{"bytes=0-9", "bytes=20-29"}
	site.Client().Do(r).Status(http.StatusOK)
}

// streaming opens an event stream of the user, and reports how it ended.
func streaming(site *testsite.Site, user *testsite.Client) (ended chan int, opened chan bool) {
	ended, opened = make(chan int, 1), make(chan bool, 1)
	go func() {
		r := httptest.NewRequest(http.MethodGet, "https://localhost/stream", nil)
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), openedKey{}, opened), 20*time.Second)
		defer cancel()
		answer := user.Copy().Do(r.WithContext(ctx))
		if ctx.Err() != nil {
			answer.Code = 0
		}
		ended <- answer.Code
	}()
	return ended, opened
}

type openedKey struct{}

func TestEventStreams(t *testing.T) {
	site := testsite.New(t)
	middlewares.NewAccess(site.Engine, site.Auth, nil).Private.Stream().Page(http.MethodGet, "/stream", func(c *gin.Context) error {
		c.Request.Context().Value(openedKey{}).(chan bool) <- true
		<-c.Request.Context().Done()
		return nil
	})
	alice, bob := site.User("alice"), site.User("bob")
	var ended []chan int
	for range 6 {
		end, opened := streaming(site, alice)
		<-opened
		ended = append(ended, end)
	}
	end, _ := streaming(site, alice)
	if code := <-end; code != http.StatusTooManyRequests {
		t.Errorf("the seventh stream: %d", code)
	}
	ofBob, opened := streaming(site, bob)
	<-opened

	alice.PostForm("/logout", nil).Status(http.StatusSeeOther)
	start := time.Now()
	for _, end := range ended {
		if code := <-end; code == 0 || time.Since(start) > 10*time.Second {
			t.Fatalf("after %v a stream goes on without its session", time.Since(start))
		}
	}
	select {
	case code := <-ofBob:
		t.Errorf("the stream of somebody else ended with %d", code)
	default:
	}
	again := site.SignIn("alice")
	end, opened = streaming(site, again)
	<-opened
	again.PostForm("/logout", nil)
	<-end
	bob.PostForm("/logout", nil)
	<-ofBob
}

// The stream of a user whose account is disabled ends, at the latest when this process's cache entry for the session
// expires; other users' streams continue.
func TestEventStreamsOfTheDisabledEnd(t *testing.T) {
	site := testsite.New(t)
	middlewares.NewAccess(site.Engine, site.Auth, nil).Private.Stream().Page(http.MethodGet, "/stream", func(c *gin.Context) error {
		c.Request.Context().Value(openedKey{}).(chan bool) <- true
		<-c.Request.Context().Done()
		return nil
	})
	elsewhere := site.App.Site.At(site.Clock.Now) // with its own cache, like another process
	t.Cleanup(func() { _ = elsewhere.DB.Close(context.Background()) })
	bob := site.User("bob")
	ofBob, opened := streaming(site, bob)
	<-opened
	for name, by := range map[string]*models.Site{"here": site.App.Site, "elsewhere": elsewhere} {
		user := site.User("user-" + name)
		ended, opened := streaming(site, user)
		<-opened
		account, err := site.Users.ByLogin(t.Context(), "user-"+name)
		if err == nil {
			err = by.Moderation.Disable(t.Context(), models.Moderator{}, account.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		if by == elsewhere {
			site.Clock.Advance(store.CachedFor)
		}
		if code := <-ended; code == 0 {
			t.Errorf("disabled %s, the stream goes on", name)
		}
		again, _ := streaming(site, user)
		if code := <-again; code != http.StatusSeeOther {
			t.Errorf("disabled %s, another stream: %d", name, code)
		}
	}
	select {
	case code := <-ofBob:
		t.Errorf("the stream of somebody else ended with %d", code)
	default:
	}
	bob.PostForm("/logout", nil)
	<-ofBob
}
