package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/token"
)

// Purpose is the one thing that a link lets its holder do.
type Purpose string

// The purposes of links.
const (
	ResetPassword Purpose = "reset_password"
	SecondStep    Purpose = "second_step"   // of a login: in a token, not in an email
	ConfirmEmail  Purpose = "confirm_email" // the account's address, or its new one
	NotMe         Purpose = "not_me"        // in a notice: somebody else did it
)

// valid is how long a link with the purpose is valid.
func (p Purpose) valid() time.Duration {
	return map[Purpose]time.Duration{SecondStep: token.SecondTTL, ResetPassword: 30 * time.Minute, ConfirmEmail: 3 * 24 * time.Hour, NotMe: UndoTime}[p]
}

// Valid is how long, in words.
func (p Purpose) Valid() string {
	if d := p.valid(); d >= 24*time.Hour {
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	}
	return strconv.Itoa(int(p.valid()/time.Minute)) + " minutes"
}

// mailboxes are the addresses whose owner may do this to the account.
func (p Purpose) mailboxes(u *User, now time.Time) (all []string) {
	switch p {
	case SecondStep:
		all = append(all, u.Email) // issued after the password: nothing is sent
	case ResetPassword:
		all = append(all, u.Address())
	case ConfirmEmail:
		if u.UnconfirmedSince != nil {
			all = append(all, u.Email)
		}
		all = append(all, u.NewEmail)
	case NotMe:
		all = append(all, u.Address())
		for _, former := range u.formers(now) {
			all = append(all, former.Address)
		}
	}
	return slices.DeleteFunc(all, func(address string) bool { return address == "" })
}

// bound is a hash of what must not change while the link is valid: the mailbox and, except for NotMe, which exists to
// undo such changes, the account's address and password.
func (p Purpose) bound(u *User, mailbox string) []byte {
	what := u.Email + "\n" + u.PasswordHash
	switch p {
	case ConfirmEmail:
		what = mailbox + "\n" + what
	case NotMe:
		what = mailbox
	}
	sum := sha256.Sum256([]byte(what))
	return sum[:]
}

// Link is a token that is sent to somebody's mailbox, to prove that they can read it. It has one purpose, is valid once
// and for a limited time, and is stored as a hash, so anyone who can read the database can't use it.
type Link struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Purpose   Purpose       `bson:"purpose"`
	Hash      []byte        `bson:"hash"`
	Bound     []byte        `bson:"bound"` // see Purpose.bound
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// Links are the links that have been sent.
type Links struct {
	db    *store.DB
	links *store.Documents[Link]
	users *Users
}

// NewLinks registers the links.
func NewLinks(db *store.DB, users *Users) *Links {
	return &Links{db: db, users: users, links: store.Register[Link](db, store.Kind{
		Name: "links", Essential: true,
		Indexes: []mongo.IndexModel{store.Unique("hash"), store.Index("user", "purpose"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}},
		Export:  store.Export{Not: "hashes of what was sent to the person by mail"},
	})}
}

// Make makes the token (130 random bits) of a link that is sent to the mailbox. Earlier ones stay valid, because an
// email may be sent twice. If the owner of the mailbox may not do this, the result is not found.
func (m *Links) Make(ctx context.Context, u *User, p Purpose, mailbox string) (secret string, err error) {
	if !slices.Contains(p.mailboxes(u, m.db.Now()), mailbox) {
		return "", store.ErrNotFound()
	}
	secret = rand.Text()
	return secret, m.links.Insert(ctx, &Link{
		ID: bson.NewObjectID(), User: u.ID, Purpose: p, Hash: linkHash(secret), Bound: p.bound(u, mailbox), ExpiresAt: m.db.Now().Add(p.valid()),
	})
}

// Look returns whose link it is, if it is still valid, and which mailbox it was sent to.
func (m *Links) Look(ctx context.Context, p Purpose, secret string) (u *User, mailbox string, err error) {
	link, err := m.links.One(ctx, m.valid(p, secret))
	return m.owner(ctx, link, err)
}

// Use is Look, and uses up the link together with all others that were sent to this mailbox for the same purpose. Call
// it within the transaction that applies it.
func (m *Links) Use(ctx context.Context, p Purpose, secret string) (u *User, mailbox string, err error) {
	link, err := m.links.Take(ctx, m.valid(p, secret))
	if u, mailbox, err = m.owner(ctx, link, err); err != nil {
		return nil, "", err
	}
	return u, mailbox, m.links.DeleteAll(ctx, store.Where("user", u.ID, "purpose", p, "bound", link.Bound))
}

func (m *Links) valid(p Purpose, secret string) bson.D {
	return store.Where("hash", linkHash(secret), "purpose", p, "expiresAt", store.Where("$gt", m.db.Now()))
}

// owner loads the link's owner, if they may log in and nothing that the link is bound to has changed.
func (m *Links) owner(ctx context.Context, link *Link, err error) (*User, string, error) {
	if err == nil && link != nil {
		var u *User
		if u, err = m.users.ByID(ctx, link.User); err == nil && u.DisabledAt == nil {
			for _, mailbox := range link.Purpose.mailboxes(u, m.db.Now()) {
				if subtle.ConstantTimeCompare(link.Bound, link.Purpose.bound(u, mailbox)) == 1 {
					return u, mailbox, nil
				}
			}
		}
	}
	if err != nil && !apperr.Is(err, apperr.NotFound) {
		return nil, "", err
	}
	return nil, "", ErrLinkOver()
}

// ErrLinkOver is the error for a link that is invalid or no longer valid.
func ErrLinkOver() error {
	return apperr.New(apperr.Invalid, "This link has expired or was already used. Ask for a new one.")
}

func linkHash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
