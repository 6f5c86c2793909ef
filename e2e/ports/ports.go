// Package ports chooses ports for servers under test that cannot listen on port 0 and say which one they got.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// The range is below the ephemeral ports: from 32768 on Linux, from 49152 elsewhere (RFC 6335 §6). So no outgoing
// connection or listener on port 0 takes a port between the choice and its use, or while a server restarts.
const first, count = 20000, 12000

// last is the offset of the latest choice, so that a process does not choose the same port again.
var last atomic.Int64

func init() { last.Store(rand.Int64N(count)) }

// Free returns a port of the loopback interface that nothing listens on.
func Free(t testing.TB) int {
	t.Helper()
	for range count {
		port := first + int(last.Add(1)%count)
		listener, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return 0
}
