package models

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// Like says that a user likes a post.
type Like struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Target    bson.ObjectID `bson:"target"`
	CreatedAt time.Time     `bson:"createdAt"`
}

// Likes are who likes what.
type Likes struct {
	db    *DB
	likes Collection
	posts *Posts
}

// NewLikes registers the likes.
func NewLikes(db *DB, posts *Posts) *Likes {
	return &Likes{db: db, posts: posts, likes: db.register(entity{
		name:    "likes",
		indexes: indexes(uniqueIndex("user", "target"), index("target", "_id")),
		parents: []parent{
			{name: "users", field: "user"},
			{name: "posts", field: "target", counter: "likesCount"},
		},
	})}
}

// Add lets a user like a post that they can see. The unique index makes it count
// once, however often and from however many tabs it is asked for.
func (m *Likes) Add(ctx context.Context, user, post bson.ObjectID) error {
	if _, err := m.posts.Visible(ctx, user, post); err != nil {
		return err
	}
	like := Like{ID: bson.NewObjectID(), User: user, Target: post, CreatedAt: m.db.now()}
	_, err := m.likes.InsertOne(ctx, like)
	if mongo.IsDuplicateKeyError(err) {
		return nil
	}
	if inDoubt(err) {
		m.db.settle("a like", func(ctx context.Context) (bool, error) { return m.countIfMade(ctx, like) })
	}
	if err != nil {
		return translate(err)
	}
	err = m.db.count(ctx, like.counts(1))
	if err != nil { // the post went away in between
		_, _ = m.likes.DeleteOne(context.WithoutCancel(ctx), bson.D{{Key: "_id", Value: like.ID}})
	}
	return err
}

// countIfMade counts a like that may or may not have been made. One that is there
// must be counted, because asking for it again changes nothing; so must one that
// was taken back meanwhile, which has lowered the count.
func (m *Likes) countIfMade(ctx context.Context, like Like) (bool, error) {
	n, err := m.likes.CountDocuments(ctx, bson.D{{Key: "_id", Value: like.ID}})
	if err != nil {
		return false, err
	}
	filter := bson.D{}
	if n == 0 {
		filter = bson.D{{Key: "uncounted", Value: like.ID}}
	}
	counted, err := m.db.countOnce(ctx, like.counts(1), filter)
	return n > 0 || counted, err
}

func (l Like) counts(by int64) tally {
	return tally{parent: "posts", id: l.Target, counter: "likesCount", by: by, change: l.ID}
}

// Remove takes a like back. Only the call that really deleted it lowers the
// count; a like that is being removed with its account is passed over.
func (m *Likes) Remove(ctx context.Context, user, post bson.ObjectID) error {
	if _, err := m.posts.Visible(ctx, user, post); err != nil {
		return err
	}
	like, err := decode[Like](m.likes.FindOne(ctx, live(bson.E{Key: "user", Value: user}, bson.E{Key: "target", Value: post})))
	if apperr.Is(err, apperr.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	filter := live(bson.E{Key: "_id", Value: like.ID})
	result, err := m.likes.DeleteOne(ctx, filter)
	if inDoubt(err) {
		m.db.eventually("a like taken back", func(ctx context.Context) error {
			if _, err := m.likes.DeleteOne(ctx, filter); err != nil {
				return err
			}
			_, err := m.db.countOnce(ctx, like.counts(-1), bson.D{})
			return err
		})
	}
	if err != nil || result.DeletedCount == 0 {
		return translate(err)
	}
	err = m.db.count(ctx, like.counts(-1))
	if apperr.Is(err, apperr.NotFound) { // counted by an earlier try, or gone with its post
		return nil
	}
	return err
}

// Of tells which of the posts a user likes, in one query.
func (m *Likes) Of(ctx context.Context, user bson.ObjectID, posts []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	liked := make(map[bson.ObjectID]bool, len(posts))
	if len(posts) == 0 || user.IsZero() {
		return liked, nil
	}
	filter := bson.D{{Key: "user", Value: user}, {Key: "target", Value: bson.D{{Key: "$in", Value: posts}}}}
	cursor, err := m.likes.Find(ctx, filter, options.Find().SetProjection(bson.D{{Key: "target", Value: 1}}))
	likes, err := collect[Like](ctx, cursor, err)
	for _, like := range likes {
		liked[like.Target] = true
	}
	return liked, err
}
