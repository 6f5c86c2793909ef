package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"tokentube/e2e/storage"
)

// onEach runs a test on each kind of bucket. strange puts a file there that is not ours.
func onEach(t *testing.T, test func(t *testing.T, s *Store, strange func(name string))) {
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		test(t, openAt(t, "", dir, Limits{}), func(name string) {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("text"), 0o600)); err != nil {
				t.Fatal(err)
			}
		})
	})
	for name, parameter := range map[string]string{"bucket": "", "part of a bucket": "&prefix=a%20site/"} {
		t.Run(name, func(t *testing.T) {
			s := openAt(t, storage.New(t).URL+parameter, "", Limits{})
			test(t, s, func(name string) {
				err := s.bucket.Put(t.Context(), name, "", func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err })
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// longVideo is a video of this many bytes, with no two megabytes alike.
func longVideo(size int) []byte {
	head := func(content int) []byte {
		return slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 2500), trackWith("vide", entryBox("avc1"), uint32(content), nil)), words(uint32(content+8)), []byte("mdat"))
	}
	video := head(size - len(head(0)))
	for i := uint64(0); len(video) < size; i++ {
		video = binary.BigEndian.AppendUint64(video, i*0x9e3779b97f4a7c15)
	}
	return video[:size]
}

func TestVideosOfAllSizesComeBackAsTheyWere(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, _ func(string)) {
		for _, size := range []int{4000, partSize - 1, partSize, partSize + 1, 2 * partSize, 13<<20 + 5} {
			content := longVideo(size)
			v, err := s.SaveVideo(t.Context(), bytes.NewReader(content))
			if err != nil || v.Size != int64(size) {
				t.Fatalf("%d bytes: %+v, %v", size, v, err)
			}
			file, err := s.bucket.Open(t.Context(), v.Name)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(file); !bytes.Equal(got, content) || err != nil {
				t.Errorf("%d bytes came back as %d, %v", size, len(got), err)
			}
			testSeeking(t, file, content)
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func testSeeking(t *testing.T, file io.ReadSeeker, content []byte) {
	t.Helper()
	end := int64(len(content))
	for _, c := range []struct {
		offset int64
		whence int
		at     int64
	}{{0, io.SeekEnd, end}, {-10, io.SeekEnd, end - 10}, {0, io.SeekStart, 0}, {100, io.SeekCurrent, 120}, {end / 2, io.SeekStart, end / 2}, {end + 5, io.SeekStart, end + 5}} {
		at, err := file.Seek(c.offset, c.whence)
		if at != c.at || err != nil {
			t.Fatalf("seek to %d of %d: %d, %v", c.at, end, at, err)
		}
		var p [20]byte
		n, err := io.ReadFull(file, p[:])
		want := content[min(at, end):min(at+20, end)]
		if !bytes.Equal(p[:n], want) || (len(want) == 20) != (err == nil) {
			t.Errorf("%d bytes at %d of %d, %v", n, at, end, err)
		}
	}
	if _, err := file.Seek(-1, io.SeekStart); err == nil {
		t.Error("sought before the start")
	}
}

// unfinished lists the multipart uploads that were neither completed nor aborted.
func unfinished(t *testing.T, s *Store) []string {
	t.Helper()
	b, ok := s.bucket.(*s3)
	if !ok {
		return nil
	}
	var names []string
	for u := range b.client.ListIncompleteUploads(context.Background(), b.bucket, "", true) {
		if u.Err != nil && minio.ToErrorResponse(u.Err).Code != minio.NoSuchUpload {
			t.Fatal(u.Err)
		}
		if u.Err == nil {
			names = append(names, u.Key)
		}
	}
	return names
}

func nothingLeft(t *testing.T, s *Store) {
	t.Helper()
	if left := append(s.stored(t), unfinished(t, s)...); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	if f, ok := s.bucket.(folder); ok {
		if left := files(t, f.root.Name()); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	}
}

func TestAFailedUploadLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, _ func(string)) {
		for _, size := range []int{4000, 12 << 20} {
			if _, err := s.SaveVideo(t.Context(), broken{bytes.NewReader(longVideo(size))}); !errors.Is(err, errLost) {
				t.Errorf("error is %v, want the lost connection", err)
			}
			nothingLeft(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			_, err := s.SaveVideo(ctx, &cancelling{bytes.NewReader(longVideo(size)), cancel, size - 1000})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want that of the context", err)
			}
			nothingLeft(t, s)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.put(ctx, "public/a.png", typePNG, func(w io.Writer) error { _, err := io.WriteString(w, "late"); return err })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want that of the context", err)
		}
		nothingLeft(t, s)
	})
}

