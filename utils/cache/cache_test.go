package cache

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// source counts how often it was called.
type source struct{ asked int }

func (s *source) load() (int, error) {
	s.asked++
	return s.asked, nil
}

func get(t *testing.T, c *Cache[string, int], key string, load func() (int, error), want int) {
	t.Helper()
	if got, err := c.Get(key, load); got != want || err != nil {
		t.Errorf("Get(%s) = %d, %v, want %d", key, got, err, want)
	}
}

func TestValueIsKeptForItsTime(t *testing.T) {
	now, s := start, &source{}
	c := New[string, int](5*time.Second, 10, func() time.Time { return now })
	get(t, c, "a", s.load, 1)
	now = start.Add(5*time.Second - 1)
	get(t, c, "a", s.load, 1)
	get(t, c, "b", s.load, 2)
	now = start.Add(5 * time.Second)
	get(t, c, "a", s.load, 3)
	get(t, c, "b", s.load, 2)
}

func TestDroppedValueIsLoadedAgain(t *testing.T) {
	s := &source{}
	c := New[string, int](time.Second, 10, func() time.Time { return start })
	for _, key := range []string{"a", "b", "c"} {
		_, _ = c.Get(key, s.load)
	}
	c.Drop("a", "b", "unknown")
	get(t, c, "a", s.load, 4)
	get(t, c, "b", s.load, 5)
	get(t, c, "c", s.load, 3)
}

