package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/media"
)

// mongoWorld is a database of channels, their items (visible ones are counted) and their followers.
type mongoWorld struct {
	t *testing.T
	*store.DB
	channels  *store.Documents[mongoChannel]
	items     *store.Documents[mongoItem]
	followers *store.Relation
	ids       []bson.ObjectID // of the channels

	mu       sync.Mutex
	acked    map[bson.ObjectID]bson.ObjectID // items, as last acknowledged: their channel, or none once deleted
	conflict int                             // how many changes were told to retry
}

type mongoChannel struct {
	ID        bson.ObjectID `bson:"_id"`
	Items     int64         `bson:"items"`
	Followers int64         `bson:"followers"`
	Followed  int64         `bson:"followed"`
}

type mongoItem struct {
	ID      bson.ObjectID `bson:"_id"`
	Channel bson.ObjectID `bson:"channel"`
	Visible bool          `bson:"visible"`
}

// mongoNoFiles stores no files.
type mongoNoFiles struct{}

func (mongoNoFiles) Delete(context.Context, ...string) error                    { return nil }
func (mongoNoFiles) Each(context.Context, string, func(media.Info) error) error { return nil }
func (mongoNoFiles) Exists(context.Context, string) (bool, error)               { return true, nil }
func (mongoNoFiles) Local() bool                                                { return true }
func (mongoNoFiles) RemoveDrafts(context.Context, time.Time) (removed, young int, err error) {
	return 0, 0, nil
}

// newMongoWorld is on the MongoDB of MONGODB_URI if that is set, and otherwise on the embedded engine.
func newMongoWorld(t *testing.T) *mongoWorld {
	t.Helper()
	s := store.Settings{
		MongoURI: os.Getenv("MONGODB_URI"), MongoDatabase: "test_" + bson.NewObjectID().Hex(),
		File: filepath.Join(t.TempDir(), "test.db"), Files: mongoNoFiles{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	db, err := store.Open(t.Context(), s)
	mongoCheck(t, err)
	t.Cleanup(func() {
		mongoCheck(t, db.Close(context.Background()))
		if s.MongoURI != "" {
			mongoDrop(t, s)
		}
	})
	w := &mongoWorld{t: t, DB: db, acked: map[bson.ObjectID]bson.ObjectID{}}
	w.channels = store.Register[mongoChannel](db, store.Kind{Name: "channels"})
	w.items = store.Register[mongoItem](db, store.Kind{Name: "items", Indexes: []mongo.IndexModel{store.Index("channel")}, Parents: []store.Parent{
		{Kind: "channels", Field: "channel", Counter: "items", If: bson.E{Key: "visible", Value: true}},
	}})
	w.followers = store.NewRelation(db, "followers",
		store.Parent{Kind: "channels", Counter: "followed"}, store.Parent{Kind: "channels", Counter: "followers"})
	mongoCheck(t, db.Prepare(t.Context()))
	for range 5 {
		c := &mongoChannel{ID: bson.NewObjectID()}
		mongoCheck(t, w.channels.Insert(t.Context(), c))
		w.ids = append(w.ids, c.ID)
	}
	return w
}

func mongoDrop(t *testing.T, s store.Settings) {
	client, err := mongo.Connect(options.Client().ApplyURI(s.MongoURI))
	mongoCheck(t, err)
	mongoCheck(t, client.Database(s.MongoDatabase).Drop(context.Background()))
	mongoCheck(t, client.Disconnect(context.Background()))
}

// Many goroutines change the same few documents, one of which is removed in the meantime, and some changes fail on the
// server: each change is applied completely or not at all, and every count is exact, without a repair.
func TestMongoCountsAreExact(t *testing.T) {
	w := newMongoWorld(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var mine []bson.ObjectID
			for range 30 {
				mine = w.change(mine)
			}
		})
	}
	gone := w.ids[0]
	all.Go(func() { w.must(func() error { return w.channels.Remove(t.Context(), gone, nil) }) })
	all.Wait()
	w.WaitRemovals()
	t.Logf("%d items, %d changes were told to try again", len(w.acked), w.conflict)
	w.checkItems(gone)
	done, err := w.Repair(t.Context(), store.Repair{Say: func(format string, args ...any) { t.Errorf(format, args...) }})
	if err != nil || done != (store.Repaired{}) {
		t.Errorf("%+v, %v", done, err)
	}
}

