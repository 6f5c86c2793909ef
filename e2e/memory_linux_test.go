package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"tokentube/e2e/storage"
	"tokentube/e2e/testsite"
)

const (
	uploadSize = 400 << 20
	// roomForUpload is how much resident memory an upload of any size may add.
	roomForUpload = 32 << 20
)

// TestProcessMemory uploads a long video to the program, on both kinds of storage, and measures how much memory that
// takes.
func TestProcessMemory(t *testing.T) {
	program := build(t)
	t.Run("folder", func(t *testing.T) { program.uploadsInLittleMemory(t, env{}) })
	t.Run("bucket", func(t *testing.T) { program.uploadsInLittleMemory(t, env{"MEDIA_URL": storage.URL(storageProcess(t))}) })
}

func (b binary) uploadsInLittleMemory(t *testing.T, settings env) {
	p := b.start(t, settings.with(env{"DATA_DIR": t.TempDir(), "PORT": freePort(t), "BCRYPT_COST": "4"}))
	p.ready()
	login := p.register("alice")
	p.upload(login, 0) // so that what every first upload allocates is there
	before := p.memory("VmRSS")
	p.forgetPeak()
	id := p.upload(login, uploadSize)
	rise := p.memory("VmHWM") - before
	t.Logf("resident: %d MB before, at most %d MB more during %d MB", before>>20, rise>>20, uploadSize>>20)
	if rise >= roomForUpload {
		t.Errorf("an upload of %d MB took %d MB of memory", uploadSize>>20, rise>>20)
	}
	p.forgetPeak()
	before = p.memory("VmRSS")
	p.download(id)
	if rise := p.memory("VmHWM") - before; rise >= roomForUpload {
		t.Errorf("a download of %d MB took %d MB of memory", uploadSize>>20, rise>>20)
	}
	p.stop()
}

type noise struct{}

func (noise) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i*7 + len(p))
	}
	return len(p), nil
}

// upload posts a video with a last picture of this many bytes, as a stream.
func (p *process) upload(login tokens, size int) string {
	p.t.Helper()
	body, pipe := io.Pipe()
	form := multipart.NewWriter(pipe)
	go func() {
		part, err := form.CreateFormFile("videoFile", "long.mp4")
		if err == nil {
			_, err = io.Copy(part, io.MultiReader(bytes.NewReader(testsite.VideoBefore(size)), io.LimitReader(noise{}, int64(size))))
		}
		if err == nil {
			err = errors.Join(form.WriteField("title", "A long one"), form.Close())
		}
		_ = pipe.CloseWithError(err)
	}()
	r, err := http.NewRequest(http.MethodPost, p.base+"/api/v1/videos/publish-video", body)
	check(p.t, err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+login.AccessToken)
	answer, err := (&http.Client{Timeout: 5 * time.Minute}).Do(r)
	check(p.t, err)
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	check(p.t, err)
	var made struct {
		Data struct {
			ID string `json:"_id"`
		}
	}
	if err := json.Unmarshal(content, &made); err != nil || answer.StatusCode != http.StatusCreated {
		p.t.Fatalf("the upload answers %d %s", answer.StatusCode, content)
	}
	return made.Data.ID
}

func (p *process) download(id string) {
	p.t.Helper()
	answer, err := (&http.Client{Timeout: 5 * time.Minute}).Get(p.base + "/media/posts/" + id)
	check(p.t, err)
	defer func() { _ = answer.Body.Close() }()
	if n, err := io.Copy(io.Discard, answer.Body); n < uploadSize || err != nil {
		p.t.Errorf("%d bytes came back, %v", n, err)
	}
}

// memory reads a field of /proc/PID/status, in bytes.
func (p *process) memory(field string) int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	check(p.t, err)
	found := regexp.MustCompile(field + `:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		p.t.Fatalf("no %s in %s", field, status)
	}
	n, err := strconv.ParseInt(string(found[1]), 10, 64)
	check(p.t, err)
	return n << 10
}

// forgetPeak resets VmHWM to the current resident size.
func (p *process) forgetPeak() {
	p.t.Helper()
	check(p.t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0))
}

// storageAddress tells the test's own program to be a storage.
const storageAddress = "TEST_STORAGE_ADDRESS"

// storageProcess starts an S3-compatible storage in a separate process, whose memory is not counted, and returns its
// address.
func storageProcess(t *testing.T) string {
	t.Helper()
	address := "127.0.0.1:" + freePort(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestBeStorage$")
	cmd.Env = append(os.Environ(), storageAddress+"="+address)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			check(t, c.Close())
			return "http://" + address
		}
	}
	t.Fatal("the storage does not start")
	return ""
}

// TestBeStorage is not a test: it serves until the process is killed.
func TestBeStorage(t *testing.T) {
	address := os.Getenv(storageAddress)
	if address == "" {
		t.Skip("for storageProcess alone")
	}
	handler, err := storage.Handler(s3mem.New())
	check(t, err)
	t.Fatal(http.ListenAndServe(address, handler)) // #nosec G114 -- for tests
}
