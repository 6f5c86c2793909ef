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

// SubscriptionActions are how users follow channels.
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

// channel is a user as their channel shows them, and whether the viewer follows it. Its email address and roles are there
// for its owner alone.
type channel struct {
	User
	IsSubscribed bool `json:"isSubscribed"`
}

func (a *App) channel(c *gin.Context, u *models.User) (channel, error) {
	viewer := middlewares.UserID(c)
	follows, err := a.Subscriptions.Of(c, viewer, []bson.ObjectID{u.ID})
	return channel{a.user(u, u.ID == viewer), follows[u.ID]}, err
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

// OfUser is GET /subscriptions/u/:id of the API: the channels that somebody follows.
func (s SubscriptionActions) OfUser(c *gin.Context) error {
	_, id, err := target(c)
	if err != nil {
		return err
	}
	if _, err := s.Users.Cached(c, id); err != nil {
		return err
	}
	return s.showChannels(c, id)
}

func (s SubscriptionActions) showChannels(c *gin.Context, of bson.ObjectID) error {
	list, next, err := s.channels(c, of, s.Subscriptions.Channels)
	if err != nil {
		return err
	}
	return respond.Show(c, "subscriptions/index", channelList{list, next})
}

// Subscribers is GET /subscriptions/c/:id: who follows the channel, for its owner alone.
func (s SubscriptionActions) Subscribers(c *gin.Context) error {
	user, id, err := target(c)
	if err == nil && id != user {
		err = store.ErrNotFound()
	}
	if err != nil {
		return err
	}
	list, next, err := s.channels(c, user, s.Subscriptions.Subscribers)
	if err != nil {
		return err
	}
	return respond.Show(c, "subscriptions/subscribers", subscriberList{list, next})
}

// channels makes the output of a page of users.
func (s SubscriptionActions) channels(c *gin.Context, of bson.ObjectID, load func(context.Context, bson.ObjectID, store.Paging) (store.Page[*models.User], error)) ([]channel, next, error) {
	p, err := paging(c)
	if err != nil {
		return nil, next{}, err
	}
	page, err := load(c, of, p)
	if err != nil {
		return nil, next{}, err
	}
	ids := make([]bson.ObjectID, len(page.Items))
	for i, u := range page.Items {
		ids[i] = u.ID
	}
	follows, err := s.Subscriptions.Of(c, middlewares.UserID(c), ids)
	out := make([]channel, len(ids))
	for i, u := range page.Items {
		out[i] = channel{s.user(u, false), follows[u.ID]}
	}
	return out, nextOf(c, page.Next), err
}

// Create is PUT /subscriptions/c/:id: follows a channel. Doing it again changes nothing.
func (s SubscriptionActions) Create(c *gin.Context) error { return s.change(c, s.Subscriptions.Add) }

// Delete is DELETE /subscriptions/c/:id: follows it no longer.
func (s SubscriptionActions) Delete(c *gin.Context) error {
	return s.change(c, s.Subscriptions.Remove)
}

// Toggle is POST /subscriptions/c/:id of the API: follows the channel, or no longer does.
func (s SubscriptionActions) Toggle(c *gin.Context) error { return s.change(c, s.Subscriptions.Toggle) }

type subscriptionState struct {
	IsSubscribed     bool  `json:"isSubscribed"`
	SubscribersCount int64 `json:"subscribersCount"`
}

// change does it and shows how the channel is then.
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
	message := map[bool]string{true: "You are subscribed.", false: "You are no longer subscribed."}[out.IsSubscribed]
	return respond.Done(c, message, respond.Back(c, out.Path()), subscriptionState{out.IsSubscribed, out.SubscribersCount})
}
