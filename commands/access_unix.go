//go:build linux || darwin || freebsd

package commands

import "syscall"

// mayChange tells whether this user may write to a file, or add files to a folder.
func mayChange(path string) bool {
	const write = 2 // W_OK
	return syscall.Access(path, write) == nil
}

const hasModes = true // what others may do is in a file's mode
