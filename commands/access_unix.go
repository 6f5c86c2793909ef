//go:build linux || darwin || freebsd

package commands

import "syscall"

// mayChange reports whether this user may write to a file, or add files to a folder.
func mayChange(path string) bool {
	const write = 2 // W_OK
	return syscall.Access(path, write) == nil
}

const hasModes = true // a file's mode holds the permissions of other users