// A value read before a change must not reappear after it: that would revive a session that was just revoked.
func TestFillThatBeganBeforeADropIsNotKept(t *testing.T) {
	c := New[string, int](time.Hour, 10, func() time.Time { return start })
	for _, dropped := range []string{"a", "another key"} {
		began, goOn, done := make(chan struct{}), make(chan struct{}), make(chan int)
		go func() {
			old, _ := c.Get("a", func() (int, error) {
				close(began)
				<-goOn
				return 1, nil
			})
			done <- old
		}()
		<-began
		c.Drop(dropped)
		close(goOn)
		if old := <-done; old != 1 {
			t.Errorf("the caller got %d", old)
		}
		get(t, c, "a", func() (int, error) { return 2, nil }, 2)
		c.Drop("a")
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	c := New[string, int](time.Hour, 10, func() time.Time { return start })
	broken := errors.New("no database")
	if _, err := c.Get("a", func() (int, error) { return 1, broken }); err != broken {
		t.Errorf("err = %v", err)
	}
	get(t, c, "a", func() (int, error) { return 2, nil }, 2)
}

func TestSizeIsBounded(t *testing.T) {
	now, s := start, &source{}
	c := New[string, int](time.Second, 3, func() time.Time { return now })
	for i := range 10 {
		get(t, c, strconv.Itoa(i), s.load, i+1)
		if len(c.entries) > 3 {
			t.Fatalf("%d entries", len(c.entries))
		}
	}
	get(t, c, "9", s.load, 10) // the newest is cached
	now = start.Add(time.Second)
	get(t, c, "9", s.load, 11) // it has expired
}

// For -race. Whoever dropped a value never sees it again.
func TestManyAtOnce(t *testing.T) {
	c := New[int, int](time.Hour, 50, func() time.Time { return start })
	var truth [8]struct {
		sync.Mutex
		n int
	}
	var all sync.WaitGroup
	for key := range truth {
		load := func() (int, error) {
			truth[key].Lock()
			defer truth[key].Unlock()
			return truth[key].n, nil
		}
		for range 3 {
			all.Go(func() {
				for range 500 {
					_, _ = c.Get(key, load)
				}
			})
		}
		all.Go(func() {
			for i := range 500 {
				truth[key].Lock()
				truth[key].n = i
				truth[key].Unlock()
				c.Drop(key)
				if got, _ := c.Get(key, load); got != i {
					t.Errorf("key %d: got %d after %d was written", key, got, i)
				}
			}
		})
	}
	all.Wait()
}

func TestGetAllLoadsWhatIsMissingAtOnce(t *testing.T) {
	now, loads := start, [][]string{}
	c := New[string, int](5*time.Second, 10, func() time.Time { return now })
	load := func(missing []string) (map[string]int, error) {
		loads = append(loads, missing)
		found := map[string]int{}
		for _, key := range missing {
			if key != "unknown" {
				found[key] = len(loads)
			}
		}
		return found, nil
	}
	all := func(want map[string]int, keys ...string) {
		t.Helper()
		if got, err := c.GetAll(keys, load); err != nil || !maps.Equal(got, want) {
			t.Errorf("GetAll(%q) = %v, %v, want %v", keys, got, err, want)
		}
	}
	all(map[string]int{})
	all(map[string]int{"a": 1, "b": 1}, "a", "b", "a", "unknown")
	all(map[string]int{"a": 1, "b": 1}, "b", "a")
	all(map[string]int{"a": 1, "c": 2}, "c", "a", "c")
	c.Drop("a")
	all(map[string]int{"a": 3, "b": 1, "c": 2}, "a", "b", "c")
	now = start.Add(5 * time.Second)
	all(map[string]int{"b": 4}, "b")
	all(map[string]int{}, "unknown")
	want := [][]string{{"a", "b", "unknown"}, {"c"}, {"a"}, {"b"}, {"unknown"}}
	if !slices.EqualFunc(loads, want, slices.Equal) {
		t.Errorf("it loaded %q, want %q", loads, want)
	}
	broken := errors.New("no database")
	if got, err := c.GetAll([]string{"x"}, func([]string) (map[string]int, error) { return map[string]int{"x": 1}, broken }); err != broken || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	get(t, c, "x", func() (int, error) { return 7, nil }, 7)
}

// As with Get: a value read before a change must not reappear after it.
func TestGetAllThatBeganBeforeADropIsNotKept(t *testing.T) {
	c := New[string, int](time.Hour, 10, func() time.Time { return start })
	for _, dropped := range []string{"a", "another key"} {
		got, err := c.GetAll([]string{"a", "b"}, func([]string) (map[string]int, error) {
			c.Drop(dropped)
			return map[string]int{"a": 1, "b": 1}, nil
		})
		if err != nil || got["a"] != 1 || got["b"] != 1 {
			t.Errorf("the caller got %v, %v", got, err)
		}
		for _, key := range []string{"a", "b"} {
			get(t, c, key, func() (int, error) { return 2, nil }, 2)
		}
		c.Drop("a", "b")
	}
}

func TestGetAllKeepsTheSize(t *testing.T) {
	c := New[int, int](time.Hour, 3, func() time.Time { return start })
	keys := []int{1, 2, 3, 4, 5, 6}
	got, err := c.GetAll(keys, func(missing []int) (map[int]int, error) {
		found := map[int]int{}
		for _, key := range missing {
			found[key] = key
		}
		return found, nil
	})
	if err != nil || len(got) != 6 || len(c.entries) > 3 {
		t.Errorf("%v, %v, and %d are kept", got, err, len(c.entries))
	}
}

// Expired entries are evicted as new ones are added, not only when the cache is full.
func TestDeadEntriesGoAsOthersCome(t *testing.T) {
	now := start
	c := New[int, int](time.Second, 1_000_000, func() time.Time { return now })
	keep := func(from, to int) {
		for i := from; i < to; i++ {
			if _, err := c.Get(i, func() (int, error) { return i, nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	keep(0, 1000)
	now = now.Add(2 * time.Second)
	keep(1000, 2000)
	if n := len(c.entries); n > 1100 {
		t.Errorf("%d entries, of which 1000 live", n)
	}
	keep(1000, 2000)
	if v, err := c.Get(1500, func() (int, error) { return 0, errors.New("it was forgotten") }); v != 1500 || err != nil {
		t.Error(v, err)
	}
}

// A value that must not come from the cache is loaded, and replaces the cached one; if it no longer exists, the cached
// one is removed.
func TestRenewPassesWhatIsKept(t *testing.T) {
	now := start
	c := New[string, int](5*time.Second, 10, func() time.Time { return now })
	value := func(v int) func() (int, error) { return func() (int, error) { return v, nil } }
	get(t, c, "a", value(1), 1)
	if v, err := c.Renew("a", value(2)); v != 2 || err != nil {
		t.Error(v, err)
	}
	get(t, c, "a", value(3), 2)
	gone := errors.New("gone")
	if _, err := c.Renew("a", func() (int, error) { return 0, gone }); err != gone {
		t.Error(err)
	}
	get(t, c, "a", value(4), 4)
	get(t, c, "b", value(4), 4)
	all, err := c.RenewAll([]string{"a", "b"}, func([]string) (map[string]int, error) { return map[string]int{"a": 5}, nil })
	if err != nil || !maps.Equal(all, map[string]int{"a": 5}) {
		t.Error(all, err)
	}
	get(t, c, "a", value(6), 5)
	get(t, c, "b", value(6), 6)
	// A value is as old as the call that requested it.
	if _, err := c.Renew("a", func() (int, error) { now = now.Add(4 * time.Second); return 7, nil }); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Second)
	get(t, c, "a", value(8), 8)
}
