package store

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Related relates a user to a target.
type Related struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Target    bson.ObjectID `bson:"target"`
	CreatedAt time.Time     `bson:"createdAt"`
}

// Relation is "who X what": likes, bookmarks, subscriptions. Each pair exists once, however many requests add it, and
// is counted where the parents say so.
type Relation struct {
	docs    *Documents[Related]
	changed func(r *Related, by int64)
}

// NewRelation registers a relation of users to targets.
func NewRelation(db *DB, name string, user, target Parent) *Relation {
	user.Field, target.Field = "user", "target"
	return &Relation{docs: Register[Related](db, Kind{
		Name:    name,
		Indexes: []mongo.IndexModel{Unique("user", "target"), Index("user", "-_id"), Index("target", "-_id")},
		Parents: []Parent{user, target},
		Export:  Export{By: "user", Fields: []string{"target", "createdAt"}},
	})}
}

// OnChange makes f called with what was added (1) or removed (-1), once that is committed. It isn't called for what is
// removed with a user or a target.
func (r *Relation) OnChange(f func(r *Related, by int64)) { r.changed = f }

func (r *Relation) tell(ctx context.Context, related *Related, by int64) {
	if r.changed != nil {
		After(ctx, func() { r.changed(related, by) })
	}
}

// Add relates the user to the target. It is idempotent.
func (r *Relation) Add(ctx context.Context, user, target bson.ObjectID) error {
	return r.AddWith(ctx, user, target, nothing)
}

// AddWith is Add together with another change: if the two were not related before, that runs in the same transaction,
// last. By then, updating the parents' counts makes concurrent calls for the same parents wait.
func (r *Relation) AddWith(ctx context.Context, user, target bson.ObjectID, also func(ctx context.Context) error) error {
	err := r.docs.kind.db.Atomically(ctx, func(ctx context.Context) error {
		// A duplicate key would roll back the rest of the change.
		if related, err := r.Of(ctx, user, []bson.ObjectID{target}); err != nil || related[target] {
			return err
		}
		added := &Related{ID: bson.NewObjectID(), User: user, Target: target, CreatedAt: r.docs.kind.db.Now()}
		if err := r.docs.Insert(ctx, added); err != nil {
			return err
		}
		err := also(ctx)
		if err == nil {
			r.tell(ctx, added, 1)
		}
		return err
	})
	if mongo.IsDuplicateKeyError(err) { // another request came in between
		return nil
	}
	return err
}

// Remove ends the relation. It is idempotent.
func (r *Relation) Remove(ctx context.Context, user, target bson.ObjectID) error {
	return r.RemoveWith(ctx, user, target, nothing)
}

// RemoveWith is Remove together with another change: if the two were related, that runs in the same transaction.
func (r *Relation) RemoveWith(ctx context.Context, user, target bson.ObjectID, also func(ctx context.Context) error) error {
	return r.docs.kind.db.Atomically(ctx, func(ctx context.Context) error {
		removed, err := r.docs.Take(ctx, Where("user", user, "target", target))
		if err != nil || removed == nil {
			return err
		}
		if err := also(ctx); err != nil {
			return err
		}
		r.tell(ctx, removed, -1)
		return nil
	})
}

func nothing(context.Context) error { return nil }

// Of returns which of the targets the user is related to, in one query.
func (r *Relation) Of(ctx context.Context, user bson.ObjectID, targets []bson.ObjectID) (map[bson.ObjectID]bool, error) {
	related := make(map[bson.ObjectID]bool, len(targets))
	if len(targets) == 0 || user.IsZero() {
		return related, nil
	}
	err := r.docs.kind.Each(ctx, Where("user", user, "target", In(targets)), func(raw bson.Raw) error {
		related[raw.Lookup("target").ObjectID()] = true
		return nil
	}, options.Find().SetProjection(keys("target")))
	return related, translate(err)
}

// By returns which of the users are related to the target, in one query.
func (r *Relation) By(ctx context.Context, users []bson.ObjectID, target bson.ObjectID) (map[bson.ObjectID]bool, error) {
	related := make(map[bson.ObjectID]bool, len(users))
	if len(users) == 0 || target.IsZero() {
		return related, nil
	}
	err := r.docs.kind.Each(ctx, Where("user", In(users), "target", target), func(raw bson.Raw) error {
		related[raw.Lookup("user").ObjectID()] = true
		return nil
	}, options.Find().SetProjection(keys("user")))
	return related, translate(err)
}

// Targets are the ids of what the user is related to, latest first, up to a limit.
func (r *Relation) Targets(ctx context.Context, user bson.ObjectID, limit int) ([]bson.ObjectID, error) {
	ids := []bson.ObjectID{}
	err := r.docs.kind.Each(ctx, Where("user", user), func(raw bson.Raw) error {
		ids = append(ids, raw.Lookup("target").ObjectID())
		return nil
	}, options.Find().SetSort(keys("-_id")).SetLimit(int64(limit)).SetProjection(keys("target")))
	return ids, translate(err)
}

// Page lists what the user is related to, latest first.
func (r *Relation) Page(ctx context.Context, user bson.ObjectID, p Paging) (Page[*Related], error) {
	return r.docs.Page(ctx, Where("user", user), Order{"-_id"}, p)
}

// PageOf lists the users who are related to the target, latest first.
func (r *Relation) PageOf(ctx context.Context, target bson.ObjectID, p Paging) (Page[*Related], error) {
	return r.docs.Page(ctx, Where("target", target), Order{"-_id"}, p)
}

// Users are the ids of the users in the relations.
func Users(related []*Related) []bson.ObjectID {
	ids := make([]bson.ObjectID, len(related))
	for i, r := range related {
		ids[i] = r.User
	}
	return ids
}

// Targets are the ids of the targets in the relations.
func Targets(related []*Related) []bson.ObjectID {
	ids := make([]bson.ObjectID, len(related))
	for i, r := range related {
		ids[i] = r.Target
	}
	return ids
}
