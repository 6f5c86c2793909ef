//go:build unix

package media

import (
	"syscall"
	"time"
)

// beNice gives the site's requests priority.
func beNice() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 5) }

// spent is how much processor time this process has used. A busy machine doesn't count against a picture.
func spent(time.Time) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
