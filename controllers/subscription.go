package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/respond"
)

// SubscriptionActions let users follow channels.
type SubscriptionActions struct{ *App }

// Routes registers the feature.
func (s SubscriptionActions) Routes(r middlewares.Access) {
	s.Decorate(s.isSubscribed)
	r.Private.Both(http.MethodGet, "/subscriptions", s.Index)
	r.Private.API(http.MethodGet, "/subscriptions/u/:id", s.OfUser)
	r.Private.Both(http.MethodGet, "/subscriptions/c/:id", s.Subscribers)
	r.Private.Both(http.MethodPut, "/subscriptions/c/:id", s.Create)
	r.Private.Both(http.MethodDelete, "/subscriptions/c/:id", s.Delete)
	r.Private.API(http.MethodPost, "/subscriptions/c/:id/toggle", s.Toggle)
}

// channel is a user as shown on their channel, and whether the viewer follows it. Only the owner sees its email address
// and roles.
type channel struct {
	User
	IsSubscribed bool `json:"isSubscribed"`
	IsBlocked    bool `json:"isBlocked"`
}

func (a *App) channel(c *gin.Context, u *models.User) (channel, error) {
	out, err := a.channels(c, []*models.User{u})
	if err != nil {
		return channel{}, err
	}
	if viewer := middlewares.UserID(c); u.ID == viewer {
		out[0].User = a.user(u, true)
	}
	return out[0], nil
}

// channels builds the public form of users, with the viewer's relation to each.
func (a *App) channels(c *gin.Context, users []*models.User) ([]channel, error) {
	ids, viewer := make([]bson.ObjectID, len(users)), middlewares.UserID(c)
	for i, u := range users {
		ids[i] = u.ID
	}
	follows, err := a.Subscriptions.Of(c, viewer, ids)
	if err != nil {
		return nil, err
	}
	blocked, err := a.Blocks.Of(c, viewer, ids)
	out := make([]channel, len(users))
	for i, u := range users {
		out[i] = channel{a.user(u, false), follows[u.ID], blocked[u.ID]}
	}
	return out, err
}

// isSubscribed marks the posts whose owner the viewer follows.
func (s SubscriptionActions) isSubscribed(ctx context.Context, viewer bson.ObjectID, _ []bson.ObjectID, posts []Post) error {
	owners := make([]bson.ObjectID, len(posts))
	for i, p := range posts {
		id, err := store.ParseID(p.Owner.ID)
		if err != nil {
			return err
		}
		owners[i] = id
	}
	follows, err := s.Subscriptions.Of(ctx, viewer, owners)
	for i := range posts {
		posts[i].IsSubscribed = follows[owners[i]]
	}
	return err
}

type channelList struct {
	Channels []channel `json:"channels"`
	next
}

type subscriberList struct {
	Subscribers []channel `json:"subscribers"`
	next
}

// Index is GET /subscriptions: the channels that the user follows.
func (s SubscriptionActions) Index(c *gin.Context) error {
	return s.showChannels(c, middlewares.UserID(c))
}

// OfUser is GET /subscriptions/u/:id of the API: the channels that a user follows.
func (s SubscriptionActions) OfUser(c *gin.Context) error {
	_, id, err := target(c)
	if err != nil {
		return err
	}
	if _, err := s.Users.Channel(c, id); err != nil {
		return err
	}
	return s.showChannels(c, id)
}

func (s SubscriptionActions) showChannels(c *gin.Context, of bson.ObjectID) error {
	list, next, err := s.list(c, of, s.Subscriptions.Channels)
	if err != nil {
		return err
	}
	return respond.Show(c, "subscriptions/index", channelList{list, next})
}

// Subscribers is GET /subscriptions/c/:id: the channel's subscribers, for its owner only.
func (s SubscriptionActions) Subscribers(c *gin.Context) error {
	user, id, err := target(c)
	if err == nil && id != user {
		err = store.ErrNotFound()
	}
	if err != nil {
		return err
	}
	list, next, err := s.list(c, user, s.Subscriptions.Subscribers)
	if err != nil {
		return err
	}
	s.noteSeen(c, bson.ObjectID{})
	return respond.Show(c, "subscriptions/subscribers", subscriberList{list, next})
}

// list builds one page of users.
func (s SubscriptionActions) list(c *gin.Context, of bson.ObjectID, load func(context.Context, bson.ObjectID, store.Paging) (store.Page[*models.User], error)) ([]channel, next, error) {
	p, err := paging(c)
	if err != nil {
		return nil, next{}, err
	}
	page, err := load(c, of, p)
	if err != nil {
		return nil, next{}, err
	}
	out, err := s.channels(c, page.Items)
	return out, nextOf(c, page.Next), err
}

// Create is PUT /subscriptions/c/:id: follows a channel. It is idempotent.
func (s SubscriptionActions) Create(c *gin.Context) error { return s.change(c, s.Subscriptions.Add) }

// Delete is DELETE /subscriptions/c/:id: unfollows it.
func (s SubscriptionActions) Delete(c *gin.Context) error {
	return s.change(c, s.Subscriptions.Remove)
}

// Toggle is POST /subscriptions/c/:id/toggle of the API: follows the channel, or unfollows it.
func (s SubscriptionActions) Toggle(c *gin.Context) error { return s.change(c, s.Subscriptions.Toggle) }

type subscriptionState struct {
	IsSubscribed     bool  `json:"isSubscribed"`
	SubscribersCount int64 `json:"subscribersCount"`
}

// change applies do and responds with the channel's new state.
func (s SubscriptionActions) change(c *gin.Context, do func(ctx context.Context, user, channel bson.ObjectID) error) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := do(c, user, id); err != nil {
		return err
	}
	u, err := s.Users.ByID(c, id)
	if err != nil {
		return err
	}
	out, err := s.channel(c, u)
	if err != nil {
		return err
	}
	message := map[bool]string{true: "Subscribed.", false: "Unsubscribed."}[out.IsSubscribed]
	return respond.Done(c, message, respond.Back(c, out.Path()), subscriptionState{out.IsSubscribed, out.SubscribersCount})
}
