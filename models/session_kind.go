package models

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/cache"
)

// SessionKind keeps the sessions of the site and those of the token lab apart:
// the tokens of one kind open nothing of the other.
type SessionKind string

const (
	Web SessionKind = "web"
	Lab SessionKind = "lab" // without its user's roles
)

// SessionPolicy is how long sessions and their tokens live.
type SessionPolicy struct {
	RefreshTTL time.Duration // the idle limit, renewed at each rotation
	Grace      time.Duration
	MaxAge     time.Duration // the absolute limit
}

// NewSessions registers the sessions.
func NewSessions(db *DB, policy SessionPolicy) *Sessions {
	return &Sessions{
		db: db, kind: Web, policy: policy,
		sessions: db.register(entity{
			name:    "sessions",
			indexes: indexes(index("user", "createdAt"), expiry("expiresAt")),
			parents: []parent{{name: "users", field: "user"}},
		}),
		cache: cache.New[bson.ObjectID, *Session](cachedFor, 10_000, db.clock),
	}
}

// OfKind are the sessions of another kind, in the same collection. Listing and ending
// them is common to all kinds.
func (m *Sessions) OfKind(kind SessionKind, policy SessionPolicy) *Sessions {
	other := *m
	other.kind, other.policy = kind, policy
	return &other
}

// rolesOf are the roles that tokens of the session give their user.
func (s *Session) rolesOf(u *User) []string {
	if s.Kind == Lab {
		return []string{}
	}
	return u.Roles
}
