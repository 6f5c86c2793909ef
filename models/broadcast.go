package models

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Broadcast is the latest news of a topic, for listeners in other processes.
type Broadcast struct {
	ID        bson.ObjectID `bson:"_id"` // the topic
	Changes   int64         `bson:"changes"`
	Count     int64         `bson:"count"` // of items sent so far, including dropped ones
	Items     []News        `bson:"items"` // the latest ones
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// News is one item.
type News struct {
	Name string `bson:"name"`
	Data string `bson:"data"` // JSON
}

const (
	newsKept       = 100 // a listener that is further behind misses some
	broadcastsKept = 10 * time.Minute
)

// Broadcasts are the broadcasts of the last minutes.
type Broadcasts struct {
	db         *store.DB
	broadcasts *store.Documents[Broadcast]
}

// NewBroadcasts registers the broadcasts.
func NewBroadcasts(db *store.DB) *Broadcasts {
	return &Broadcasts{db: db, broadcasts: store.Register[Broadcast](db, store.Kind{
		Name:    "broadcasts",
		Indexes: []mongo.IndexModel{store.Expiry("expiresAt")},
		Export:  store.Export{Not: "they expire within minutes and hold steps of the Token lab"},
	})}
}

// Send adds an item to the topic. An item without a name only signals a change.
func (m *Broadcasts) Send(ctx context.Context, topic bson.ObjectID, n News) error {
	doc := &Broadcast{ID: topic, Changes: 1, Items: []News{}, ExpiresAt: m.db.Now().Add(broadcastsKept)}
	update := bson.D{store.Inc("changes", 1), store.Set("expiresAt", doc.ExpiresAt)}
	if n.Name != "" {
		doc.Count, doc.Items = 1, append(doc.Items, n)
		last := store.Where("$each", bson.A{n}, "$slice", -newsKept)
		update = bson.D{{Key: "$inc", Value: store.Where("changes", 1, "count", 1)}, store.Set("expiresAt", doc.ExpiresAt), {Key: "$push", Value: store.Where("items", last)}}
	}
	return m.broadcasts.Put(ctx, store.Where("_id", topic), update, doc)
}

// Heard is a listener's position in a topic.
type Heard struct{ changes, count int64 }

// Since returns the items after h, which it advances, and whether anything has changed.
func (m *Broadcasts) Since(ctx context.Context, topic bson.ObjectID, h *Heard) (items []News, changed bool, err error) {
	b, err := m.broadcasts.ByID(ctx, topic)
	if apperr.Is(err, apperr.NotFound) {
		b, err = &Broadcast{}, nil
	}
	if err != nil || b.Changes == h.changes {
		return nil, false, err
	}
	if b.Count < h.count { // it had expired and started over
		h.count = 0
	}
	fresh := min(b.Count-h.count, int64(len(b.Items)))
	*h = Heard{b.Changes, b.Count}
	return b.Items[int64(len(b.Items))-fresh:], true, nil
}
