package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Purpose is what a link lets its holder do, and nothing else.
type Purpose string

// The purposes of links.
const (
	ResetPassword Purpose = "reset_password"
	SecondStep    Purpose = "second_step" // of a login: in a token, not in a mail
)

// ResetTime is how long a link to a new password is valid.
const ResetTime = 30 * time.Minute

// Link is a token that is sent to somebody's mailbox, to prove that they read it. It has one purpose, is valid once and for
// a short time, and is kept as a hash: who reads the database can open nothing with it.
type Link struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Purpose   Purpose       `bson:"purpose"`
	Hash      []byte        `bson:"hash"`
	Bound     []byte        `bson:"bound"` // a hash of the address and the password that the account had
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// Links are those that are out.
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

// Make makes a link's token, of 130 random bits. Earlier ones stay valid: a mail that is sent twice has two.
func (m *Links) Make(ctx context.Context, u *User, p Purpose, valid time.Duration) (secret string, err error) {
	secret = rand.Text()
	return secret, m.links.Insert(ctx, &Link{
		ID: bson.NewObjectID(), User: u.ID, Purpose: p, Hash: linkHash(secret), Bound: bound(u), ExpiresAt: m.db.Now().Add(valid),
	})
}

// Look finds whose link it is, if it is still valid.
func (m *Links) Look(ctx context.Context, p Purpose, secret string) (*User, error) {
	link, err := m.links.One(ctx, m.valid(p, secret))
	return m.owner(ctx, link, err)
}

// Use is Look, and uses up the link with every other of its owner that has this purpose. Call it within the change that the
// link is for.
func (m *Links) Use(ctx context.Context, p Purpose, secret string) (*User, error) {
	link, err := m.links.Take(ctx, m.valid(p, secret))
	u, err := m.owner(ctx, link, err)
	if err != nil {
		return nil, err
	}
	return u, m.links.DeleteAll(ctx, store.Where("user", u.ID, "purpose", p))
}

func (m *Links) valid(p Purpose, secret string) bson.D {
	return store.Where("hash", linkHash(secret), "purpose", p, "expiresAt", store.Where("$gt", m.db.Now()))
}

// owner is the link's, who has the address and the password that the link was made for, and may log in.
func (m *Links) owner(ctx context.Context, link *Link, err error) (*User, error) {
	if err == nil && link != nil {
		var u *User
		u, err = m.users.ByID(ctx, link.User)
		if err == nil && u.DisabledAt == nil && subtle.ConstantTimeCompare(link.Bound, bound(u)) == 1 {
			return u, nil
		}
	}
	if err != nil && !apperr.Is(err, apperr.NotFound) {
		return nil, err
	}
	return nil, ErrLinkOver()
}

// ErrLinkOver is the error of a link that opens nothing, or nothing any more.
func ErrLinkOver() error {
	return apperr.New(apperr.Invalid, "This link has expired or was already used. Ask for a new one.")
}

func linkHash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func bound(u *User) []byte {
	sum := sha256.Sum256([]byte(u.Email + "\n" + u.PasswordHash))
	return sum[:]
}
