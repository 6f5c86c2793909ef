package models

import (
	"context"
	"errors"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Space is how many bytes the files of a user's posts take, and may take.
type Space struct{ Used, Quota int64 }

// Bounded reports whether there is a quota.
func (s Space) Bounded() bool { return s.Quota > 0 }

// Left is how many more bytes they may take.
func (s Space) Left() int64 {
	if !s.Bounded() {
		return math.MaxInt64
	}
	return max(0, s.Quota-s.Used)
}

// ErrOver is the error for a file that doesn't fit.
func (s Space) ErrOver() error {
	return apperr.New(apperr.TooLarge, "This file doesn’t fit: you have %[2]d MB of your %[1]d MB left. Delete a post with a large file to make room.", s.Quota>>20, s.Left()>>20)
}

// Space returns how much room a user has, according to this copy of the user. Create has the final say.
func (m *Posts) Space(u *User) Space { return Space{u.StoredBytes, m.quota} }

// withinQuota turns a refusal for lack of room into a readable error.
func (m *Posts) withinQuota(ctx context.Context, owner bson.ObjectID, err error) error {
	if !errors.Is(err, store.ErrOverMax) {
		return err
	}
	u, failed := m.users.ByID(ctx, owner)
	if failed != nil {
		return failed
	}
	return m.Space(u).ErrOver()
}
