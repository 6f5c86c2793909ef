package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Subscriptions are who follows which channel.
type Subscriptions struct {
	subscriptions *store.Relation
	users         *Users
}

// NewSubscriptions registers the subscriptions.
func NewSubscriptions(db *store.DB, users *Users) *Subscriptions {
	subscriber := store.Parent{Kind: "users", Counter: "subscriptionsCount", Max: 2000, Full: "You can subscribe to at most 2,000 channels. Unsubscribe from one first."}
	channel := store.Parent{Kind: "users", Counter: "subscribersCount"}
	return &Subscriptions{users: users, subscriptions: store.NewRelation(db, "subscriptions", subscriber, channel)}
}

// Add lets a user follow a channel. Doing it again changes nothing.
func (m *Subscriptions) Add(ctx context.Context, user, channel bson.ObjectID) error {
	if user == channel {
		return apperr.New(apperr.Conflict, "You can't subscribe to your own channel.")
	}
	u, err := m.users.Cached(ctx, channel)
	if err == nil && u.DisabledAt != nil {
		err = store.ErrNotFound()
	}
	if err != nil {
		return err
	}
	return m.subscriptions.Add(ctx, user, channel)
}

// Remove lets a user follow a channel no longer. Doing it again changes nothing.
func (m *Subscriptions) Remove(ctx context.Context, user, channel bson.ObjectID) error {
	if _, err := m.users.Cached(ctx, channel); err != nil {
		return err
	}
	return m.subscriptions.Remove(ctx, user, channel)
}

// Toggle follows the channel, or no longer does.
func (m *Subscriptions) Toggle(ctx context.Context, user, channel bson.ObjectID) error {
	return toggle(ctx, m, user, channel)
}

// Of tells which of the channels a user follows.
func (m *Subscriptions) Of(ctx context.Context, user bson.ObjectID, channels []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	return m.subscriptions.Of(ctx, user, channels)
}

// Channels lists the channels that a user follows, the latest first.
func (m *Subscriptions) Channels(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*User], error) {
	page, err := m.subscriptions.Page(ctx, user, p)
	return m.people(ctx, page, store.Targets, err)
}

// Subscribers lists who follows the user's own channel, the latest first.
func (m *Subscriptions) Subscribers(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*User], error) {
	page, err := m.subscriptions.PageOf(ctx, user, p)
	return m.people(ctx, page, store.Users, err)
}

// people loads those on one side of the page. Who is just being removed is left out.
func (m *Subscriptions) people(ctx context.Context, page store.Page[*store.Related], side func([]*store.Related) []bson.ObjectID, err error) (store.Page[*User], error) {
	if err != nil {
		return store.Page[*User]{}, err
	}
	ids := side(page.Items)
	found, err := m.users.CachedByIDs(ctx, ids)
	people := make([]*User, 0, len(ids))
	for _, id := range ids {
		if u := found[id]; u != nil {
			people = append(people, u)
		}
	}
	return store.Page[*User]{Items: people, Next: page.Next}, err
}
