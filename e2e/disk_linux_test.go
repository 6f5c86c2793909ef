package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// The test that runs in a process of its own, where it may mount a disk, is told where, and which program to run.
const smallDiskAt, smallDiskProgram = "E2E_SMALL_DISK", "E2E_PROGRAM"

const changers = 3

// TestFullDisk fills and frees the disk of a site that is written to, while some clients leave before they are answered.
// Each change has happened as a whole or not at all.
func TestFullDisk(t *testing.T) {
	if disk := os.Getenv(smallDiskAt); disk != "" {
		if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=12m"); err != nil {
			t.Skipf("a small disk cannot be mounted here: %v", err)
		}
		binary(os.Getenv(smallDiskProgram)).outlivesFullDisk(t, disk)
		return
	}
	program, err := os.Executable()
	check(t, err)
	c := exec.Command(program, "-test.run=^TestFullDisk$", "-test.v")
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

func (b binary) outlivesFullDisk(t *testing.T, disk string) {
	data := filepath.Join(disk, "data")
	settings := quiet(t, data)
	p := b.start(t, settings)
	p.ready()
	c := newCrowd(t, p)
	c.picture, c.leave = testsite.Picture(t), true
	c.brittle = func(status int) bool { return status == http.StatusServiceUnavailable }
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

// flicker fills the disk and frees it, for a second and a half.
func flicker(t *testing.T, disk string) {
	t.Helper()
	ballast := filepath.Join(disk, "ballast")
	for range 8 {
		time.Sleep(80*time.Millisecond + rand.N(40*time.Millisecond))
		f, err := os.Create(ballast)
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk does not run full: %v", err)
		}
		time.Sleep(60*time.Millisecond + rand.N(40*time.Millisecond))
		check(t, f.Close())
		check(t, os.Remove(ballast))
	}
}
