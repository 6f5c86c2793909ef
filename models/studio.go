package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// MineQuery selects which of their own posts a user sees.
type MineQuery struct {
	Kind  Kind       // empty: all
	State Visibility // empty: all
}

// Mine lists a user's own posts, latest created first.
func (m *Posts) Mine(ctx context.Context, user bson.ObjectID, q MineQuery, p store.Paging) (store.Page[*Post], error) {
	filter := store.Where("owner", user)
	if q != (MineQuery{}) { // the index has both: if one isn't given, all of its values are read side by side
		filter = append(filter, among("visibility", q.State, Draft, Public, Hidden, Suspended), among("kind", q.Kind, Video, Photo, Text))
	}
	return m.posts.Page(ctx, filter, store.Order{"-_id"}, p)
}

// among is the condition that a field has the value or, if none is given, any of all.
func among[T ~string](field string, value T, all ...T) bson.E {
	if value == "" {
		return bson.E{Key: field, Value: store.In(all)}
	}
	return bson.E{Key: field, Value: value}
}

// Totals are a channel's posts, and what they received.
type Totals struct {
	Posts int64 `json:"posts"` // including drafts
	Figures
}

// Totals adds up a user's own posts.
func (m *Posts) Totals(ctx context.Context, user bson.ObjectID) (Totals, error) {
	u, err := m.users.ByID(ctx, user)
	if err != nil {
		return Totals{}, err
	}
	n, sums, err := m.posts.Total(ctx, store.Where("owner", user), "views", "likesCount", "commentsCount")
	if err != nil {
		return Totals{}, err
	}
	return Totals{n, Figures{Views: sums[0], Likes: sums[1], Comments: sums[2], Subscribers: u.SubscribersCount}}, nil
}
