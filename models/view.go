package models

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// View records that somebody viewed a post in a certain hour. It doesn't reveal who: the viewer is a keyed hash.
type View struct {
	ID        bson.ObjectID `bson:"_id"`
	Post      bson.ObjectID `bson:"post"`
	Viewer    []byte        `bson:"viewer"`
	Hour      time.Time     `bson:"hour"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// Views count viewers.
type Views struct {
	db    *store.DB
	views *store.Documents[View]
	posts *Posts
	key   []byte

	counted func(post bson.ObjectID) // called for each counted view
}

// NewViews registers the views. The key is for hashing the viewers.
func NewViews(db *store.DB, posts *Posts, key string) *Views {
	return &Views{db: db, posts: posts, key: []byte("views:" + key), views: store.Register[View](db, store.Kind{
		Name:    "views",
		Indexes: []mongo.IndexModel{store.Unique("post", "viewer", "hour"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "posts", Field: "post"}},
		Export:  store.Export{Not: "nobody can tell whose they are; a post says how many it has"},
	})}
}

// Add counts a view once per viewer and hour. The viewer is a user's id, or something that distinguishes viewers who
// aren't logged in. It reports whether this view counted. A view isn't worth a transaction: a crash may lose one.
func (m *Views) Add(ctx context.Context, post bson.ObjectID, viewer string) (counted bool, err error) {
	hash := hmac.New(sha256.New, m.key)
	hash.Write([]byte(viewer))
	hour := m.db.Now().Truncate(time.Hour)
	err = m.views.Insert(ctx, &View{
		ID: bson.NewObjectID(), Post: post, Viewer: hash.Sum(nil)[:16], Hour: hour, ExpiresAt: hour.Add(2 * time.Hour),
	})
	if apperr.Is(err, apperr.Conflict) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := m.posts.addView(ctx, post); err != nil {
		return true, err
	}
	store.After(ctx, func() { m.counted(post) })
	return true, nil
}
