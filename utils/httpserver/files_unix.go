//go:build unix

package httpserver

import (
	"math"
	"syscall"
)

// openFiles is how many files this process may have open. Go has already raised the limit as far as the system allows.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt32
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)) //nolint:unconvert // it is signed on some systems
}
