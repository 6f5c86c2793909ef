package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

const maxSubscriptions = 2000

// Subscriptions record who follows which channel.
type Subscriptions struct {
	subscriptions *store.Relation
	users         *Users
	blocks        *Blocks
	notifications *Notifications
}

// NewSubscriptions registers the subscriptions. A block ends them, in both directions.
func NewSubscriptions(db *store.DB, users *Users, blocks *Blocks, notifications *Notifications) *Subscriptions {
	subscriber := store.Parent{Kind: "users", Counter: "subscriptionsCount", Max: maxSubscriptions, Full: "You can subscribe to at most 2,000 channels. Unsubscribe from one first."}
	channel := store.Parent{Kind: "users", Counter: "subscribersCount"}
	m := &Subscriptions{users: users, blocks: blocks, notifications: notifications, subscriptions: store.NewRelation(db, "subscriptions", subscriber, channel)}
	blocks.Ends(func(ctx context.Context, user, blocked bson.ObjectID) error {
		if err := m.remove(ctx, blocked, user); err != nil {
			return err
		}
		return m.remove(ctx, user, blocked)
	})
	return m
}

// Add lets a user follow a channel, and notifies its owner. It is idempotent.
func (m *Subscriptions) Add(ctx context.Context, user, channel bson.ObjectID) error {
	if user == channel {
		return apperr.New(apperr.Conflict, "You can't subscribe to your own channel.")
	}
	if _, err := m.users.Channel(ctx, channel); err != nil {
		return err
	}
	return m.subscriptions.AddWith(ctx, user, channel, func(ctx context.Context) error {
		if err := m.refuseBlocked(ctx, user, channel); err != nil {
			return err
		}
		return m.notifications.Tell(ctx, user, Notice{Type: NoticeSubscriber, To: channel})
	})
}

// refuseBlocked runs in the transaction of the subscription. Both it and a block write the channel's account, so if
// they are concurrent, the second one sees the first.
func (m *Subscriptions) refuseBlocked(ctx context.Context, user, channel bson.ObjectID) error {
	blocked, err := m.blocks.Of(ctx, user, []bson.ObjectID{channel})
	if err != nil {
		return err
	}
	if blocked[channel] {
		return apperr.New(apperr.Conflict, "You have blocked this channel. Unblock it first.")
	}
	return m.blocks.Refuse(ctx, user, "You can't subscribe to this channel.", channel)
}

// Remove lets a user unfollow a channel. It is idempotent.
func (m *Subscriptions) Remove(ctx context.Context, user, channel bson.ObjectID) error {
	if _, err := m.users.Cached(ctx, channel); err != nil {
		return err
	}
	return m.remove(ctx, user, channel)
}

func (m *Subscriptions) remove(ctx context.Context, user, channel bson.ObjectID) error {
	return m.subscriptions.RemoveWith(ctx, user, channel, func(ctx context.Context) error {
		return m.notifications.Untell(ctx, user, Notice{Type: NoticeSubscriber, To: channel})
	})
}

// Toggle follows or unfollows the channel.
func (m *Subscriptions) Toggle(ctx context.Context, user, channel bson.ObjectID) error {
	return toggle(ctx, m, user, channel)
}

// Of returns which of the channels a user follows.
func (m *Subscriptions) Of(ctx context.Context, user bson.ObjectID, channels []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	return m.subscriptions.Of(ctx, user, channels)
}

// All returns the ids of the channels that a user follows.
func (m *Subscriptions) All(ctx context.Context, user bson.ObjectID) ([]bson.ObjectID, error) {
	return m.subscriptions.Targets(ctx, user, maxSubscriptions)
}

// Channels lists the channels that a user follows, latest first.
func (m *Subscriptions) Channels(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*User], error) {
	page, err := m.subscriptions.Page(ctx, user, p)
	if err != nil {
		return store.Page[*User]{}, err
	}
	return m.users.related(ctx, page, store.Targets)
}

// Subscribers lists the followers of the user's own channel, latest first.
func (m *Subscriptions) Subscribers(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[*User], error) {
	page, err := m.subscriptions.PageOf(ctx, user, p)
	if err != nil {
		return store.Page[*User]{}, err
	}
	return m.users.related(ctx, page, store.Users)
}
