package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Blocks record who has blocked whom. Blocked people aren't told: refusals name nobody, and everything else looks as
// before.
type Blocks struct {
	blocks *store.Relation
	users  *Users
	ends   []func(ctx context.Context, user, blocked bson.ObjectID) error // see Ends
}

// NewBlocks registers the blocks.
func NewBlocks(db *store.DB, users *Users) *Blocks {
	user := store.Parent{Kind: "users", Counter: "blocksCount", Max: 1000, Full: "You can block at most 1,000 people. Unblock someone first."}
	return &Blocks{users: users, blocks: store.NewRelation(db, "blocks", user, store.Parent{Kind: "users"})}
}

// Ends registers what a block ends, in the same transaction.
func (m *Blocks) Ends(end func(ctx context.Context, user, blocked bson.ObjectID) error) {
	m.ends = append(m.ends, end)
}

// Add lets a user block another one. It is idempotent.
func (m *Blocks) Add(ctx context.Context, user, blocked bson.ObjectID) error {
	if user == blocked {
		return apperr.New(apperr.Conflict, "You can't block yourself.")
	}
	if _, err := m.users.Cached(ctx, blocked); err != nil {
		return err
	}
	return m.blocks.AddWith(ctx, user, blocked, func(ctx context.Context) error {
		for _, end := range m.ends {
			if err := end(ctx, user, blocked); err != nil {
				return err
			}
		}
		return nil
	})
}

// Remove ends a block. It is idempotent. Whatever the block ended stays ended.
func (m *Blocks) Remove(ctx context.Context, user, blocked bson.ObjectID) error {
	if _, err := m.users.Cached(ctx, blocked); err != nil {
		return err
	}
	return m.blocks.Remove(ctx, user, blocked)
}

// Of returns which of the others the user has blocked.
func (m *Blocks) Of(ctx context.Context, user bson.ObjectID, others []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	return m.blocks.Of(ctx, user, others)
}

// By returns which of the others have blocked the user.
func (m *Blocks) By(ctx context.Context, others []bson.ObjectID, user bson.ObjectID) (map[bson.ObjectID]bool, error) {
	return m.blocks.By(ctx, others, user)
}

// Refuse fails if one of the others has blocked the user. The message doesn't reveal who.
func (m *Blocks) Refuse(ctx context.Context, user bson.ObjectID, what string, others ...bson.ObjectID) error {
	by, err := m.By(ctx, others, user)
	if err == nil && len(by) > 0 {
		err = apperr.New(apperr.Forbidden, "%s", what)
	}
	return err
}

// Page lists the people a user has blocked, latest first.
func (m *Blocks) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*User], error) {
	page, err := m.blocks.Page(ctx, user, p)
	if err != nil {
		return store.Page[*User]{}, err
	}
	return m.users.related(ctx, page, store.Targets)
}
