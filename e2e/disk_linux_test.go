package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// Tell the test that runs in a separate process, where it may mount a disk, the path of the disk and the program to
// run.
const smallDiskAt, smallDiskProgram = "E2E_SMALL_DISK", "E2E_PROGRAM"

const changers = 3

// TestFullDisk fills and frees the disk of a site that is being written to, while some clients disconnect before the
// response. Each change has happened completely or not at all.
func TestFullDisk(t *testing.T) { onSmallDisk(t, "size=12m", binary.outlivesFullDisk) }

// TestFullDiskMakesRoom: people read, log in and delete on a full disk, until there is space again. Everything else is
// refused with an explanation.
func TestFullDiskMakesRoom(t *testing.T) { onSmallDisk(t, "size=12m", binary.makesRoom) }

// onSmallDisk runs a test in a separate process, which may mount a disk.
func onSmallDisk(t *testing.T, size string, test func(b binary, t *testing.T, disk string)) {
	t.Helper()
	if disk := os.Getenv(smallDiskAt); disk != "" {
		if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, size); err != nil {
			t.Skipf("a small disk cannot be mounted here: %v", err)
		}
		test(binary(os.Getenv(smallDiskProgram)), t, disk)
		return
	}
	program, err := os.Executable()
	check(t, err)
	c := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), smallDiskAt+"="+t.TempDir(), smallDiskProgram+"="+string(build(t)))
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.CombinedOutput()
	switch {
	case c.Process == nil:
		t.Skipf("user namespaces are not allowed here: %v", err)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	}
	t.Logf("%s", out)
}

// noRoom reports whether the status is one that a full disk causes; 503 is a concurrent write that was not attempted.
func noRoom(status int) bool {
	return status == http.StatusInsufficientStorage || status == http.StatusServiceUnavailable
}

func (b binary) makesRoom(t *testing.T, disk string) {
	data := filepath.Join(disk, "data")
	settings := quiet(t, data)
	p := b.start(t, settings)
	p.ready()
	alice, picture := p.register("alice"), testsite.Picture(t)
	bearer := http.Header{"Authorization": {"Bearer " + alice.AccessToken}}
	call := func(method, path string, body any) (int, string) { return p.send(method, path, body, bearer) }
	upload := func() (int, string) {
		kind, form := fileForm(t, "photo", picture, "a photo", "public")
		r, err := http.NewRequest(http.MethodPost, p.base+"/api/v1/photos", bytes.NewReader(form))
		check(t, err)
		r.Header.Set("Authorization", "Bearer "+alice.AccessToken)
		r.Header.Set("Content-Type", kind)
		answer, err := (&http.Client{Timeout: patience}).Do(r)
		check(t, err)
		text, err := io.ReadAll(answer.Body)
		check(t, errors.Join(err, answer.Body.Close()))
		return answer.StatusCode, string(text)
	}
	for range 60 { // deleting them must free more than the reserve may lack
		if status, text := upload(); status != http.StatusCreated {
			t.Fatal(status, text)
		}
	}
	files := len(mediaFiles(t, data))
	fill(t, disk)
	tweet := testsite.M{"content": strings.Repeat("text ", 300)}
	status, text := 0, ""
	for range 5000 { // into the free space within the file
		if status, text = call(http.MethodPost, "/api/v1/tweets", tweet); status != http.StatusCreated {
			break
		}
	}
	if status != http.StatusInsufficientStorage || !strings.Contains(text, "out of disk space") {
		t.Fatalf("a post on a full disk: %d %s", status, text)
	}
	if status, text := upload(); status != http.StatusInsufficientStorage {
		t.Errorf("an upload on a full disk: %d %s", status, text)
	}
	for path, want := range map[string]int{"/readyz": 507, "/healthz": 200, "/": 200, "/api/v1/feed": 200} {
		if status, text := call(http.MethodGet, path, nil); status != want {
			t.Errorf("%s on a full disk: %d %.200s", path, status, text)
		}
	}
	for i := range 10 {
		status, text := p.send(http.MethodPost, "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}, nil)
		if status != http.StatusOK {
			t.Fatalf("login %d on a full disk: %d %s", i, status, text)
		}
		fill(t, disk)
	}
	p.stop()
	p = b.start(t, settings) // it starts, too
	p.ready()
	_, text = call(http.MethodGet, "/api/v1/feed?kind=photo&limit=60", nil)
	ids := photoIDs.FindAllStringSubmatch(text, -1)
	if len(ids) == 0 {
		t.Fatalf("no photos in %.300s", text)
	}
	for _, id := range ids {
		if status, text := call(http.MethodDelete, "/api/v1/photos/"+id[1], nil); status != http.StatusOK {
			t.Fatalf("deleting on a full disk: %d %s", status, text)
		}
	}
	end := time.Now().Add(patience)
	for ; time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ready, _ := call(http.MethodGet, "/readyz", nil)
		posted, _ := call(http.MethodPost, "/api/v1/tweets", tweet)
		if ready == http.StatusOK && posted == http.StatusCreated {
			break
		}
	}
	if time.Now().After(end) {
		t.Fatalf("deleting made no room:\n%s", p.printed())
	}
	if left := len(mediaFiles(t, data)); left > files-2*len(ids) {
		t.Errorf("%d files of %d are left, after %d photos with two each were deleted", left, files, len(ids))
	}
	p.stop()
	b.mends(t, settings)
}

