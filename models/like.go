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

// likeable loads what the user may see, to like it, and returns what its owner is told then.
type likeable func(ctx context.Context, user, id bson.ObjectID) (Notice, error)

// NewLikes registers the likes of one kind of document.
func NewLikes(db *store.DB, name, kind string, score store.Score, likeable likeable, notifications *Notifications) *Likes {
	return &Likes{
		likes:    store.NewRelation(db, name, store.Parent{Kind: "users"}, store.Parent{Kind: kind, Counter: "likesCount", Score: score}),
		likeable: likeable, notifications: notifications,
	}
}

// Add lets a user like what they can see, and tells its owner. Doing it again changes nothing.
func (m *Likes) Add(ctx context.Context, user, id bson.ObjectID) error {
	notice, err := m.likeable(ctx, user, id)
	if err != nil {
		return err
	}
	return m.likes.AddWith(ctx, user, id, func(ctx context.Context) error { return m.notifications.Tell(ctx, user, notice) })
}

// Remove takes a like back. Doing it again changes nothing.
func (m *Likes) Remove(ctx context.Context, user, id bson.ObjectID) error {
	notice, err := m.likeable(ctx, user, id)
	if err != nil {
		return err
	}
	return m.likes.RemoveWith(ctx, user, id, func(ctx context.Context) error { return m.notifications.Untell(ctx, user, notice) })
}

// Toggle likes it, or takes the like back.
func (m *Likes) Toggle(ctx context.Context, user, id bson.ObjectID) error {
	return toggle(ctx, m, user, id)
}

// Of tells which of them a user likes.
func (m *Likes) Of(ctx context.Context, user bson.ObjectID, ids []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	return m.likes.Of(ctx, user, ids)
}

func (m *Likes) page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*store.Related], error) {
	return m.likes.Page(ctx, user, p)
}

// PostLikes are who likes which post. Users find again what they like.
type PostLikes struct {
	*Likes
	posts *Posts
}

// Page lists the posts that a user likes, the latest like first. Posts that they can't see now are left out, and come back
// if they can.
func (m *PostLikes) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*Post], error) {
	page, err := m.page(ctx, user, p)
	if err != nil {
		return store.Page[*Post]{}, err
	}
	posts, err := m.posts.VisibleAll(ctx, user, store.Targets(page.Items))
	return store.Page[*Post]{Items: posts, Next: page.Next}, err
}

// related is a relation with the rules of its model.
type related interface {
	Add(ctx context.Context, user, target bson.ObjectID) error
	Remove(ctx context.Context, user, target bson.ObjectID) error
	Of(ctx context.Context, user bson.ObjectID, targets []bson.ObjectID) (map[bson.ObjectID]bool, error)
}

// toggle relates the user to the target, or ends it.
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
