package models

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/ratelimit"
)

// Device is where a request comes from, as far as it reveals that.
type Device struct {
	UserAgent string `bson:"userAgent"`
	IP        string `bson:"ip"`
}

// EventType says what happened.
type EventType string

// The types of events.
const (
	EventTokenReuse     EventType = "token_reuse"      // a replaced refresh token was used again: the session ended
	EventTokenElsewhere EventType = "token_elsewhere"  // within the grace period, from another address or browser
	EventLogin          EventType = "login"            //
	EventLoginFailed    EventType = "login_failed"     // a wrong password for this account
	EventLogout         EventType = "logout"           //
	EventSessionEnded   EventType = "session_ended"    // by the user on another device, or by the limit on sessions
	EventPassword       EventType = "password_changed" //
	EventReset          EventType = "password_reset"   // by an emailed link
	EventEmail          EventType = "email_changed"    //
	EventFactorAdded    EventType = "factor_added"     // About says which
	EventFactorRemoved  EventType = "factor_removed"   //
	EventCodesRenewed   EventType = "recovery_codes_renewed"
	EventCodeUsed       EventType = "recovery_code_used" //
	EventPasskeyCopied  EventType = "passkey_copied"     // its signature counter went back; About says which
	EventSecondFailed   EventType = "second_step_failed" // somebody knows the password, but not the second step
	EventConfirmed      EventType = "confirmed"          // somebody who was logged in confirmed who they are
	EventConfirmFailed  EventType = "confirm_failed"     // or failed to
	EventEmailAsked     EventType = "email_asked"        // another address was entered and is not confirmed yet
	EventEmailLost      EventType = "email_lost"         // somebody else claimed the address, which was never confirmed
	EventNewDevice      EventType = "new_device"         // a login from a device not seen before
	EventNotMe          EventType = "not_me"             // the owner said so, through the link in a notice
	EventNotMeHere      EventType = "not_me_here"        // or in the settings

	// What a moderator did, in both logs: the owner's and the moderator's.
	EventHidden      EventType = "hidden"
	EventRestored    EventType = "restored"
	EventDisabled    EventType = "disabled"
	EventEnabled     EventType = "enabled"
	EventFactorsLost EventType = "factors_removed" // all second steps of a login
	EventSignedOut   EventType = "signed_out"      // all devices
	EventDismissed   EventType = "dismissed"       // a report: only in the moderator's log
)

// Event is something concerning an account's security that its owner may want to know. Renewals aren't events: they are
// counted in their session.
type Event struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Type      EventType     `bson:"type"`
	Session   bson.ObjectID `bson:"session"`         // zero: none
	Ended     *Device       `bson:"ended,omitempty"` // the device that was signed out, if another one did it
	Why       EndReason     `bson:"why,omitempty"`   // and the reason
	By        bson.ObjectID `bson:"by,omitempty"`    // the moderator who did it
	About     string        `bson:"about,omitempty"` // and what it was about
	UserAgent string        `bson:"userAgent"`       // of whoever did it; of several, the first
	IP        string        `bson:"ip"`
	Count     int64         `bson:"count"` // how many identical events this one stands for
	CreatedAt time.Time     `bson:"createdAt"`
	LastAt    time.Time     `bson:"lastAt"` // of several, the last
	ExpiresAt time.Time     `bson:"expiresAt"`
}

const (
	eventsKept   = 90 * 24 * time.Hour
	eventsPerDay = 50 // of one type in one account
)

// Events are the security log.
type Events struct {
	db     *store.DB
	events *store.Documents[Event]
}

// NewEvents registers the events.
func NewEvents(db *store.DB) *Events {
	return &Events{db: db, events: store.Register[Event](db, store.Kind{
		Name: "events", Essential: true,
		Indexes: []mongo.IndexModel{store.Index("user", "-createdAt", "-_id"), store.Index("user", "type", "createdAt"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}},
		Loose:   map[string]string{"session": "the log tells of sessions that are over", "by": "the log tells of moderators who are gone"},
		Export: store.Export{By: "user", Order: store.Order{"-createdAt", "-_id"}, Fields: []string{
			"type", "about", "userAgent", "ip", "ended", "why", "count", "createdAt", "lastAt",
		}},
	})}
}

