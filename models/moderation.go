package models

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Suspension records that an account was disabled or enabled until all of its owner's content has followed.
type Suspension struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Times     int64         `bson:"times"`   // how often it was recorded
	Settled   bool          `bson:"settled"` // everything has followed
	CreatedAt time.Time     `bson:"createdAt"`
}

// suspendTogether is how many posts or comments change in one transaction.
const suspendTogether = 50

// Moderation is what administrators do to other people's content.
//
// A disabled account takes effect immediately, however much content it has: Posts.visible and Comments.visible check
// its owner, who is loaded from the cache anyway. Where a list or a count would have to read every document, the change
// follows in the background, like a removal: posts become Suspended and comments CommentSuspended, in batches, each
// with the counts that it changes. So disabling takes as long for one post as for a hundred thousand, no list has gaps,
// and counts are exact.
type Moderation struct {
	db          *store.DB
	users       *Users
	sessions    *Sessions
	events      *Events
	posts       *Posts
	comments    *Comments
	factors     *Factors
	suspensions *store.Documents[Suspension]
}

// NewModeration registers the suspensions.
func NewModeration(db *store.DB, users *Users, sessions *Sessions, events *Events, posts *Posts, comments *Comments, factors *Factors) *Moderation {
	m := &Moderation{db: db, users: users, sessions: sessions, events: events, posts: posts, comments: comments, factors: factors}
	m.suspensions = store.Register[Suspension](db, store.Kind{
		Name:    "suspensions",
		Indexes: []mongo.IndexModel{store.Unique("user"), store.Index("settled")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}},
		Export:  store.Export{Not: "they are work that is under way; that an account was disabled is in its log"},
	})
	db.AtStart(m.resume)
	return m
}

// Moderator is whoever acts: an administrator or, without an id, the command line.
type Moderator struct {
	ID     bson.ObjectID
	Device Device
}

// act makes a change as a moderator. Someone who is no longer an administrator, or is disabled, at that moment changes
// nothing: if two disable each other, only one succeeds.
func (m *Moderation) act(ctx context.Context, by Moderator, do func(ctx context.Context, admin *User) error) error {
	return m.db.Atomically(ctx, func(ctx context.Context) error {
		if by.ID.IsZero() {
			return do(ctx, nil)
		}
		admin, err := m.users.actingAdmin(ctx, by.ID)
		if err != nil {
			return err
		}
		return do(ctx, admin)
	})
}

// Disable disables an account: its sessions end, and its channel and content disappear. It is idempotent.
func (m *Moderation) Disable(ctx context.Context, by Moderator, user bson.ObjectID) error {
	return m.act(ctx, by, func(ctx context.Context, _ *User) error {
		_, err := m.setDisabled(ctx, by, user, true)
		return err
	})
}

// Enable enables it again. Its owner has to log in again.
func (m *Moderation) Enable(ctx context.Context, by Moderator, user bson.ObjectID) error {
	return m.act(ctx, by, func(ctx context.Context, _ *User) error {
		_, err := m.setDisabled(ctx, by, user, false)
		return err
	})
}

func (m *Moderation) setDisabled(ctx context.Context, by Moderator, user bson.ObjectID, disabled bool) (changed bool, err error) {
	if by.ID == user && disabled {
		return false, apperr.New(apperr.Conflict, "You can't disable your own account.")
	}
	if disabled && by.ID.IsZero() {
		if err := m.users.checkOtherAdmins(ctx, user); err != nil {
			return false, err
		}
	}
	u, changed, err := m.users.setDisabled(ctx, user, disabled)
	if err != nil || !changed {
		return false, err
	}
	if err := m.noteSuspension(ctx, user); err != nil {
		return false, err
	}
	event := EventEnabled
	if disabled {
		event = EventDisabled
		if _, err := m.sessions.EndOthers(ctx, user, bson.ObjectID{}, Disabled); err != nil {
			return false, err
		}
	}
	return true, m.events.moderated(ctx, event, by, user, "the account @"+u.Username)
}

// RemoveFactors removes every second step from the login of a user who lost theirs. It returns whose account that was,
// and whether there were any. The password is still required.
func (m *Moderation) RemoveFactors(ctx context.Context, by Moderator, user bson.ObjectID) (u *User, removed bool, err error) {
	err = m.act(ctx, by, func(ctx context.Context, _ *User) error {
		if u, err = m.loginOf(ctx, by, user); err != nil {
			return err
		}
		if removed, err = m.factors.RemoveAll(ctx, user); err != nil || !removed {
			return err
		}
		return m.events.moderated(ctx, EventFactorsLost, by, user, "the account @"+u.Username)
	})
	return u, removed, err
}

