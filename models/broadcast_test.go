package models

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"tokentube/models/store"
)

func TestBroadcastsAreHeardOnce(t *testing.T) {
	w, ctx := newWorld(t), watched()
	topic, other := w.user(t, "alice").ID, w.user(t, "bob").ID
	var early Heard
	hears := func(h *Heard, changed bool, want ...string) {
		t.Helper()
		items, is, err := w.Broadcasts.Since(ctx, topic, h)
		var got []string
		for _, item := range items {
			got = append(got, item.Name+item.Data)
		}
		if err != nil || is != changed || !slices.Equal(got, want) {
			t.Errorf("%q, %v, %v, want %q, %v", got, is, err, want, changed)
		}
	}
	send := func(name, data string) {
		t.Helper()
		fatal(t, w.Broadcasts.Send(ctx, topic, News{name, data}))
	}
	hears(&early, false)
	send("", "")
	hears(&early, true)
	hears(&early, false)
	send("step", "1")
	send("wait", "2")
	fatal(t, w.Broadcasts.Send(ctx, other, News{"step", "of something else"}))
	hears(&early, true, "step1", "wait2")
	send("", "")
	hears(&early, true)
	late := Heard{}
	hears(&late, true, "step1", "wait2")
	send("step", "3")
	hears(&late, true, "step3")
	hears(&early, true, "step3")

	// A listener that was away for long misses the oldest.
	for i := range newsKept + 5 {
		send("n", strconv.Itoa(i))
	}
	items, _, err := w.Broadcasts.Since(ctx, topic, &late)
	if err != nil || len(items) != newsKept || items[0].Data != "5" {
		t.Errorf("%d items, %v", len(items), err)
	}
	// A topic that was quiet for long starts over.
	fatal(t, w.Broadcasts.broadcasts.DeleteAll(ctx, store.Where("_id", topic)))
	send("step", "again")
	hears(&late, true, "stepagain")
}

func TestBroadcastsSentAtOnce(t *testing.T) {
	w, ctx := newWorld(t), watched()
	topic := w.user(t, "alice").ID
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if err := w.Broadcasts.Send(ctx, topic, News{"step", strconv.Itoa(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	items, _, err := w.Broadcasts.Since(ctx, topic, &Heard{})
	if err != nil || len(items) != 12 {
		t.Errorf("%v, %v", items, err)
	}
}