// Add records an event of a session, caused by a device. The Token lab's sessions are not real, so they leave none.
func (m *Events) Add(ctx context.Context, t EventType, s *Session, d Device) error {
	return m.AddAbout(ctx, t, s, d, "")
}

// AddAbout is Add with the thing that the event is about.
func (m *Events) AddAbout(ctx context.Context, t EventType, s *Session, d Device, about string) error {
	if s.Kind == Lab {
		return nil
	}
	now := m.db.Now()
	e := Event{
		User: s.User, Type: t, Session: s.ID, About: about, UserAgent: d.UserAgent, IP: d.IP, Count: 1,
		CreatedAt: now, LastAt: now, ExpiresAt: now.Add(eventsKept),
	}
	if t == EventSessionEnded {
		e.Ended, e.Why = &Device{s.UserAgent, s.IP}, s.EndedFor
	}
	return m.db.Atomically(ctx, func(ctx context.Context) error { return m.add(ctx, e) })
}

// moderated records a moderator's action in their own log and in that of the owner (zero: nobody). The owner doesn't
// learn where the moderator was.
func (m *Events) moderated(ctx context.Context, t EventType, by Moderator, owner bson.ObjectID, about string) error {
	now := m.db.Now()
	event := func(user bson.ObjectID) *Event {
		return &Event{
			ID: bson.NewObjectID(), User: user, Type: t, By: by.ID, About: about, Count: 1,
			CreatedAt: now, LastAt: now, ExpiresAt: now.Add(eventsKept),
		}
	}
	if !by.ID.IsZero() {
		e := event(by.ID)
		e.UserAgent, e.IP = by.Device.UserAgent, by.Device.IP
		if err := m.events.Insert(ctx, e); err != nil {
			return err
		}
	}
	if owner.IsZero() || owner == by.ID {
		return nil
	}
	return m.events.Insert(ctx, event(owner))
}

// add writes an event, usually as a separate entry. Events that strangers can cause are counted in one entry per hour
// and network. After fifty entries of one type in a day, the rest of the day is counted in one more. So nobody can
// flood the log.
func (m *Events) add(ctx context.Context, e Event) error {
	today := store.Where("user", e.User, "type", e.Type, "createdAt", store.Where("$gt", e.CreatedAt.Add(-24*time.Hour)))
	n, err := m.events.Count(ctx, today, eventsPerDay)
	if err != nil {
		return err
	}
	switch {
	case n >= eventsPerDay:
		e.ID = common(e.User.Hex(), string(e.Type), "all", e.CreatedAt.Format(time.DateOnly))
	case e.Type == EventLoginFailed, e.Type == EventSecondFailed, e.Type == EventConfirmFailed, e.Type == EventTokenElsewhere:
		e.ID = common(e.User.Hex(), string(e.Type), ratelimit.Network(e.IP), e.CreatedAt.Format("2006-01-02 15"))
	default:
		e.ID = bson.NewObjectID()
		return m.events.Insert(ctx, &e)
	}
	for range 3 { // of two concurrent first events, one comes second
		_, err = m.events.Update(ctx, store.Where("_id", e.ID), bson.D{store.Inc("count", 1), store.Set("lastAt", e.LastAt, "expiresAt", e.ExpiresAt)})
		if !apperr.Is(err, apperr.NotFound) {
			return err
		}
		if err = m.events.Insert(ctx, &e); !apperr.Is(err, apperr.Conflict) {
			return err
		}
	}
	return err
}

// AddLater is Add in the background, for events that must not slow a response down: the time that a login takes would
// reveal which accounts exist. An account that is deleted in the meantime needs no event.
func (m *Events) AddLater(t EventType, s *Session, d Device, failed func(error)) {
	m.db.Background(func(ctx context.Context) {
		if err := m.Add(ctx, t, s, d); err != nil && !apperr.Is(err, apperr.NotFound) { // the account may be gone
			failed(err)
		}
	})
}

// common is an id that all processes derive for events that are counted together.
func common(parts ...string) bson.ObjectID {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return bson.ObjectID(sum[:12])
}

// Page lists a user's events, latest first.
func (m *Events) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*Event], error) {
	return m.events.Page(ctx, store.Where("user", user), store.Order{"-createdAt", "-_id"}, p)
}
