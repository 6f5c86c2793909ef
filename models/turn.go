package models

import (
	"context"
	"crypto/sha256"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Turn is a lease on a job that must not run twice at once, in any process. Its id is a hash of the job's name. It
// expires if its process dies.
type Turn struct {
	ID     bson.ObjectID `bson:"_id"`
	Holder bson.ObjectID `bson:"holder"` // names the run
	Until  time.Time     `bson:"until"`  // when the run counts as dead, unless it renews
}

// Turns are the leases that are held.
type Turns struct {
	db    *store.DB
	turns *store.Documents[Turn]
}

// NewTurns registers the turns.
func NewTurns(db *store.DB) *Turns {
	return &Turns{db: db, turns: store.Register[Turn](db, store.Kind{
		Name:    "turns",
		Indexes: []mongo.IndexModel{store.Expiry("until")},
		Loose:   map[string]string{"holder": "names a run, and no document"},
		Export:  store.Export{Not: "they are the site's"},
	})}
}

// Take acquires the turn for a job. While another run holds it, it returns a conflict with RetryAfter.
func (m *Turns) Take(ctx context.Context, job string) (*Turn, error) {
	now, sum := m.db.Now(), sha256.Sum256([]byte(job))
	t := &Turn{ID: bson.ObjectID(sum[:12]), Holder: bson.NewObjectID(), Until: now.Add(TurnTime)}
	err := m.turns.Insert(ctx, t)
	if !apperr.Is(err, apperr.Conflict) {
		return t, err
	}
	dead := store.Where("_id", t.ID, "until", store.Where("$lte", now))
	_, err = m.turns.Update(ctx, dead, bson.D{store.Set("holder", t.Holder, "until", t.Until)})
	if apperr.Is(err, apperr.NotFound) {
		return nil, errBusy(TurnTime).Because(err)
	}
	return t, err
}

// Live renews the turn. If another run holds it by now, it returns a conflict.
func (m *Turns) Live(ctx context.Context, t *Turn) error {
	_, err := m.turns.Update(ctx, m.held(t), bson.D{store.Set("until", m.db.Now().Add(TurnTime))})
	if apperr.Is(err, apperr.NotFound) {
		return errBusy(TurnTime).Because(err)
	}
	return err
}

// Within returns the context for the run's changes. It fences them: no unit of changes is made with it once another run
// holds the turn, however long this process was suspended.
func (m *Turns) Within(ctx context.Context, t *Turn) context.Context {
	return store.WithFence(ctx, func(ctx context.Context) error { return m.Live(ctx, t) })
}

// Give releases the turn.
func (m *Turns) Give(ctx context.Context, t *Turn) error {
	_, err := m.turns.Delete(ctx, m.held(t))
	return err
}

func (m *Turns) held(t *Turn) bson.D { return store.Where("_id", t.ID, "holder", t.Holder) }
