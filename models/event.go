package models

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// EventType says what happened.
type EventType string

const (
	EventTokenReuse     EventType = "token_reuse"      // a replaced refresh token came back: the session was ended
	EventTokenElsewhere EventType = "token_elsewhere"  // within the grace, from another address or browser
	EventLogin          EventType = "login"            //
	EventLogout         EventType = "logout"           //
	EventPassword       EventType = "password_changed" //
)

// Event is something about an account's safety that its owner may want to know.
type Event struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Type      EventType     `bson:"type"`
	Session   bson.ObjectID `bson:"session"`
	UserAgent string        `bson:"userAgent"`
	IP        string        `bson:"ip"`
	CreatedAt time.Time     `bson:"createdAt"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

const eventsKept = 90 * 24 * time.Hour

// Events are the security log.
type Events struct {
	db     *DB
	events Collection
}

// NewEvents registers the events.
func NewEvents(db *DB) *Events {
	return &Events{db: db, events: db.register(entity{
		name:    "events",
		indexes: indexes(index("user", "-_id"), expiry("expiresAt")),
		parents: []parent{{name: "users", field: "user"}},
	})}
}

// Add notes an event of a session.
func (m *Events) Add(ctx context.Context, t EventType, s *Session, d Device) error {
	now := m.db.now()
	_, err := m.events.InsertOne(ctx, Event{
		ID: bson.NewObjectID(), User: s.User, Type: t, Session: s.ID,
		UserAgent: d.UserAgent, IP: d.IP, CreatedAt: now, ExpiresAt: now.Add(eventsKept),
	})
	return translate(err)
}

// Of lists a user's newest events.
func (m *Events) Of(ctx context.Context, user bson.ObjectID, limit int) ([]*Event, error) {
	cursor, err := m.events.Find(ctx, bson.D{{Key: "user", Value: user}}, options.Find().SetSort(keys("-_id")).SetLimit(int64(limit)))
	return collect[*Event](ctx, cursor, err)
}
