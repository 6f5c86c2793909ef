package models

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Figures are what a channel received.
type Figures struct {
	Views       int64 `bson:"views" json:"views"`
	Likes       int64 `bson:"likes" json:"likes"`
	Comments    int64 `bson:"comments" json:"comments"`
	Subscribers int64 `bson:"subscribers" json:"subscribers"`
}

// Daily is what a channel received on one day. A withdrawn like, comment or subscription is subtracted from the day on
// which it was made, so no day goes below zero; what disappears with a deleted post or account stays counted. The
// figures are for a chart: they are written in the background, and a crash may lose one.
type Daily struct {
	ID        bson.ObjectID `bson:"_id"`
	Owner     bson.ObjectID `bson:"owner"`
	Day       time.Time     `bson:"day"` // its start, UTC
	Figures   `bson:",inline"`
	ExpiresAt time.Time `bson:"expiresAt"`
}

const (
	// ChartDays is how many days a chart shows.
	ChartDays   = 28
	dailiesKept = 400 * day
	day         = 24 * time.Hour
)

// Dailies are the daily figures of channels.
type Dailies struct {
	db      *store.DB
	dailies *store.Documents[Daily]
	posts   *Posts

	mu    sync.Mutex
	noted map[happening]int64 // not nil while somebody is writing
}

// NewDailies registers the daily figures.
func NewDailies(db *store.DB, posts *Posts) *Dailies {
	return &Dailies{db: db, posts: posts, dailies: store.Register[Daily](db, store.Kind{
		Name:    "dailies",
		Indexes: []mongo.IndexModel{store.Unique("owner", "day"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "owner"}},
		Export:  store.Export{By: "owner", Order: store.Order{"day", "_id"}, Fields: []string{"day", "views", "likes", "comments", "subscribers"}},
	})}
}

// follow subscribes to the events that are counted.
func (m *Dailies) follow(s *Site) {
	s.Views.counted = func(post bson.ObjectID) { m.addOf(post, dailyViews, m.db.Now(), 1) }
	s.Likes.likes.OnChange(func(r *store.Related, by int64) { m.addOf(r.Target, dailyLikes, r.CreatedAt, by) })
	s.Comments.changed = func(c *Comment, by int64) { m.addOf(c.Post, dailyComments, c.CreatedAt, by) }
	s.Subscriptions.subscriptions.OnChange(func(r *store.Related, by int64) { m.add(r.Target, dailySubscribers, r.CreatedAt, by) })
}

// The figures that are counted by day.
const (
	dailyViews       = "views"
	dailyLikes       = "likes"
	dailyComments    = "comments"
	dailySubscribers = "subscribers"
)

// happening identifies what is counted together: events of a channel, or of the channel of a post.
type happening struct {
	owner, post bson.ObjectID
	figure      string
	day         time.Time
}

// add counts something that a channel received, or lost again, on the day of at.
func (m *Dailies) add(owner bson.ObjectID, figure string, at time.Time, by int64) {
	m.note(happening{owner: owner, figure: figure, day: at.UTC().Truncate(day)}, by)
}

// addOf is add for the owner of a post.
func (m *Dailies) addOf(post bson.ObjectID, figure string, at time.Time, by int64) {
	m.note(happening{post: post, figure: figure, day: at.UTC().Truncate(day)}, by)
}

// note lets one caller at a time do the writing: a thousand concurrent views become a few writes, which don't conflict.
func (m *Dailies) note(h happening, by int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noted == nil {
		m.noted = map[happening]int64{}
		m.db.Background(m.writeAll)
	}
	m.noted[h] += by
}

// writeAll writes what was noted until nothing is left. A write may fail; then the chart is slightly wrong.
func (m *Dailies) writeAll(ctx context.Context) {
	for {
		m.mu.Lock()
		noted := m.noted
		m.noted = nil
		if len(noted) > 0 {
			m.noted = map[happening]int64{} // what arrives in the meantime belongs to the next round
		}
		m.mu.Unlock()
		if len(noted) == 0 {
			return
		}
		for h, by := range noted {
			_ = m.writeOf(ctx, h, by)
		}
	}
}

func (m *Dailies) writeOf(ctx context.Context, h happening, by int64) error {
	if by == 0 {
		return nil
	}
	owner := h.owner
	if owner.IsZero() {
		p, err := m.posts.posts.ByID(ctx, h.post)
		if err != nil {
			return err
		}
		owner = p.Owner
	}
	return m.write(ctx, owner, h.figure, h.day, by)
}

func (m *Dailies) write(ctx context.Context, owner bson.ObjectID, figure string, on time.Time, by int64) error {
	d := Daily{ID: bson.NewObjectID(), Owner: owner, Day: on.UTC().Truncate(day)}
	d.ExpiresAt = d.Day.Add(dailiesKept)
	if by < 0 { // either there is something to subtract from, or there is nothing to do
		_, err := m.dailies.Update(ctx, store.Where("owner", owner, "day", d.Day, figure, store.Where("$gte", -by)), bson.D{store.Inc(figure, by)})
		if apperr.Is(err, apperr.NotFound) {
			return nil
		}
		return err
	}
	*d.figure(figure) = by
	return m.dailies.Put(ctx, store.Where("owner", owner, "day", d.Day), bson.D{store.Inc(figure, by)}, &d)
}

func (f *Figures) figure(name string) *int64 {
	return map[string]*int64{dailyViews: &f.Views, dailyLikes: &f.Likes, dailyComments: &f.Comments, dailySubscribers: &f.Subscribers}[name]
}

// Last lists the last days of a user's channel, today last, including those on which nothing happened.
func (m *Dailies) Last(ctx context.Context, user bson.ObjectID, days int) ([]Daily, error) {
	first := m.db.Now().Truncate(day).Add(-time.Duration(days-1) * day)
	found, err := m.dailies.List(ctx, store.Where("owner", user, "day", store.Where("$gte", first)), store.Order{"day"}, days)
	if err != nil {
		return nil, err
	}
	all := make([]Daily, days)
	for i := range all {
		all[i].Day = first.Add(time.Duration(i) * day)
	}
	for _, d := range found {
		if i := int(d.Day.Sub(first) / day); i < days {
			all[i] = *d
		}
	}
	return all, nil
}
