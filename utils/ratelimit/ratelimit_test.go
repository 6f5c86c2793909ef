package ratelimit

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a clock that the test sets.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}
func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

var five = Limit{Name: "five", Quota: 5, Window: 50 * time.Second}

func TestABucketEmptiesAndFillsAgain(t *testing.T) {
	c := newClock()
	l := New(five, 10, c.now)
	for i := range 5 {
		if s := l.Take("a"); !s.OK || s.Left != 4-i || s.Wait != 10*time.Second {
			t.Fatalf("%d: %+v", i, s)
		}
	}
	for range 100 { // refusals don't postpone the end
		if s := l.Take("a"); s.OK || s.Left != 0 || s.Wait != 10*time.Second {
			t.Fatalf("empty: %+v", s)
		}
	}
	if s := l.Take("b"); !s.OK || s.Left != 4 {
		t.Errorf("another key: %+v", s)
	}
	c.advance(10*time.Second - 1)
	if s := l.Take("a"); s.OK || s.Wait != 1 {
		t.Errorf("just before: %+v", s)
	}
	c.advance(1)
	if s := l.Look("a"); !s.OK || s.Left != 1 {
		t.Errorf("looked at: %+v", s)
	}
	if s := l.Take("a"); !s.OK || s.Left != 0 {
		t.Errorf("one came back: %+v", s)
	}
	if s := l.Take("a"); s.OK {
		t.Errorf("only one came back: %+v", s)
	}
	c.advance(time.Hour)
	if s := l.Look("a"); !s.OK || s.Left != 5 || s.Wait != 0 {
		t.Errorf("full again: %+v", s)
	}
	for i := range 6 {
		if s := l.Take("a"); s.OK != (i < 5) {
			t.Errorf("after an hour, %d: %+v", i, s)
		}
	}
}

func TestAMillionKeysStayWithinBounds(t *testing.T) {
	const most = 10_000
	c := newClock()
	l := New(five, most, c.now)
	for range 5 {
		l.Take("attacker")
	}
	before := heap()
	long := strings.Repeat("x", 200)
	for i := range 1_000_000 {
		l.Take(fmt.Sprint(i, long))
		if i%100_000 == 0 && l.Take("attacker").OK {
			t.Fatal("a flood of other keys filled the attacker's bucket")
		}
	}
	if len(l.full.full) > most {
		t.Errorf("%d keys are kept", len(l.full.full))
	}
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("the memory grew by %d bytes", grown)
	}
	if l.Take("attacker").OK {
		t.Error("a flood of other keys filled the attacker's bucket")
	}
	runtime.KeepAlive(l)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Buckets that are full again are evicted before any others.
func TestFullBucketsGoFirst(t *testing.T) {
	c := newClock()
	l := New(five, 2, c.now)
	l.Take("old")
	c.advance(time.Minute)
	for range 5 {
		l.Take("emptied")
	}
	l.Take("new")
	if s := l.Look("emptied"); s.OK || len(l.full.full) != 2 {
		t.Errorf("%+v, %d keys", s, len(l.full.full))
	}
}

func TestConcurrentTakersShareOneBucket(t *testing.T) {
	l := New(Limit{Name: "x", Quota: 100, Window: time.Hour}, 10, newClock().now)
	var passed atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 50 {
				if l.Take("shared").OK {
					passed.Add(1)
				}
				l.Look(fmt.Sprint(i, n))
			}
		})
	}
	all.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d passed", passed.Load())
	}
}

func TestFields(t *testing.T) {
	now := newClock().now()
	_, login := Limit{"login", 10, 15 * time.Minute}.Take(now.Add(9*time.Minute), now)
	_, wide := Limit{"network", 120, time.Minute}.Take(now, now)
	policy, current := Fields(login, wide)
	if policy != `"login";q=10;w=900, "network";q=120;w=60` || current != `"login";r=3;t=90, "network";r=119;t=1` {
		t.Errorf("%s\n%s", policy, current)
	}
}

// A window or a wait that is not a whole number of seconds is rounded up, never written as a decimal: Integer is the
// type in the draft, and in Retry-After.
func TestFieldsAreStructured(t *testing.T) {
	item := `"[a-z-]+"(;[a-z]+=[0-9]{1,15})+`
	list := regexp.MustCompile(`^` + item + `(, ` + item + `)*$`)
	start := newClock().now()
	for _, limit := range []Limit{five, {"one", 1, time.Millisecond}, {"odd", 7, 10 * time.Second}} {
		full, now := start, start
		for range 2 * limit.Quota {
			var s State
			full, s = limit.Take(full, now)
			now = now.Add(333 * time.Millisecond)
			policy, current := Fields(s, s)
			if !list.MatchString(policy) || !list.MatchString(current) || strings.Contains(current, ";t=0") {
				t.Fatalf("%s\n%s", policy, current)
			}
		}
	}
}

func TestNetworkAndHost(t *testing.T) {
	for ip, want := range map[string][2]string{
		"192.0.2.77":             {"192.0.2.0/24", "192.0.2.77/32"},
		"::ffff:192.0.2.77":      {"192.0.2.0/24", "192.0.2.77/32"},
		"2001:db8:1:2:3:4:5:6":   {"2001:db8:1::/48", "2001:db8:1:2::/64"},
		"2001:db8:1:ffff:ffff::": {"2001:db8:1::/48", "2001:db8:1:ffff::/64"},
		"fe80::1%eth0":           {"fe80::/48", "fe80::/64"},
		"":                       {"unknown", "unknown"},
		"192.0.2.1, 198.51.100.": {"unknown", "unknown"},
	} {
		if network, host := Network(ip), Host(ip); network != want[0] || host != want[1] {
			t.Errorf("%s is in %s, %s, want %s", ip, network, host, want)
		}
	}
}

func TestWhatIsGivenBackIsThereAgain(t *testing.T) {
	c := newClock()
	l := New(five, 10, c.now)
	for range 30 {
		if s := l.Take("a"); !s.OK || s.Left != 4 {
			t.Fatalf("%+v", s)
		}
		l.GiveBack("a")
	}
	if len(l.full.full) != 0 {
		t.Errorf("%d full buckets are kept", len(l.full.full))
	}
	l.Take("a")
	c.advance(time.Hour)
	l.GiveBack("a") // late: it is already full
	l.GiveBack("never taken")
	for i := range 6 {
		if s := l.Take("a"); s.OK != (i < 5) {
			t.Errorf("%d: %+v", i, s)
		}
	}
}

// BenchmarkTake is the cost per request: for a known key, and for new keys in a full Limiter.
func BenchmarkTake(b *testing.B) {
	keys := make([]string, 1<<17)
	for i := range keys {
		keys[i] = fmt.Sprintf("%024x", i)
	}
	for _, test := range []struct {
		name string
		most int
	}{{"known", len(keys)}, {"full", 1000}} {
		b.Run(test.name, func(b *testing.B) {
			l := New(Limit{"x", 120, time.Minute}, test.most, time.Now)
			b.ReportAllocs()
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Take(keys[n.Add(1)%int64(len(keys))])
				}
			})
		})
	}
}