var photoIDs = regexp.MustCompile(`/media/posts/([0-9a-f]{24})"`)

// fill uses up the remaining space.
func fill(t *testing.T, disk string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(disk, "ballast"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk does not run full: %v", err)
	}
	check(t, f.Close())
}

func (b binary) outlivesFullDisk(t *testing.T, disk string) {
	data := filepath.Join(disk, "data")
	settings := quiet(t, data)
	p := b.start(t, settings)
	p.ready()
	c := newCrowd(t, p)
	c.picture, c.leave = testsite.Picture(t), true
	c.brittle = noRoom
	var people []*changer
	for i := range changers {
		people = append(people, newChanger(p, fmt.Sprint("changer", i)))
	}
	var s stored
	n := rounds(t, 4)
	for round := range n {
		if round > 0 {
			p = b.start(t, settings)
			p.ready()
		}
		end := c.begin()
		var all sync.WaitGroup
		for _, person := range people {
			all.Go(func() { person.change(p, &c.over) })
		}
		flicker(t, disk)
		end()
		all.Wait()
		p.stop()
		s = b.settled(t, settings)
		complain(t, "after a full disk", slices.Concat(s.faults(), c.compare(s), s.lostFiles(t, data), s.strayFiles(t, data)))
		for _, person := range people {
			complain(t, "a password", person.compare(s))
		}
		if t.Failed() {
			t.Fatalf("round %d of %d: %s", round+1, n, p.printed())
		}
	}
	b.mends(t, settings)
	p = b.start(t, settings)
	p.ready()
	shown := c.show(s)
	p.stop()
	changes := 0
	for _, person := range people {
		changes += person.current
	}
	t.Logf("%d rounds, %d changes acknowledged, %d failed, %d were left, %d passwords changed, %d files shown",
		n, c.acknowledged.Load(), c.failed.Load(), c.left.Load(), changes, shown)
	if c.failed.Load() == 0 || c.left.Load() == 0 || shown == 0 || changes == 0 {
		t.Error("too little happened")
	}
}

// flicker fills the disk and frees it, repeatedly for a second and a half.
func flicker(t *testing.T, disk string) {
	t.Helper()
	ballast := filepath.Join(disk, "ballast")
	for range 8 {
		time.Sleep(80*time.Millisecond + rand.N(40*time.Millisecond))
		fill(t, disk)
		time.Sleep(60*time.Millisecond + rand.N(40*time.Millisecond))
		check(t, os.Remove(ballast))
	}
}
