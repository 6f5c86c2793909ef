package pace

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tested requires 1000 bytes per second.
var tested = Pace{Patience: 10 * time.Second, Rate: 1000}

func TestReader(t *testing.T) {
	for _, test := range []struct {
		name  string
		piece int
		every time.Duration
		whole bool // all 60 pieces arrive
	}{
		{"fast", 10_000, time.Millisecond, true},
		{"just fast enough, for much longer than the patience", 1000, time.Second, true},
		{"in bursts, with pauses within the patience", 9500, 9 * time.Second, true},
		{"a trickle", 1, time.Second, false},
		{"half the rate", 500, time.Second, false},
		{"a pause that is too long", 60_000, 11 * time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				var other sync.WaitGroup
				other.Go(func() {
					for range 60 {
						time.Sleep(test.every)
						if _, err := client.Write(make([]byte, test.piece)); err != nil {
							return
						}
					}
					_ = client.Close()
				})
				start := time.Now()
				n, err := io.Copy(io.Discard, tested.Reader(server, server.SetReadDeadline))
				_ = server.Close()
				defer other.Wait()
				check(t, test.whole, 60*test.piece, int(n), err)
				if took := time.Since(start); !test.whole && took > 25*time.Second {
					t.Errorf("it was given %v", took)
				}
			})
		})
	}
}

func TestWriter(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes int
		every time.Duration // the client reads 500 bytes at this interval
		whole bool
	}{
		{"fast, in one write", 1 << 20, 0, true},
		{"fast enough, in one write that takes minutes", 300_000, 400 * time.Millisecond, true},
		{"a trickle", 300_000, 10 * time.Second, false},
		{"half the rate", 300_000, time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				var other sync.WaitGroup
				other.Go(func() {
					for took := make([]byte, 500); ; time.Sleep(test.every) {
						if _, err := client.Read(took); err != nil {
							return
						}
					}
				})
				start := time.Now()
				n, err := tested.Writer(server, server.SetWriteDeadline).Write(make([]byte, test.bytes))
				_ = server.Close()
				defer other.Wait()
				check(t, test.whole, test.bytes, n, err)
				if took := time.Since(start); !test.whole && took > 2*time.Minute {
					t.Errorf("it was given %v", took)
				}
			})
		})
	}
}

func check(t *testing.T, whole bool, want, got int, err error) {
	t.Helper()
	if whole && (err != nil || got != want) {
		t.Errorf("%d of %d bytes: %v", got, want, err)
	}
	if !whole && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d of %d bytes: %v", got, want, err)
	}
}

func TestOurOwnDelaysAreNotTheClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go func() {
			for range 5 {
				_, _ = client.Write([]byte("x"))
			}
			_ = client.Close()
		}()
		r := tested.Reader(server, server.SetReadDeadline)
		for range 5 {
			time.Sleep(time.Minute) // the disk is slow
			if _, err := r.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		_ = server.Close()
	})
}

func TestTheDeadlineEndsWithTheBody(t *testing.T) {
	var last time.Time
	r := tested.Reader(io.NopCloser(bytes.NewReader([]byte("body"))), func(at time.Time) error { last = at; return nil })
	if _, err := io.ReadAll(r); err != nil || !last.IsZero() {
		t.Errorf("%v, and the deadline is %v", err, last)
	}
}
