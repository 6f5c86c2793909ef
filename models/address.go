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
	// ClaimAfter is how long an account can keep an unconfirmed address to itself. After that, anybody may register
	// with it.
	ClaimAfter = 7 * 24 * time.Hour
	// UndoTime is how long a replaced address can be restored, by a link that was sent to it.
	UndoTime = 7 * 24 * time.Hour
	// formerEmails is how many addresses can be replaced within UndoTime. Further changes are refused rather than
	// dropping the oldest: otherwise a thief could cut the owner off by changing the address repeatedly.
	formerEmails = 5
	lostDomain   = "@lost.invalid"
)

// FormerEmail is an address that the account had and that can be restored.
type FormerEmail struct {
	Address string    `bson:"address"`
	Until   time.Time `bson:"until"`
}

// formers are the addresses that can still be restored, oldest first.
func (u *User) formers(now time.Time) []FormerEmail {
	return slices.DeleteFunc(slices.Clone(u.FormerEmails), func(f FormerEmail) bool { return !now.Before(f.Until) })
}

// before are the former addresses that are older than this one: restoring it undoes every change since.
func before(formers []FormerEmail, address string) (older []FormerEmail, known bool) {
	i := slices.IndexFunc(formers, func(f FormerEmail) bool { return f.Address == address })
	if i < 0 {
		return formers, false
	}
	return formers[:i], true
}

// claimable reports whether somebody else may claim the account's address. An account without the mark counts as
// confirmed: it is older than this rule, or the site couldn't send email.
func (u *User) claimable(now time.Time) bool {
	return u.UnconfirmedSince != nil && !now.Before(u.UnconfirmedSince.Add(ClaimAfter))
}

// Addresses are the rules of who owns an email address: it is confirmed by a link that was sent to it.
type Addresses struct {
	db     *store.DB
	users  *Users
	events *Events
}

// Register creates an account. If it has to confirm its address, it can claim the address of an account that hasn't for
// a week.
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

// release takes an address from the account that has it, if it has been unconfirmed since before then. The account
// stays, under its username, and its owner is notified.
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

// Ask records the address that the user wants. It replaces the current one when a link sent to it is used. Asking for
// the current address cancels a pending change.
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

// allowed refuses a change if there is no room left to remember the old address.
func (m *Addresses) allowed(u *User, address string) error {
	formers := u.formers(m.db.Now())
	if _, back := before(formers, address); !back && len(formers) >= formerEmails {
		return apperr.New(apperr.Conflict, "You have changed your email address %d times within a week. Wait a few days.", formerEmails)
	}
	return nil
}

// Cancel cancels a pending change. It is idempotent.
func (m *Addresses) Cancel(ctx context.Context, id bson.ObjectID) (*User, error) {
	return m.users.users.Update(ctx, store.Where("_id", id), bson.D{store.Unset("newEmail")})
}

// Confirm applies what a link has proved: the user's address, or the one they want. It returns the updated user, and
// whether the address changed. Call it within the transaction that uses the link.
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
	if !back && u.UnconfirmedSince == nil && u.EmailLostAt == nil { // an address that was never confirmed may be a stranger's
		formers = append(formers, FormerEmail{u.Email, m.db.Now().Add(UndoTime)})
	}
	if after, err = m.replace(ctx, u, address, formers); err != nil {
		return nil, false, err
	}
	return after, true, m.events.Add(ctx, EventEmail, &Session{User: u.ID}, d)
}

// PutBack restores an address that a link has proved: the current one, or a former one, which undoes every change
// since. An account that holds the address without having confirmed it loses it.
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

// replace gives the user a confirmed address, if they haven't changed since they were loaded.
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

// isPlaceholder reports whether an address only fills the field of an account that has none.
func isPlaceholder(address string) bool { return strings.HasSuffix(address, lostDomain) }
