package models

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

const (
	// ClaimAfter is how long an address belongs to an account that has not confirmed it. Then anybody may register with it.
	ClaimAfter = 7 * 24 * time.Hour
	// UndoTime is how long an address that was replaced can be put back, by a link that was sent to it.
	UndoTime = 7 * 24 * time.Hour
	// formerEmails is how many addresses can be replaced within UndoTime. No change pushes one out: whoever changes an address
	// that isn't theirs can't lose its owner the way back by changing it again.
	formerEmails = 5
	lostDomain   = "@lost.invalid"
)

// FormerEmail is an address that the account had, and that can be put back.
type FormerEmail struct {
	Address string    `bson:"address"`
	Until   time.Time `bson:"until"`
}

// formers are the addresses that can still be put back, the oldest first.
func (u *User) formers(now time.Time) []FormerEmail {
	return slices.DeleteFunc(slices.Clone(u.FormerEmails), func(f FormerEmail) bool { return !now.Before(f.Until) })
}

// before are the former addresses that were there before this one: to go back to it undoes everything since.
func before(formers []FormerEmail, address string) (older []FormerEmail, known bool) {
	i := slices.IndexFunc(formers, func(f FormerEmail) bool { return f.Address == address })
	if i < 0 {
		return formers, false
	}
	return formers[:i], true
}

// claimable tells whether the account has its address only until somebody else wants it. An account without the mark counts
// as confirmed: it is older than confirmations are, or the site couldn't send mail.
func (u *User) claimable(now time.Time) bool {
	return u.UnconfirmedSince != nil && !now.Before(u.UnconfirmedSince.Add(ClaimAfter))
}

// Addresses are the rules of whose an email address is: it is confirmed by a link that was sent to it.
type Addresses struct {
	db     *store.DB
	users  *Users
	events *Events
}

// Register creates an account. One that is going to confirm its address takes it from one that hasn't for a week.
func (m *Addresses) Register(ctx context.Context, u *User) error {
	return m.db.Atomically(ctx, func(ctx context.Context) error {
		if u.UnconfirmedSince != nil {
			if err := m.release(ctx, normalName(u.Email), m.db.Now().Add(-ClaimAfter)); err != nil {
				return err
			}
		}
		return m.users.Create(ctx, u)
	})
}

// release takes an address from the account that has it, if that hasn't confirmed it and has had it since then. The account
// stays, by its username; its owner is told.
func (m *Addresses) release(ctx context.Context, address string, since time.Time) error {
	unconfirmed := store.Where("email", address, "unconfirmedSince", store.Where("$lte", since))
	u, err := m.users.users.One(ctx, unconfirmed)
	if err == nil {
		_, err = m.users.users.Update(ctx, append(store.Where("_id", u.ID), unconfirmed...), bson.D{
			store.Set("email", u.ID.Hex()+lostDomain, "emailLostAt", m.db.Now()), store.Unset("unconfirmedSince"),
		})
	}
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.events.Add(ctx, EventEmailLost, &Session{User: u.ID}, Device{})
}

// Ask notes which address the user wants. It counts when a link that is sent to it is used; until then, the present one does.
// Asking for the present one takes back what was asked for.
func (m *Addresses) Ask(ctx context.Context, u *User, address string, by *Session, d Device) (*User, error) {
	wanted := *u
	wanted.Email, wanted.EmailLostAt = address, nil
	if err := wanted.Check(); err != nil {
		return nil, err
	}
	if wanted.Email == u.Email {
		return m.Cancel(ctx, u.ID)
	}
	if err := m.allowed(u, wanted.Email); err != nil {
		return nil, err
	}
	if err := m.users.checkFree(ctx, "email", wanted.Email, true); err != nil {
		return nil, err
	}
	var after *User
	err := m.db.Atomically(ctx, func(ctx context.Context) (err error) {
		as := store.Where("_id", u.ID, "email", u.Email, "passwordHash", u.PasswordHash)
		if after, err = m.users.users.Update(ctx, as, bson.D{store.Set("newEmail", wanted.Email, "updatedAt", m.db.Now())}); err != nil {
			return err
		}
		return m.events.Add(ctx, EventEmailAsked, by, d)
	})
	return after, err
}

// allowed refuses more changes than there is room for to undo them.
func (m *Addresses) allowed(u *User, address string) error {
	formers := u.formers(m.db.Now())
	if _, back := before(formers, address); !back && len(formers) >= formerEmails {
		return apperr.New(apperr.Conflict, "You have changed your email address %d times within a week. Wait a few days.", formerEmails)
	}
	return nil
}

// Cancel takes back what was asked for. Doing it twice is fine.
func (m *Addresses) Cancel(ctx context.Context, id bson.ObjectID) (*User, error) {
	return m.users.users.Update(ctx, store.Where("_id", id), bson.D{store.Unset("newEmail")})
}

// Confirm makes what a link has proved count: the address that the user has, or the one that they want. It returns the user
// as they are then, and whether the address is another one. Call it within the change that uses the link.
func (m *Addresses) Confirm(ctx context.Context, u *User, address string, d Device) (after *User, changed bool, err error) {
	if address != u.NewEmail {
		after, err = m.users.users.Update(ctx, store.Where("_id", u.ID, "email", address), bson.D{store.Unset("unconfirmedSince")})
		return after, false, err
	}
	if err := m.allowed(u, address); err != nil {
		return nil, false, err
	}
	if err := m.release(ctx, address, m.db.Now().Add(-ClaimAfter)); err != nil {
		return nil, false, err
	}
	formers, back := before(u.formers(m.db.Now()), address)
	if !back && u.UnconfirmedSince == nil && u.EmailLostAt == nil { // one that nobody has confirmed may be a stranger's
		formers = append(formers, FormerEmail{u.Email, m.db.Now().Add(UndoTime)})
	}
	if after, err = m.replace(ctx, u, address, formers); err != nil {
		return nil, false, err
	}
	return after, true, m.events.Add(ctx, EventEmail, &Session{User: u.ID}, d)
}

// PutBack gives the account back an address that a link has proved: the present one, or one that it had before, which undoes
// every change since. Nobody who hasn't confirmed that address can hold it against them.
func (m *Addresses) PutBack(ctx context.Context, u *User, address string) (*User, error) {
	formers := u.formers(m.db.Now())
	if address != u.Email {
		if err := m.release(ctx, address, m.db.Now()); err != nil {
			return nil, err
		}
		formers, _ = before(formers, address)
	}
	return m.replace(ctx, u, address, formers)
}

// replace gives a user who is as they were loaded a confirmed address.
func (m *Addresses) replace(ctx context.Context, u *User, address string, formers []FormerEmail) (*User, error) {
	as := store.Where("_id", u.ID, "email", u.Email)
	if u.NewEmail != "" {
		as = append(as, store.Where("newEmail", u.NewEmail)...)
	}
	return m.users.users.Update(ctx, as, bson.D{
		store.Set("email", address, "formerEmails", formers, "updatedAt", m.db.Now()),
		{Key: "$unset", Value: store.Where("newEmail", "", "unconfirmedSince", "", "emailLostAt", "")},
	})
}

// isPlaceholder tells of an address that stands where an account has none.
func isPlaceholder(address string) bool { return strings.HasSuffix(address, lostDomain) }
