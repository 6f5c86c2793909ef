//go:build linux || darwin || freebsd

package media

import "syscall"

// freeSpace is how many bytes are free on a folder's disk.
func freeSpace(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil // #nosec G115 -- no disk has 2^63 bytes
}
