package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// Likes are who likes which post, or which comment.
type Likes struct {
	likes         *store.Relation
	likeable      likeable
	notifications *Notifications
}

// likeable loads something that the user may see and like, and returns the notice for its owner.
type likeable func(ctx context.Context, user, id bson.ObjectID) (Notice, error)

// NewLikes registers the likes of one kind of document.
func NewLikes(db *store.DB, name, kind string, score store.Score, likeable likeable, notifications *Notifications) *Likes {
	return &Likes{
		likes:    store.NewRelation(db, name, store.Parent{Kind: "users"}, store.Parent{Kind: kind, Counter: "likesCount", Score: score}),
		likeable: likeable, notifications: notifications,
	}
}

// Add lets a user like something that they can see, and notifies its owner. It is idempotent.
func (m *Likes) Add(ctx context.Context, user, id bson.ObjectID) error {
	notice, err := m.likeable(ctx, user, id)
	if err != nil {
		return err
	}
	return m.likes.AddWith(ctx, user, id, func(ctx context.Context) error { return m.notifications.Tell(ctx, user, notice) })
}

// Remove withdraws a like. It is idempotent.
func (m *Likes) Remove(ctx context.Context, user, id bson.ObjectID) error {
	notice, err := m.likeable(ctx, user, id)
	if err != nil {
		return err
	}
	return m.likes.RemoveWith(ctx, user, id, func(ctx context.Context) error { return m.notifications.Untell(ctx, user, notice) })
}

// Toggle adds the like, or withdraws it.
func (m *Likes) Toggle(ctx context.Context, user, id bson.ObjectID) error {
	return toggle(ctx, m, user, id)
}

// Of returns which of them a user likes.
func (m *Likes) Of(ctx context.Context, user bson.ObjectID, ids []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	return m.likes.Of(ctx, user, ids)
}

func (m *Likes) page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*store.Related], error) {
	return m.likes.Page(ctx, user, p)
}

// PostLikes are the likes of posts, which users can also list.
type PostLikes struct {
	*Likes
	posts *Posts
}

// Page lists the posts that a user likes, latest like first. Posts that they can't see at the moment are left out.
func (m *PostLikes) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*Post], error) {
	page, err := m.page(ctx, user, p)
	if err != nil {
		return store.Page[*Post]{}, err
	}
	posts, err := m.posts.VisibleAll(ctx, user, store.Targets(page.Items))
	return store.Page[*Post]{Items: posts, Next: page.Next}, err
}

// related is a relation with its model's rules.
type related interface {
	Add(ctx context.Context, user, target bson.ObjectID) error
	Remove(ctx context.Context, user, target bson.ObjectID) error
	Of(ctx context.Context, user bson.ObjectID, targets []bson.ObjectID) (map[bson.ObjectID]bool, error)
}

// toggle creates the relation between user and target, or ends it.
func toggle(ctx context.Context, m related, user, target bson.ObjectID) error {
	is, err := m.Of(ctx, user, []bson.ObjectID{target})
	if err != nil {
		return err
	}
	if is[target] {
		return m.Remove(ctx, user, target)
	}
	return m.Add(ctx, user, target)
}
