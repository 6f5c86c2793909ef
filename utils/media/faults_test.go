package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/e2e/storage"
	"tokentube/utils/apperr"
)

// faulty is a store on a bucket with one video in it.
func faulty(t *testing.T, size int) (*Store, *storage.S3, string) {
	t.Helper()
	server := storage.New(t)
	s := openAt(t, server.URL, "", Limits{})
	v, err := s.SaveVideo(t.Context(), bytes.NewReader(longVideo(size)))
	if err != nil {
		t.Fatal(err)
	}
	return s, server, v.Name
}

// everything does all that a store can do, and returns each error.
func everything(ctx context.Context, t *testing.T, s *Store, name string) map[string]error {
	t.Helper()
	found := map[string]error{}
	_, found["a short upload"] = s.SaveVideo(ctx, bytes.NewReader(longVideo(4000)))
	_, found["a long upload"] = s.SaveVideo(ctx, bytes.NewReader(longVideo(12<<20)))
	_, found["a photo"] = savePhoto(ctx, s, jpegOf(t, shapes(20, 20)))
	_, found["looking"] = s.Exists(ctx, name)
	_, found["reading"] = s.Read(ctx, name)
	found["serving"] = s.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx), name)
	found["listing"] = s.Each(ctx, "", func(Info) error { return nil })
	found["deleting"] = s.Delete(ctx, name)
	return found
}

func TestABucketThatRefuses(t *testing.T) {
	s, server, name := faulty(t, 4000)
	server.Break(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusForbidden)
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
		}
	})
	for what, err := range everything(t.Context(), t, s, name) {
		if err == nil || errors.Is(err, ErrGone) || apperr.From(err).Code != apperr.Internal {
			t.Errorf("%s: %v, want a fault of the storage", what, err)
			continue
		}
		if !strings.Contains(err.Error(), "Access Denied") || strings.Contains(err.Error(), storage.Secret) {
			t.Errorf("%s: %v", what, err)
		}
	}
	server.Break(nil)
	if left := s.stored(t); len(left) != 1 || left[0] != name {
		t.Errorf("there is %q", left)
	}
}

func TestABucketThatDoesNotAnswer(t *testing.T) {
	s, server, name := faulty(t, 4000)
	end := make(chan struct{})
	defer close(end)
	server.Break(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
	for _, do := range []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := s.Exists(ctx, name); return err },
		func(ctx context.Context) error { _, err := s.Read(ctx, name); return err },
		func(ctx context.Context) error { return s.Delete(ctx, name) },
		func(ctx context.Context) error { return s.Each(ctx, "", func(Info) error { return nil }) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want that of the deadline", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		cancel()
	}
}

// An interrupted upload also waits until what it has sent is removed: for at most cleanUpTime.
func TestAnUploadToABucketThatStops(t *testing.T) {
	s, server, _ := faulty(t, 4000)
	server.Break(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("partNumber") == "2" {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client disconnects
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.SaveVideo(ctx, bytes.NewReader(longVideo(12<<20))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want that of the deadline", err)
	}
	server.Break(nil)
	if left := append(s.stored(t), unfinished(t, s)...); len(left) != 1 {
		t.Errorf("left %q", left)
	}
}

func TestABucketThatStumbles(t *testing.T) {
	for what, stumble := range map[string]func(w http.ResponseWriter, r *http.Request){
		"503":      func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hangs up midway": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			panic(http.ErrAbortHandler)
		},
	} {
		s, server, name := faulty(t, 4000)
		var count atomic.Int32
		server.Break(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if count.Add(1)%2 == 1 { // each request fails once
				stumble(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
		long := longVideo(12 << 20)
		v, err := s.SaveVideo(t.Context(), bytes.NewReader(long))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if !bytes.Equal(s.content(t, v.Name), long) {
			t.Errorf("%s: other bytes were stored", what)
		}
		if err := s.Delete(t.Context(), name, v.Name); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		nothingLeft(t, s)
	}
}

func TestABucketThatFailsAtTheEnd(t *testing.T) {
	s, server, _ := faulty(t, 4000)
	for what, fail := range map[string]storage.Fault{
		"an error in a 200": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = io.WriteString(w, "<Error><Code>EntityTooSmall</Code><Message>Too small</Message></Error>")
		},
		"done, and the response is lost": func(_ http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		},
	} {
		server.Break(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			ends := r.Method == http.MethodPost && r.URL.Query().Has("uploadId") || r.Method == http.MethodPut && !r.URL.Query().Has("uploadId")
			if ends {
				fail(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
		for _, size := range []int{4000, 12 << 20} {
			if size < partSize && strings.Contains(what, "200") {
				continue // only the completion of a multipart upload may return 200 and fail
			}
			if v, err := s.SaveVideo(t.Context(), bytes.NewReader(longVideo(size))); err == nil {
				t.Errorf("%s: %d bytes became %+v", what, size, v)
			}
		}
		server.Break(nil)
		if left := append(s.stored(t), unfinished(t, s)...); len(left) != 1 {
			t.Errorf("%s: left %q", what, left)
		}
	}
}

// A response that ends early must never appear complete: neither to a reader nor to a browser.
func TestABucketThatEndsAStreamHalfWay(t *testing.T) {
	s, server, name := faulty(t, 1<<20)
	cuts := map[string]storage.Fault{
		"hangs up": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(&cut{w, 300_000}, r)
			panic(http.ErrAbortHandler)
		},
		"says that this is all": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			whole := httptest.NewRecorder()
			next.ServeHTTP(whole, r)
			for key, values := range whole.Header() {
				w.Header()[key] = values
			}
			w.Header().Set("Content-Length", "300000")
			w.WriteHeader(whole.Code)
			_, _ = w.Write(whole.Body.Bytes()[:300_000])
		},
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.Serve(w, r, name); err != nil {
			t.Error(err)
		}
	}))
	defer site.Close()
	for what, fault := range cuts {
		server.Break(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodGet {
				fault(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
		file, err := s.Read(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(file)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 300_000 {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
		_ = file.Close()
		answer, err := http.Get(site.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err = io.ReadAll(answer.Body)
		if err == nil || answer.ContentLength != 1<<20 || len(got) > 300_000 {
			t.Errorf("%s: served %d of %d bytes, %v", what, len(got), answer.ContentLength, err)
		}
		_ = answer.Body.Close()
	}
}

// cut passes on this many bytes.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	c.left -= n
	if c.left == 0 {
		return n, io.ErrShortWrite
	}
	return n, err
}
