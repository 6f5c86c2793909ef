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

// Device is where a request comes from, as far as it says.
type Device struct {
	UserAgent string `bson:"userAgent"`
	IP        string `bson:"ip"`
}

// EventType says what happened.
type EventType string

// The types of events.
const (
	EventTokenReuse     EventType = "token_reuse"      // a replaced refresh token came back: the session was ended
	EventTokenElsewhere EventType = "token_elsewhere"  // within the grace, from another address or browser
	EventLogin          EventType = "login"            //
	EventLoginFailed    EventType = "login_failed"     // a wrong password for this account
	EventLogout         EventType = "logout"           //
	EventSessionEnded   EventType = "session_ended"    // by the user on another device, or by the limit of sessions
	EventPassword       EventType = "password_changed" //
	EventReset          EventType = "password_reset"   // by a link that was sent by mail
	EventEmail          EventType = "email_changed"    //
	EventFactorAdded    EventType = "factor_added"     // About says which
	EventFactorRemoved  EventType = "factor_removed"   //
	EventCodesRenewed   EventType = "recovery_codes_renewed"
	EventCodeUsed       EventType = "recovery_code_used" //
	EventPasskeyCopied  EventType = "passkey_copied"     // its signature counter went back; About says which
	EventSecondFailed   EventType = "second_step_failed" // somebody knows the password, and nothing more
	EventConfirmed      EventType = "confirmed"          // somebody who was logged in proved again who they are
	EventConfirmFailed  EventType = "confirm_failed"     // or could not
	EventEmailAsked     EventType = "email_asked"        // another address was entered, and is not confirmed yet
	EventEmailLost      EventType = "email_lost"         // somebody else claimed the address, which was never confirmed
	EventNewDevice      EventType = "new_device"         // a login from a device that was not seen before
	EventNotMe          EventType = "not_me"             // the owner said so, by the link in a notice
	EventNotMeHere      EventType = "not_me_here"        // or in the settings

	// What a moderator did, in the logs of both: of the owner, and of the moderator.
	EventHidden      EventType = "hidden"
	EventRestored    EventType = "restored"
	EventDisabled    EventType = "disabled"
	EventEnabled     EventType = "enabled"
	EventFactorsLost EventType = "factors_removed" // all second steps of a login
	EventSignedOut   EventType = "signed_out"      // all devices
	EventDismissed   EventType = "dismissed"       // a report: in the moderator's alone
)

// Event is something about an account's safety that its owner may want to know. Renewals are not: they are counted in
// their session.
type Event struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Type      EventType     `bson:"type"`
	Session   bson.ObjectID `bson:"session"`         // zero: of no session
	Ended     *Device       `bson:"ended,omitempty"` // the device that was signed out, where another one did it
	Why       EndReason     `bson:"why,omitempty"`   // and for what reason
	By        bson.ObjectID `bson:"by,omitempty"`    // the moderator who did it
	About     string        `bson:"about,omitempty"` // and to what
	UserAgent string        `bson:"userAgent"`       // who did it; of several, the first
	IP        string        `bson:"ip"`
	Count     int64         `bson:"count"` // how many alike this one stands for
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

// Add notes an event of a session, done by a device. What happens in the Token lab is played, and leaves none.
func (m *Events) Add(ctx context.Context, t EventType, s *Session, d Device) error {
	return m.AddAbout(ctx, t, s, d, "")
}

// AddAbout is Add, and says what it is about.
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

// moderated notes what a moderator did, for them, and for the owner of what they did it to (zero: nobody). The owner doesn't
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

// add writes an event down: mostly in an entry of its own. What a stranger can cause is counted in one entry per hour and
// network, and of one type at most fifty entries are made in a day, after which the rest of the day is counted in one:
// nobody can flood the log.
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
	for range 3 { // of two first ones at once, one is second
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

// AddLater is Add in the background, for what must not make a response slower: the time that a login takes would tell
// which accounts exist. An account that has gone meanwhile needs no event.
func (m *Events) AddLater(t EventType, s *Session, d Device, failed func(error)) {
	m.db.Background(func(ctx context.Context) {
		if err := m.Add(ctx, t, s, d); err != nil && !apperr.Is(err, apperr.NotFound) { // the account may have gone
			failed(err)
		}
	})
}

// common is an id that all processes give to what is counted together.
func common(parts ...string) bson.ObjectID {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return bson.ObjectID(sum[:12])
}

// Page lists a user's events, the latest first.
func (m *Events) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*Event], error) {
	return m.events.Page(ctx, store.Where("user", user), store.Order{"-createdAt", "-_id"}, p)
}