func TestDeletingTwice(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, _ func(string)) {
		v, err := s.SaveVideo(t.Context(), bytes.NewReader(mp4File("avc1")))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Delete(t.Context(), v.Name); err != nil {
				t.Error(err)
			}
		}
		nothingLeft(t, s)
	})
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "", file, Limits{}); err == nil {
		t.Error("a file opened as a folder")
	}
	noKeys(t)
	for text, says := range map[string]string{
		"nothing://x":                                  "s3://NAME?region=REGION",
		"mem://":                                       "s3://NAME?region=REGION",
		"://":                                          "s3://NAME?region=REGION",
		"s3://k:s@":                                    "no valid bucket",
		"s3://k:s@BUCKET":                              "no valid bucket",
		"s3://k:s@bucket/folder":                       "no valid bucket",
		"s3://k:sec/ret@bucket":                        "%2F",
		"s3://k:1/ret@bucket":                          "%2F",
		"s3://k@bucket":                                "half of a key",
		"s3://:s@bucket":                               "half of a key",
		"s3://k:s@bucket?awssdk=v2":                    `"awssdk"`,
		"s3://k:s@bucket?region=x;y":                   "separate them by &",
		"s3://k:s@bucket?use_path_style=perhaps":       "true or false",
		"s3://k:s@bucket?endpoint=localhost:9000":      "https://HOST or http://HOST",
		"s3://k:s@bucket?endpoint=http://a:sec@host":   "https://HOST or http://HOST",
		"s3://k:s@bucket?endpoint=http://host/path":    "https://HOST or http://HOST",
		"s3://bucket?region=x":                         "AWS_ACCESS_KEY_ID",
		"file://":                                      "file:///PATH",
		"file://home/x":                                "three slashes",
		"file:///" + filepath.Join(file, "x"):          "not a directory",
		"file://" + filepath.Dir(file) + "/missing":    "no such file",
		"file://" + filepath.Dir(file) + "?base_url=x": `"base_url"`,
	} {
		_, err := Open(t.Context(), text, "", Limits{})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, without %q", text, err, says)
			continue
		}
		for _, secret := range []string{"k:s", "sec/ret", "1/ret", "a:sec"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error says it: %v", text, err)
			}
		}
	}
}

// noKeys prevents the library from finding any on this machine.
func noKeys(t *testing.T) {
	t.Helper()
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/") // refused immediately
}

func TestAddressesOfABucket(t *testing.T) {
	for text, want := range map[string]string{
		"s3://k:s@bucket?region=eu-west-1":                                                      "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/name",
		"s3://k:s@bucket?region=eu-west-1&use_path_style=true":                                  "https://s3.dualstack.eu-west-1.amazonaws.com/bucket/name",
		"s3://k:s@buck.et?region=eu-west-1":                                                     "https://s3.dualstack.eu-west-1.amazonaws.com/buck.et/name",
		"s3://k:s@bucket?region=auto&endpoint=https://account.example.com":                      "https://bucket.account.example.com/name",
		"s3://k:s@bucket?region=auto&endpoint=https://account.example.com/&use_path_style=true": "https://account.example.com/bucket/name",
		"s3://k:s@bucket?region=x&endpoint=http://storage:7070&s3ForcePathStyle=true":           "http://storage:7070/bucket/name",
		"s3://k:s@bucket?region=x&endpoint=http://127.0.0.1:9000":                               "http://127.0.0.1:9000/bucket/name",
	} {
		s := openAt(t, text, "", Limits{})
		b := s.bucket.(*s3)
		got, err := b.client.PresignedGetObject(t.Context(), b.bucket, "name", 1e9, url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		got.RawQuery = ""
		if got.String() != want {
			t.Errorf("%s asks %s, want %s", text, got, want)
		}
	}
}

func TestAFolderThatFormerVersionsMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/folder")); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"private/20c5aa51824fa432907830ca81ee4e44.jpg", "private/ab2e8a67a9bfb85fb6213bd017830338.mp4",
		"public/1e78ea58b9d9829a10a54bf4156dd77f.png", "public/29606fcff7c69e8845d7ba496a8491da.jpg",
	}
	for _, url := range []string{"", "file://" + filepath.ToSlash(dir) + "?no_tmp_dir=true&metadata=skip"} {
		s := openAt(t, url, dir, Limits{})
		var got []string
		err := s.Each(t.Context(), "", func(i Info) error { got = append(got, i.Name); return nil })
		if err != nil || !slices.Equal(got, names) {
			t.Errorf("%q has %q, %v", url, got, err)
		}
		for _, name := range names {
			want, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			if w := serve(t, s, "GET", name); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), want) {
				t.Errorf("%s: %d, %d bytes", name, w.Code, w.Body.Len())
			}
		}
	}
	s := openAt(t, "", dir, Limits{})
	if err := s.Delete(t.Context(), names...); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) != 1 || !strings.HasSuffix(left[0], ".tmp") { // it may belong to a process that is still running
		t.Errorf("left %q", left)
	}
}
