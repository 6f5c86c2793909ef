package models

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// NoteTheft marks the account of a user one of whose refresh tokens was used
// twice: whoever logs in next is told so, until they put it away.
func (m *Users) NoteTheft(ctx context.Context, user bson.ObjectID) error {
	return m.change(ctx, live(bson.E{Key: "_id", Value: user}),
		bson.D{{Key: "$set", Value: bson.D{{Key: "theftAt", Value: m.db.now()}}}})
}

// DismissTheft takes the mark away, if it was there at this time.
func (m *Users) DismissTheft(ctx context.Context, user bson.ObjectID, until time.Time) error {
	return m.change(ctx, live(bson.E{Key: "_id", Value: user}, bson.E{Key: "theftAt", Value: bson.D{{Key: "$lte", Value: until}}}),
		bson.D{{Key: "$unset", Value: bson.D{{Key: "theftAt", Value: ""}}}})
}

func (m *Users) change(ctx context.Context, filter, update bson.D) error {
	_, err := m.users.UpdateOne(ctx, filter, update)
	m.cache.Drop(filter[0].Value.(bson.ObjectID))
	return translate(err)
}

// TheftToTell is when one of the user's tokens was used twice, if this session
// is one that should say so: it began afterwards. A session that was there
// before, and may be the thief's own, neither shows the notice nor puts it away.
func (u *User) TheftToTell(s *Session) *time.Time {
	if u.TheftAt == nil || s == nil || s.CreatedAt.Before(*u.TheftAt) {
		return nil
	}
	return u.TheftAt
}
