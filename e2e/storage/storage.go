// Package storage is an S3-compatible storage for tests, with one bucket and, if requested, with faults.
package storage

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

const bucket = "tokentube"

// The key in the URL of a storage. It needs escaping, as Amazon's keys do.
const (
	Key    = "key-of-the-tests"
	Secret = "secret/of+the tests"
)

// S3 is a storage in memory.
type S3 struct {
	URL     string // for MEDIA_URL
	backend *s3mem.Backend
	fault   atomic.Pointer[Fault]
}

// Fault handles requests instead of the storage, and may pass them on to it.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// New starts a storage that is closed at the end of the test.
func New(t testing.TB) *S3 {
	t.Helper()
	s := &S3{backend: s3mem.New()}
	handler, err := Handler(s.backend)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := s.fault.Load(); fault != nil {
			(*fault)(w, r, handler)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it logs readers that stop early
	server.Start()
	t.Cleanup(server.Close)
	s.URL = URL(server.URL)
	return s
}

// Handler serves an empty bucket.
func Handler(backend *s3mem.Backend) (http.Handler, error) {
	if err := backend.CreateBucket(bucket); err != nil {
		return nil, err
	}
	return gofakes3.New(backend).Server(), nil
}

// URL is the MEDIA_URL for a storage at the given address.
func URL(address string) string {
	u := url.URL{Scheme: "s3", User: url.UserPassword(Key, Secret), Host: bucket, RawQuery: url.Values{
		"region": {"eu-central-1"}, "use_path_style": {"true"}, "endpoint": {address},
	}.Encode()}
	return u.String()
}

// Break puts a fault in front of the storage; nil removes it.
func (s *S3) Break(fault Fault) {
	if fault == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&fault)
}

// Names lists the content of the bucket.
func (s *S3) Names(t testing.TB) []string {
	t.Helper()
	list, err := s.backend.ListBucket(bucket, &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, object := range list.Contents {
		names = append(names, object.Key)
	}
	return names
}
