package models

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.mongodb.org/mongo-driver/v2/bson"

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
