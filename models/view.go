package models

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// View notes that somebody looked at a post in a certain hour. Who it was cannot
// be read from it: the viewer is a keyed hash.
type View struct {
	ID        bson.ObjectID `bson:"_id"`
	Post      bson.ObjectID `bson:"post"`
	Viewer    []byte        `bson:"viewer"`
	Hour      time.Time     `bson:"hour"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// Views count who looked.
type Views struct {
	db    *DB
	views Collection
	posts *Posts
	key   []byte
}

// NewViews registers the views. The key makes the viewers' hashes.
func NewViews(db *DB, posts *Posts, key string) *Views {
	return &Views{db: db, posts: posts, key: []byte("views:" + key), views: db.register(entity{
		name:    "views",
		indexes: indexes(uniqueIndex("post", "viewer", "hour"), expiry("expiresAt")),
		parents: []parent{{name: "posts", field: "post"}},
	})}
}

// Add counts a view once per viewer and hour. The viewer is a user's id, or what
// tells apart those who are not logged in. It says whether this one counted.
func (m *Views) Add(ctx context.Context, post bson.ObjectID, viewer string) (counted bool, err error) {
	hash := hmac.New(sha256.New, m.key)
	hash.Write([]byte(viewer))
	hour := m.db.now().Truncate(time.Hour)
	view := View{
		ID: bson.NewObjectID(), Post: post, Viewer: hash.Sum(nil)[:16], Hour: hour, ExpiresAt: hour.Add(2 * time.Hour),
	}
	_, err = m.views.InsertOne(ctx, view)
	if mongo.IsDuplicateKeyError(err) {
		return false, nil
	} else if err != nil {
		return false, translate(err)
	}
	err = m.db.count(ctx, tally{parent: "posts", id: post, counter: "views", by: 1, change: view.ID})
	return err == nil, err
}
