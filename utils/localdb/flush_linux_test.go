package localdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sys/unix"
)

const faultOf = "LOCALDB_FAULT"

func init() { roles["flush"] = meetFault }

// fault is a system call of bbolt that fails once with EIO, as on a bad disk; before and after, all calls succeed.
type fault struct {
	call    uint32
	counts  func(offset uint64) bool // nil: every call of that kind
	nth     int32
	stops   bool // the state of the disk is uncertain afterwards
	inDoubt bool // the failed writes may be found
}

var metaPages = uint64(2 * os.Getpagesize())

var faults = map[string]fault{
	"flush of the pages":     {call: unix.SYS_FDATASYNC, nth: 1, stops: true},
	"flush of the last page": {call: unix.SYS_FDATASYNC, nth: 2, stops: true, inDoubt: true},
	"flush of a longer file": {call: unix.SYS_FSYNC, nth: 1, stops: true},
	"growing the file":       {call: unix.SYS_FTRUNCATE, nth: 1},
	"write of a page":        {call: unix.SYS_PWRITE64, nth: 2, counts: func(offset uint64) bool { return offset >= metaPages }},
	"write of the last page": {call: unix.SYS_PWRITE64, nth: 1, counts: func(offset uint64) bool { return offset < metaPages }},
}

// TestDiskFails: the disk fails once, and then works again. After a failed flush, which the system does not report
// twice, no write may be acknowledged until the file is reopened; after a failed write everything continues.
func TestDiskFails(t *testing.T) {
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passes(t, child(t, "flush", t.TempDir(), faultOf+"="+name))
		})
	}
}

func meetFault(dir string) error {
	f := faults[os.Getenv(faultOf)]
	path := filepath.Join(dir, "site.db")
	db, err := Open(path)
	if err != nil {
		return err
	}
	w := &fillers{db: db, want: "input/output error", kept: map[string]bool{}}
	if err := w.things().EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "name", Value: 1}}), {Keys: d{{Key: "tags", Value: 1}}}}); err != nil {
		return err
	}
	if err := w.write("before", 20, false); err != nil {
		return err
	}
	var calls atomic.Int32
	if err := install(f, &calls); err != nil {
		fmt.Println("skip: system calls cannot be made to fail here:", err)
		return nil
	}
	if !f.stops { // the file grows during these writes
		return errors.Join(w.write("during", 100, true), w.db.Ping(ctx), w.intact(), w.write("after", 20, false), w.intact(), w.reopen(path), w.intact(), w.db.Close())
	}
	// Each writer continues until it was refused five times.
	if err := w.write("during", 500, true); err != nil {
		return err
	}
	return errors.Join(w.doubts(f.inDoubt), w.readable(), w.stopped(&calls), w.readable(), w.reopen(path), w.intact(),
		w.write("after", 20, false), w.intact(), w.db.Close())
}

// readable checks that everything can be read; only Check, which queues with the writers, is refused.
func (w *fillers) readable() error {
	if err := w.intact(); !errors.Is(err, ErrDisk) {
		return fmt.Errorf("reading after the failure: %v", err)
	}
	return nil
}

// stopped tries all kinds of writes, even those that have nothing to flush: they fail, and none reaches the disk.
func (w *fillers) stopped(calls *atomic.Int32) error {
	made, all := calls.Load(), d{{Key: "name", Value: d{{Key: "$gte", Value: ""}}}}
	_, inserting := w.things().InsertOne(ctx, d{{Key: "name", Value: "late"}})
	_, updating := w.things().UpdateMany(ctx, all, d{{Key: "$set", Value: d{{Key: "text", Value: "late"}}}})
	_, deleting := w.things().DeleteMany(ctx, all)
	_, nothing := w.things().DeleteOne(ctx, d{{Key: "_id", Value: "none"}})
	building := w.things().EnsureIndexes(ctx, []mongo.IndexModel{{Keys: d{{Key: "text", Value: 1}}}})
	for i, err := range []error{inserting, updating, deleting, nothing, building, w.db.Ping(ctx)} {
		if !errors.Is(err, ErrDisk) || !strings.Contains(err.Error(), w.want) {
			return fmt.Errorf("write %d after the failure: %w", i, err)
		}
	}
	if calls.Load() != made {
		return errors.New("a refused write got to the disk")
	}
	return nil
}

// doubts looks for failed writes that exist nevertheless: at most one per writer, the first to fail.
func (w *fillers) doubts(allowed bool) error {
	found := 0
	for name, kept := range w.kept {
		n, err := w.things().CountDocuments(ctx, d{{Key: "name", Value: name}})
		if err != nil {
			return err
		}
		if !kept && n == 1 {
			w.kept[name] = true
			found++
		}
	}
	fmt.Println(found, "failed writes are there")
	if found > 4 || (found > 0) != allowed {
		return errors.New("they should not be")
	}
	return nil
}

// build creates an index of all texts, for which there is no space at first.
func (w *fillers) build(room bool) error {
	err := w.things().EnsureIndexes(ctx, []mongo.IndexModel{{Keys: d{{Key: "text", Value: 1}}}})
	if (err == nil) != room || err != nil && !strings.Contains(err.Error(), w.want) {
		return fmt.Errorf("building an index: %w", err)
	}
	before := w.db.Scans()
	n, err := w.things().CountDocuments(ctx, d{{Key: "text", Value: "none"}})
	if n != 0 || err != nil || (w.db.Scans() == before) != room {
		return fmt.Errorf("%d by an index that is there: %v: %w", n, room, err)
	}
	return nil
}

func (w *fillers) reopen(path string) error {
	err := w.db.Close()
	if err != nil {
		return err
	}
	w.db, err = Open(path)
	return err
}

// install makes the kernel ask this process, before each call of that kind, whether it should fail.
func install(f fault, calls *atomic.Int32) error {
	arch, known := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !known {
		return errors.ErrUnsupported
	}
	// In struct seccomp_data, the call's number is at offset 0, the architecture at 4.
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 4},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: f.call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread() // the permission that the first call grants belongs to the thread
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC|
		unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	go decide(listener, f, calls)
	return nil
}

// decide responds to the kernel: struct seccomp_notif and struct seccomp_notif_resp of linux/seccomp.h.
func decide(listener uintptr, f fault, calls *atomic.Int32) {
	for {
		var asked struct {
			id         uint64
			pid, flags uint32
			call, arch uint32
			at         uint64
			args       [6]uint64
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&asked))); errno != 0 {
			continue // a signal arrived, or cancelled the call
		}
		answer := struct {
			id           uint64
			value        int64
			error, flags int32
		}{id: asked.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		counted := f.counts == nil || f.counts(asked.args[3])
		if counted && calls.Load()+1 == f.nth {
			answer.error, answer.flags = -int32(syscall.EIO), 0
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&answer))); errno == 0 && counted {
			calls.Add(1) // not if a signal made the call start again
		}
	}
}
