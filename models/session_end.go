package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// RevocationReason says why a session was ended.
type RevocationReason string

const (
	LoggedOut       RevocationReason = "logout"
	NewLogin        RevocationReason = "new_login"
	PasswordChanged RevocationReason = "password_changed"
	TokenReused     RevocationReason = "token_reuse"
	EndedByUser     RevocationReason = "ended" // on another device
	TooMany         RevocationReason = "too_many_sessions"
)

const sessionsPerUser = 50

// OfUser lists the user's live sessions, the oldest first.
func (m *Sessions) OfUser(ctx context.Context, user bson.ObjectID) ([]*Session, error) {
	cursor, err := m.sessions.Find(ctx, m.liveOfUser(user), options.Find().SetSort(keys("createdAt")))
	return collect[*Session](ctx, cursor, err)
}

func (m *Sessions) liveOfUser(user bson.ObjectID) bson.D {
	return bson.D{
		{Key: "user", Value: user}, {Key: "revokedAt", Value: absent},
		{Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: m.db.now()}}},
	}
}

// Look loads a session of the user as it stands, also one that is over.
func (m *Sessions) Look(ctx context.Context, user, id bson.ObjectID) (*Session, error) {
	filter := bson.D{{Key: "_id", Value: id}, {Key: "user", Value: user}, {Key: "kind", Value: m.kind}}
	return decode[Session](m.sessions.FindOne(ctx, filter))
}

// EndOthers ends every session of the user but one, and returns those it ended.
func (m *Sessions) EndOthers(ctx context.Context, user, keep bson.ObjectID) ([]*Session, error) {
	all, err := m.OfUser(ctx, user)
	if err != nil {
		return nil, err
	}
	var others []*Session
	for _, s := range all {
		if s.ID != keep {
			others = append(others, s)
		}
	}
	return m.endEach(ctx, others, EndedByUser)
}

// EndOldest ends the oldest sessions of a user who has more than fifty.
func (m *Sessions) EndOldest(ctx context.Context, user bson.ObjectID) ([]*Session, error) {
	all, err := m.OfUser(ctx, user)
	if err != nil {
		return nil, err
	}
	return m.endEach(ctx, all[:max(0, len(all)-sessionsPerUser)], TooMany)
}

func (m *Sessions) endEach(ctx context.Context, sessions []*Session, why RevocationReason) ([]*Session, error) {
	var ended []*Session
	for _, s := range sessions {
		one, err := m.End(ctx, s.User, s.ID, why)
		if apperr.Is(err, apperr.NotFound) {
			continue // it has just ended by itself
		}
		if err != nil {
			return ended, err
		}
		ended = append(ended, one)
	}
	return ended, nil
}

// RevokeAll ends every session of a user.
func (m *Sessions) RevokeAll(ctx context.Context, user bson.ObjectID, why RevocationReason) error {
	all, err := m.OfUser(ctx, user)
	if err != nil {
		return err
	}
	_, err = m.sessions.UpdateMany(ctx, bson.D{{Key: "user", Value: user}, {Key: "revokedAt", Value: absent}}, m.revocation(why))
	for _, s := range all {
		m.cache.Drop(s.ID)
	}
	return translate(err)
}

func (m *Sessions) revocation(why RevocationReason) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: "revokedAt", Value: m.db.now()}, {Key: "revokedFor", Value: why}}}}
}
