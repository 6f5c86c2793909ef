//go:build !linux

package e2e_test

import "testing"

func TestFullDisk(t *testing.T) { t.Skip("a disk is filled on Linux only") }