// EndSessions signs out every device of a user, and returns how many there were.
func (m *Moderation) EndSessions(ctx context.Context, by Moderator, user bson.ObjectID) (count int, err error) {
	err = m.act(ctx, by, func(ctx context.Context, _ *User) error {
		u, err := m.loginOf(ctx, by, user)
		if err != nil {
			return err
		}
		ended, err := m.sessions.EndOthers(ctx, user, bson.NilObjectID, EndedByAdmin)
		if count = len(ended); err != nil || count == 0 {
			return err
		}
		return m.events.moderated(ctx, EventSignedOut, by, user, "the account @"+u.Username)
	})
	return count, err
}

// loginOf loads a user whose login a moderator changes. On the site, that can't be themselves or another administrator,
// whose account would otherwise be only as secure as the weakest of theirs. The command line may change anybody's.
func (m *Moderation) loginOf(ctx context.Context, by Moderator, user bson.ObjectID) (*User, error) {
	u, err := m.users.ByID(ctx, user)
	switch {
	case err != nil || by.ID.IsZero():
		return u, err
	case by.ID == user:
		return nil, apperr.New(apperr.Conflict, "This is your own account. Use your settings.")
	case u.HasRole(Admin):
		return nil, apperr.New(apperr.Forbidden, "This is an administrator's account. It can only be changed on the command line.")
	}
	return u, nil
}

// noteSuspension records that the user's content must follow.
func (m *Moderation) noteSuspension(ctx context.Context, user bson.ObjectID) error {
	var err error
	for range 3 { // without transactions, one of two concurrent first ones comes second
		_, err = m.suspensions.Update(ctx, store.Where("user", user), bson.D{store.Inc("times", 1), store.Set("settled", false)})
		if apperr.Is(err, apperr.NotFound) {
			err = m.suspensions.Insert(ctx, &Suspension{ID: bson.NewObjectID(), User: user, CreatedAt: m.db.Now()})
		}
		if !apperr.Is(err, apperr.Conflict) {
			break
		}
	}
	if err == nil {
		store.After(ctx, func() { m.settleLater(user) })
	}
	return err
}

// resume continues what an earlier process did not finish.
func (m *Moderation) resume(ctx context.Context) error {
	left, err := m.suspensions.List(ctx, store.Where("settled", false), nil, 0)
	for _, s := range left {
		m.settleLater(s.User)
	}
	return err
}

func (m *Moderation) settleLater(user bson.ObjectID) {
	m.db.Finish("suspension of "+user.Hex(), func(ctx context.Context) error { return m.Settle(ctx, user) })
}

// Settle makes all content of a user follow the state of their account. It may run concurrently, in any number of
// processes: each one that changed something checks the account again afterwards, and continues if its state is
// different.
func (m *Moderation) Settle(ctx context.Context, user bson.ObjectID) error {
	for first := true; ; first = false {
		s, err := m.suspensions.One(ctx, store.Where("user", user))
		switch {
		case apperr.Is(err, apperr.NotFound) && first:
			return nil // settled or removed
		case apperr.Is(err, apperr.NotFound): // another one finished before the one that this one changed
			return ifThere(m.noteSuspension(ctx, user))
		}
		if err != nil {
			return err
		}
		u, err := m.users.ByID(ctx, user)
		if err != nil {
			return ifThere(err)
		}
		disabled := u.DisabledAt != nil
		err = m.follow(ctx, user, disabled)
		if err == nil {
			err = m.users.while(ctx, user, disabled)
		}
		if err == nil {
			return ifThere(m.settled(ctx, s, disabled))
		}
		if !apperr.Is(err, apperr.NotFound) { // disabled or enabled again in the meantime
			return err
		}
	}
}

// ifThere ignores the error if the document is gone.
func ifThere(err error) error {
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	return err
}

// follow changes the user's posts and comments, in batches, as long as the account's state stays the same.
func (m *Moderation) follow(ctx context.Context, user bson.ObjectID, disabled bool) error {
	for _, suspend := range []func(context.Context, bson.ObjectID, bool, int) (int, error){m.posts.suspend, m.comments.suspend} {
		for n := suspendTogether; n == suspendTogether; {
			err := m.db.Atomically(ctx, func(ctx context.Context) (err error) {
				if err = m.users.while(ctx, user, disabled); err == nil {
					n, err = suspend(ctx, user, disabled, suspendTogether)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// settled records that everything has followed, unless there is a newer change. An enabled account no longer needs a
// record.
func (m *Moderation) settled(ctx context.Context, s *Suspension, disabled bool) error {
	asRead := store.Where("_id", s.ID, "times", s.Times)
	if disabled {
		_, err := m.suspensions.Update(ctx, asRead, bson.D{store.Set("settled", true)})
		return err
	}
	_, err := m.suspensions.Delete(ctx, asRead)
	return err
}
