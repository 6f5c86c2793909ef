package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// Likes are who likes which post.
type Likes struct {
	likes *store.Relation
	posts *Posts
}

// NewLikes registers the likes.
func NewLikes(db *store.DB, posts *Posts) *Likes {
	return &Likes{posts: posts, likes: store.NewRelation(db, "likes", store.Parent{Kind: "users"}, store.Parent{Kind: "posts", Counter: "likesCount"})}
}

// Add lets a user like a post that they can see. Doing it again changes nothing.
func (m *Likes) Add(ctx context.Context, user, post bson.ObjectID) error {
	if _, err := m.posts.Visible(ctx, user, post); err != nil {
		return err
	}
	return m.likes.Add(ctx, user, post)
}

// Remove takes a like back. Doing it again changes nothing.
func (m *Likes) Remove(ctx context.Context, user, post bson.ObjectID) error {
	if _, err := m.posts.Visible(ctx, user, post); err != nil {
		return err
	}
	return m.likes.Remove(ctx, user, post)
}

// Toggle likes the post, or takes the like back.
func (m *Likes) Toggle(ctx context.Context, user, post bson.ObjectID) error {
	return toggle(ctx, m, user, post)
}

// Page lists the posts that a user likes, the latest like first. Posts that they can't see now are left out, and come back
// if they can.
func (m *Likes) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*Post], error) {
	page, err := m.likes.Page(ctx, user, p)
	if err != nil {
		return store.Page[*Post]{}, err
	}
	posts, err := m.posts.VisibleAll(ctx, user, store.Targets(page.Items))
	return store.Page[*Post]{Items: posts, Next: page.Next}, err
}

// Of tells which of the posts a user likes.
func (m *Likes) Of(ctx context.Context, user bson.ObjectID, posts []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	return m.likes.Of(ctx, user, posts)
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