// change makes one change of any kind, and returns the existing items.
func (w *mongoWorld) change(mine []bson.ObjectID) []bson.ObjectID {
	ctx, channel := w.t.Context(), w.ids[rand.IntN(len(w.ids))]
	kind := rand.IntN(5)
	if len(mine) == 0 && kind < 3 {
		kind = 0
	}
	switch kind {
	case 0:
		item := &mongoItem{ID: bson.NewObjectID(), Channel: channel, Visible: rand.IntN(2) == 0}
		if w.try(func() error { return w.items.Insert(ctx, item) }) {
			w.note(item.ID, channel)
			mine = append(mine, item.ID)
		}
	case 1: // shows or hides it
		w.must(func() error {
			_, err := w.items.Update(ctx, store.Where("_id", mine[0]), bson.D{store.Set("visible", rand.IntN(2) == 0)})
			return err
		})
	case 2:
		w.must(func() error { _, err := w.items.Delete(ctx, store.Where("_id", mine[0])); return err })
		w.note(mine[0], bson.ObjectID{})
		return mine[1:]
	case 3:
		w.must(func() error { return w.followers.Add(ctx, w.ids[rand.IntN(len(w.ids))], channel) })
	case 4:
		w.must(func() error { return w.followers.Remove(ctx, w.ids[rand.IntN(len(w.ids))], channel) })
	}
	return mine
}

func (w *mongoWorld) note(item, channel bson.ObjectID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[item] = channel
}

// try makes a change and reports whether it was acknowledged. Its parent may be gone, and a server may be too busy.
func (w *mongoWorld) try(change func() error) bool {
	err := change()
	switch {
	case err == nil:
		return true
	case apperr.Is(err, apperr.Unavailable):
		w.mu.Lock()
		w.conflict++
		w.mu.Unlock()
	case !apperr.Is(err, apperr.NotFound):
		w.t.Error(err)
	}
	return false
}

// must makes a change until it is acknowledged or its parent is gone.
func (w *mongoWorld) must(change func() error) {
	for range 20 {
		err := change()
		if err == nil || apperr.Is(err, apperr.NotFound) {
			return
		}
		w.try(func() error { return err })
	}
	w.t.Error("a change does not succeed")
}

// checkItems compares the existing items with the acknowledged ones. An item in doubt may exist or not.
func (w *mongoWorld) checkItems(gone bson.ObjectID) {
	w.t.Helper()
	there := map[bson.ObjectID]bool{}
	counts := map[bson.ObjectID]int64{}
	mongoCheck(w.t, w.items.All(w.t.Context(), bson.D{}, func(i *mongoItem) error {
		there[i.ID] = true
		if i.Channel == gone {
			return fmt.Errorf("item %s hangs on a channel that is gone", i.ID.Hex())
		}
		if i.Visible {
			counts[i.Channel]++
		}
		return nil
	}))
	for _, id := range w.ids[1:] {
		channel, err := w.channels.ByID(w.t.Context(), id)
		mongoCheck(w.t, err)
		if channel.Items != counts[id] {
			w.t.Errorf("a channel has %d items, counted as %d", counts[id], channel.Items)
		}
	}
	for id, channel := range w.acked {
		if should := !channel.IsZero() && channel != gone; there[id] != should {
			w.t.Errorf("item %s is there: %v, acknowledged as %v", id.Hex(), there[id], should)
		}
	}
}
