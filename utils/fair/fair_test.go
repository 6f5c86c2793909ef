package fair

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// asker waits for a place in the background, and reports the outcome.
type asker struct {
	cancel context.CancelFunc
	done   chan struct{}
	give   func()
	err    error
}

func ask(t *testing.T, p *Places, of ...string) *asker {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a := &asker{cancel: cancel, done: make(chan struct{})}
	before := p.waits()
	go func() {
		a.give, a.err = p.Take(ctx, of...)
		close(a.done)
	}()
	for p.waits() == before && !a.ended() {
		time.Sleep(10 * time.Microsecond)
	}
	return a
}

func (a *asker) ended() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func (p *Places) waits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// fill makes Places with a single place, which is taken.
func fill(t *testing.T, waiting int) (*Places, func()) {
	t.Helper()
	p := New(1, waiting)
	give, err := p.Take(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	return p, give
}

// serve passes the place on until nobody waits, and returns the order.
func serve(t *testing.T, give func(), askers map[string]*asker) (order []string) {
	t.Helper()
	for range askers {
		give()
		found := ""
		for deadline := time.Now().Add(5 * time.Second); found == "" && time.Now().Before(deadline); time.Sleep(10 * time.Microsecond) {
			for name, a := range askers {
				if a.ended() && a.err == nil && !slices.Contains(order, name) {
					found, give = name, a.give
				}
			}
		}
		order = append(order, found)
	}
	give()
	return order
}

func TestNobodyGetsMoreThanAShareWhileOthersWait(t *testing.T) {
	p, give := fill(t, 20)
	all := map[string]*asker{}
	for i := range 6 {
		all[fmt.Sprint("a", i)] = ask(t, p, "network a", fmt.Sprint("account ", i))
	}
	for i := range 3 { // one account, from various places
		all[fmt.Sprint("b", i)] = ask(t, p, fmt.Sprint("network b", i), "account b")
	}
	all["c0"] = ask(t, p, "network c", "account c")
	if got := strings.Join(serve(t, give, all), " "); got != "a0 b0 c0 a1 b1 a2 b2 a3 a4 a5" {
		t.Error(got)
	}
	if p.free != 1 {
		t.Errorf("%d places are free", p.free)
	}
}

// Of two parties who keep coming back, each gets half, however many requests one of them has waiting.
func TestThoseWhoComeBackWaitForTheOthers(t *testing.T) {
	p, give := fill(t, 20)
	all := map[string]*asker{"a0": ask(t, p, "a"), "b0": ask(t, p, "b"), "b1": ask(t, p, "b")}
	order := ""
	for i := range 6 {
		give()
		for name, a := range all {
			<-time.After(time.Millisecond)
			if a.ended() {
				order, give = order+name[:1], a.give
				delete(all, name)
				all[fmt.Sprint(name[:1], 10+i)] = ask(t, p, name[:1])
				break
			}
		}
	}
	if strings.Count(order, "a") != 3 || strings.Contains(order, "bbb") {
		t.Error(order)
	}
}

func TestWhoeverFillsTheQueueKeepsNobodyOut(t *testing.T) {
	p, give := fill(t, 3)
	greedy := []*asker{ask(t, p, "a"), ask(t, p, "a"), ask(t, p, "a")}
	if _, err := p.Take(t.Context(), "a"); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth: %v", err)
	}
	other := make(chan error)
	go func() {
		give, err := p.Take(t.Context(), "b")
		if err == nil {
			give()
		}
		other <- err
	}()
	<-greedy[2].done
	if !errors.Is(greedy[2].err, ErrFull) || greedy[0].ended() || greedy[1].ended() {
		t.Errorf("the last of those waiting: %v", greedy[2].err)
	}
	give()
	<-greedy[0].done
	greedy[0].give()
	if err := <-other; err != nil {
		t.Error(err)
	}
	<-greedy[1].done
}

// A disconnected client leaves the queue immediately, and makes room.
func TestWhoIsGoneLeavesTheQueue(t *testing.T) {
	p, give := fill(t, 2)
	first, second := ask(t, p, "a"), ask(t, p, "a")
	first.cancel()
	<-first.done
	if !errors.Is(first.err, context.Canceled) || p.waits() != 1 {
		t.Errorf("%v, %d wait", first.err, p.waits())
	}
	third := ask(t, p, "a")
	give()
	<-second.done
	second.give()
	<-third.done
	third.give()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Take(gone, "a"); !errors.Is(err, context.Canceled) || p.free != 1 {
		t.Errorf("%v, %d free", err, p.free)
	}
}

// However many come, wait, leave and return: no place is lost, and none is given out twice.
func TestPlacesAreNeitherLostNorGivenTwice(t *testing.T) {
	p := New(3, 5)
	var mu sync.Mutex
	inside, most := 0, 0
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
				give, err := p.Take(ctx, fmt.Sprint(i%4), fmt.Sprint("account ", i))
				if err == nil {
					mu.Lock()
					inside++
					most = max(most, inside)
					mu.Unlock()
					time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
					mu.Lock()
					inside--
					mu.Unlock()
					give()
					give() // has no further effect
				}
				cancel()
			}
		})
	}
	all.Wait()
	if p.free != 3 || p.waits() != 0 || most > 3 {
		t.Errorf("%d free, %d waiting, %d inside at once", p.free, p.waits(), most)
	}
}
