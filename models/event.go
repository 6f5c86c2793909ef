package models

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Device is where a request comes from, as far as it says.
type Device struct {
	UserAgent string `bson:"userAgent"`
	IP        string `bson:"ip"`
}

// EventType says what happened.
type EventType string

const (
	EventTokenReuse     EventType = "token_reuse"      // a replaced refresh token came back: the session was ended
	EventTokenElsewhere EventType = "token_elsewhere"  // within the grace, from another address or browser
	EventLogin          EventType = "login"            //
	EventLoginFailed    EventType = "login_failed"     // a wrong password for this account
	EventLogout         EventType = "logout"           //
	EventSessionEnded   EventType = "session_ended"    // by the user on another device, or by the limit of sessions
	EventPassword       EventType = "password_changed" //
	EventEmail          EventType = "email_changed"    //
)

// Event is something about an account's safety that its owner may want to know.
// Renewals are none: they are counted in their session.
type Event struct {
	ID        bson.ObjectID    `bson:"_id"`
	User      bson.ObjectID    `bson:"user"`
	Type      EventType        `bson:"type"`
	Session   bson.ObjectID    `bson:"session"`         // zero: of no session
	Ended     *Device          `bson:"ended,omitempty"` // the device that was signed out, where another one did it
	Why       RevocationReason `bson:"why,omitempty"`   // and for what reason
	UserAgent string           `bson:"userAgent"`       // who did it; of several, the first
	IP        string           `bson:"ip"`
	Count     int64            `bson:"count"` // how many alike this one stands for
	CreatedAt time.Time        `bson:"createdAt"`
	LastAt    time.Time        `bson:"lastAt"` // of several, the last
	ExpiresAt time.Time        `bson:"expiresAt"`
}

const (
	eventsKept   = 90 * 24 * time.Hour
	eventsPerDay = 50 // of one type in one account
)

// Events are the security log.
type Events struct {
	db     *DB
	events Collection
}

// NewEvents registers the events.
func NewEvents(db *DB) *Events {
	return &Events{db: db, events: db.register(entity{
		name:    "events",
		indexes: indexes(index("user", "-createdAt", "-_id"), index("user", "type", "createdAt"), expiry("expiresAt")),
		parents: []parent{{name: "users", field: "user"}},
	})}
}

// Add notes an event of a session, done by a device. What happens in the token
// lab is played, and leaves none.
func (m *Events) Add(ctx context.Context, t EventType, s *Session, d Device) error {
	if s.Kind == Lab {
		return nil
	}
	now := m.db.now()
	id, err := m.place(ctx, t, s.User, d, now)
	if err != nil {
		return err
	}
	first := bson.D{
		{Key: "user", Value: s.User}, {Key: "type", Value: t}, {Key: "session", Value: s.ID},
		{Key: "userAgent", Value: d.UserAgent}, {Key: "ip", Value: d.IP}, {Key: "createdAt", Value: now},
	}
	if t == EventSessionEnded {
		first = append(first, bson.E{Key: "ended", Value: Device{s.UserAgent, s.IP}}, bson.E{Key: "why", Value: s.RevokedFor})
	}
	update := bson.D{
		{Key: "$setOnInsert", Value: first},
		{Key: "$inc", Value: bson.D{{Key: "count", Value: int64(1)}}},
		{Key: "$set", Value: bson.D{{Key: "lastAt", Value: now}, {Key: "expiresAt", Value: now.Add(eventsKept)}}},
	}
	for range 3 { // of two first ones at once, the second may be refused
		_, err = m.events.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, update, options.UpdateOne().SetUpsert(true))
		if !mongo.IsDuplicateKeyError(err) {
			break
		}
	}
	return translate(err)
}

// AddLater is Add in the background, for what must not make an answer slower:
// the time that a login takes would tell which accounts exist.
func (m *Events) AddLater(t EventType, s *Session, d Device, failed func(error)) {
	m.db.jobs.Go(func() {
		if err := m.Add(m.db.working, t, s, d); err != nil {
			failed(err)
		}
	})
}

// place is where an event is written down: mostly in an entry of its own. What a
// stranger can cause is counted in one entry per hour and network, and of one
// type at most fifty entries are made in a day, after which the rest of the day
// is counted in one: nobody can flood the log.
func (m *Events) place(ctx context.Context, t EventType, user bson.ObjectID, d Device, now time.Time) (bson.ObjectID, error) {
	today := bson.D{
		{Key: "user", Value: user}, {Key: "type", Value: t},
		{Key: "createdAt", Value: bson.D{{Key: "$gt", Value: now.Add(-24 * time.Hour)}}},
	}
	n, err := m.events.CountDocuments(ctx, today)
	switch {
	case err != nil:
		return bson.ObjectID{}, translate(err)
	case n >= eventsPerDay:
		return common(user.Hex(), string(t), "all", now.Format(time.DateOnly)), nil
	case t == EventLoginFailed, t == EventTokenElsewhere:
		return common(user.Hex(), string(t), network(d.IP), now.Format("2006-01-02 15")), nil
	}
	return bson.NewObjectID(), nil
}

// common is an id that all processes give to what is counted together.
func common(parts ...string) bson.ObjectID {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return bson.ObjectID(sum[:12])
}

// network is as much of an address as one person or company usually has.
func network(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	address = address.Unmap().WithZone("")
	bits := 48
	if address.Is4() {
		bits = 24
	}
	prefix, _ := address.Prefix(bits)
	return prefix.String()
}

// List answers a page of a user's events, the newest first, and the cursor of
// the next page, empty where there is none.
func (m *Events) List(ctx context.Context, user bson.ObjectID, after string, limit int) ([]*Event, string, error) {
	past, err := parseCursor(after)
	if err != nil {
		return nil, "", err
	}
	events, err := m.page(ctx, bson.D{{Key: "user", Value: user}}, past, limit+1)
	if err != nil || len(events) <= limit {
		return events, "", err
	}
	last := events[limit-1]
	return events[:limit], cursor{last.CreatedAt, last.ID}.String(), nil
}

func (m *Events) page(ctx context.Context, filter bson.D, past *cursor, limit int) ([]*Event, error) {
	if past == nil {
		return m.find(ctx, filter, limit)
	}
	// First what shares the last one's moment, then what was before it.
	same := with(with(filter, "createdAt", past.time), "_id", bson.D{{Key: "$lt", Value: past.id}})
	events, err := m.find(ctx, same, limit)
	if err != nil || len(events) == limit {
		return events, err
	}
	rest, err := m.find(ctx, with(filter, "createdAt", bson.D{{Key: "$lt", Value: past.time}}), limit-len(events))
	return append(events, rest...), err
}

func (m *Events) find(ctx context.Context, filter bson.D, limit int) ([]*Event, error) {
	cursor, err := m.events.Find(ctx, filter, options.Find().SetSort(keys("-createdAt", "-_id")).SetLimit(int64(limit)))
	return collect[*Event](ctx, cursor, err)
}
