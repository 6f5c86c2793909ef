package models

import (
	"context"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Watched records that a user watched a post, when last, and how far they got.
type Watched struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Post      bson.ObjectID `bson:"post"`
	Position  float64       `bson:"position"` // seconds
	WatchedAt time.Time     `bson:"watchedAt"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

const (
	historyKept  = 365 * 24 * time.Hour
	longestVideo = 1_000_000 // seconds
)

// History is what users watched: one entry for each post, kept for a year after the last time.
type History struct {
	db      *store.DB
	watched *store.Documents[Watched]
	users   *Users
	posts   *Posts
}

// NewHistory registers the history.
func NewHistory(db *store.DB, users *Users, posts *Posts) *History {
	return &History{db: db, users: users, posts: posts, watched: store.Register[Watched](db, store.Kind{
		Name:    "history",
		Indexes: []mongo.IndexModel{store.Unique("user", "post"), store.Index("user", "-watchedAt", "-_id"), store.Index("post"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}, {Kind: "posts", Field: "post"}},
		Export:  store.Export{By: "user", Order: store.Order{"-watchedAt", "-_id"}, Fields: []string{"post", "position", "watchedAt"}},
	})}
}

// Add records that a user watches a post, unless they paused their history.
func (m *History) Add(ctx context.Context, user, post bson.ObjectID) error {
	return m.note(ctx, &Watched{User: user, Post: post}, nil)
}

// SetPosition records how far into a video a user got, unless they paused their history. It returns the position, at most
// the end of the video.
func (m *History) SetPosition(ctx context.Context, user, post bson.ObjectID, seconds float64) (float64, error) {
	if math.IsNaN(seconds) || seconds < 0 || seconds > longestVideo {
		return 0, apperr.InvalidField("position", "Use a number of seconds from 0 to %d.", longestVideo)
	}
	p, err := m.posts.Visible(ctx, user, post)
	if err != nil {
		return 0, err
	}
	if p.Kind != Video {
		return 0, apperr.InvalidField("position", "Only videos have a position.")
	}
	if p.Duration > 0 {
		seconds = min(seconds, p.Duration)
	}
	return seconds, m.note(ctx, &Watched{User: user, Post: post, Position: seconds}, store.Where("position", seconds))
}

// note writes the user's entry for the post: a single one, however many tabs play it.
func (m *History) note(ctx context.Context, w *Watched, more bson.D) error {
	u, err := m.users.Cached(ctx, w.User)
	if err != nil || u.HistoryPaused {
		return err
	}
	w.ID, w.WatchedAt = bson.NewObjectID(), m.db.Now()
	w.ExpiresAt = w.WatchedAt.Add(historyKept)
	set := append(store.Where("watchedAt", w.WatchedAt, "expiresAt", w.ExpiresAt), more...)
	return m.watched.Put(ctx, store.Where("user", w.User, "post", w.Post), bson.D{{Key: "$set", Value: set}}, w)
}

// WatchedPost is an entry of the history with its post.
type WatchedPost struct {
	*Watched
	Post *Post
}

// Page lists what a user watched, latest first. Posts that they can't see at the moment are left out.
func (m *History) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[WatchedPost], error) {
	page, err := m.watched.Page(ctx, store.Where("user", user), store.Order{"-watchedAt", "-_id"}, p)
	if err != nil {
		return store.Page[WatchedPost]{}, err
	}
	ids, entries := make([]bson.ObjectID, len(page.Items)), make(map[bson.ObjectID]*Watched, len(page.Items))
	for i, w := range page.Items {
		ids[i], entries[w.Post] = w.Post, w
	}
	posts, err := m.posts.VisibleAll(ctx, user, ids)
	out := store.Page[WatchedPost]{Items: make([]WatchedPost, len(posts)), Next: page.Next}
	for i, post := range posts {
		out.Items[i] = WatchedPost{entries[post.ID], post}
	}
	return out, err
}

// Positions returns how far the user got into those of the posts that they watched.
func (m *History) Positions(ctx context.Context, user bson.ObjectID, posts []bson.ObjectID) (map[bson.ObjectID]float64, error) {
	positions := map[bson.ObjectID]float64{}
	if len(posts) == 0 || user.IsZero() {
		return positions, nil
	}
	watched, err := m.watched.List(ctx, store.Where("user", user, "post", store.In(posts)), nil, 0)
	for _, w := range watched {
		positions[w.Post] = w.Position
	}
	return positions, err
}

// Remove takes a post out of the user's history. It is idempotent.
func (m *History) Remove(ctx context.Context, user, post bson.ObjectID) error {
	removed, err := m.watched.Delete(ctx, store.Where("user", user, "post", post))
	if err == nil && !removed {
		_, err = m.posts.Visible(ctx, user, post)
	}
	return err
}

// Clear removes all of the user's history.
func (m *History) Clear(ctx context.Context, user bson.ObjectID) error {
	return m.watched.DeleteAll(ctx, store.Where("user", user))
}

// Pause pauses the user's history, or resumes it.
func (m *History) Pause(ctx context.Context, user bson.ObjectID, paused bool) error {
	_, err := m.users.users.Update(ctx, store.Where("_id", user), bson.D{store.Set("historyPaused", paused)})
	return err
}
