package models

import (
	"context"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/cache"
	"tokentube/utils/token"
)

// User is an account and its channel. It is never an answer to a request: it
// holds the password's hash (see controllers.User).
type User struct {
	ID                 bson.ObjectID `bson:"_id"`
	Username           string        `bson:"username" validate:"username"`
	Email              string        `bson:"email" validate:"required,max=254,email"`
	FullName           string        `bson:"fullName" validate:"required,max=80,line"`
	Bio                string        `bson:"bio" validate:"max=500,text"`
	Avatar             string        `bson:"avatar"`     // names of stored files
	CoverImage         string        `bson:"coverImage"` //
	PasswordHash       string        `bson:"passwordHash"`
	Roles              []string      `bson:"roles"`
	SubscribersCount   int64         `bson:"subscribersCount"`
	SubscriptionsCount int64         `bson:"subscriptionsCount"`
	PostsCount         int64         `bson:"postsCount"`        // published ones
	TheftAt            *time.Time    `bson:"theftAt,omitempty"` // see NoteTheft
	DisabledAt         *time.Time    `bson:"disabledAt,omitempty"`
	DeletedAt          *time.Time    `bson:"deletedAt,omitempty"`
	CreatedAt          time.Time     `bson:"createdAt"`
	UpdatedAt          time.Time     `bson:"updatedAt"`
}

// GenerateAccessToken makes the short-lived token that a request is let in by.
// It says who the user is, and names the session and the refresh token that it
// was made with, which is how a session notices that its newest refresh token
// has arrived.
func (u *User) GenerateAccessToken(tokens *token.Tokens, s *Session, now time.Time) (string, error) {
	return tokens.Access.Sign(token.Claims{
		UserID:    u.ID.Hex(),
		Email:     u.Email,
		Username:  u.Username,
		FullName:  u.FullName,
		Roles:     s.rolesOf(u),
		SessionID: s.ID.Hex(),
		RefreshID: s.Current.ID,
		Subject:   u.ID.Hex(),
		ID:        token.NewID(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(tokens.Access.TTL)),
	})
}

// GenerateRefreshToken makes the long-lived token that a new access token is
// made from. All that it says is kept in the session, so that the same token can
// be made again for a browser that did not get it (see Sessions.Rotate).
func (u *User) GenerateRefreshToken(tokens *token.Tokens, s *Session) (string, error) {
	return tokens.Refresh.Sign(token.Claims{
		UserID:    u.ID.Hex(),
		SessionID: s.ID.Hex(),
		Subject:   u.ID.Hex(),
		ID:        s.Current.ID,
		IssuedAt:  jwt.NewNumericDate(s.Current.IssuedAt),
		ExpiresAt: jwt.NewNumericDate(s.Current.ExpiresAt),
	})
}

// Users are the accounts.
type Users struct {
	db    *DB
	users Collection
	cache *cache.Cache[bson.ObjectID, *User]
}

// ByLogin finds the user that a login names by username or e-mail address. A
// username has no "@", so that no name can be taken for another's address.
func (m *Users) ByLogin(ctx context.Context, identifier string) (*User, error) {
	identifier = normalName(identifier)
	field := "username"
	if strings.Contains(identifier, "@") {
		field = "email"
	}
	return decode[User](m.users.FindOne(ctx, live(bson.E{Key: field, Value: identifier})))
}

// ByID loads a user, past every cache.
func (m *Users) ByID(ctx context.Context, id bson.ObjectID) (*User, error) {
	return decode[User](m.users.FindOne(ctx, live(bson.E{Key: "_id", Value: id})))
}

// Cached is ByID, up to five seconds old in processes other than the one that
// made a change. The user is shared: do not change it.
func (m *Users) Cached(ctx context.Context, id bson.ObjectID) (*User, error) {
	return m.cache.Get(id, func() (*User, error) { return m.ByID(ctx, id) })
}
