package e2e_test

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// quiet are the settings of a site with many users.
func quiet(t *testing.T, data string) env {
	t.Helper()
	return env{"DATA_DIR": data, "PORT": freePort(t), "BCRYPT_COST": "4", "RATE_LIMIT": "false", "DISK_RESERVE_MB": "0", "ACCESS_TOKEN_EXPIRY": "5h", "LOG_LEVEL": "warn"}
}

// kill ends the process like a machine failure.
func (p *process) kill() {
	p.t.Helper()
	check(p.t, p.cmd.Process.Kill())
	_ = p.cmd.Wait() // killed
}

// A process is killed while eight writers change posts and likes. After the next start, without any repair, every count
// is correct, and everything that was acknowledged is there.
func TestKill(t *testing.T) {
	b, settings := build(t), quiet(t, t.TempDir())
	p := b.start(t, settings)
	p.ready()
	c := newCrowd(t, p)
	c.picture = testsite.Picture(t)
	var killed atomic.Bool
	c.brittle = func(status int) bool { return status == 0 && killed.Load() }
	n := rounds(t, 20)
	for round := range n {
		if round > 0 {
			p = b.start(t, settings)
			p.ready()
		}
		killed.Store(false)
		end := c.begin()
		time.Sleep(150*time.Millisecond + rand.N(250*time.Millisecond))
		killed.Store(true)
		c.over.Store(true)
		p.kill()
		end()
		s := b.settled(t, settings)
		complain(t, "after a kill", slices.Concat(s.faults(), c.compare(s), s.lostFiles(t, settings["DATA_DIR"])))
		if t.Failed() {
			t.Fatalf("round %d of %d: %s", round+1, n, p.printed())
		}
	}
	t.Logf("%d kills, %d changes acknowledged, %d in doubt", n, c.acknowledged.Load(), c.left.Load())
	b.mends(t, settings)
}
