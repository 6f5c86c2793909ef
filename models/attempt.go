package models

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/ratelimit"
)

// Attempt is a bucket of a rate limit (utils/ratelimit) that all processes share.
// Its id is a keyed hash: neither names nor addresses are stored.
type Attempt struct {
	ID        []byte    `bson:"_id"`
	Full      int64     `bson:"full"` // when it is full again, in ms since 1970: $inc doesn't work on dates
	ExpiresAt time.Time `bson:"expiresAt"`
}

// Attempts count what all processes must count together: password attempts.
type Attempts struct {
	db       *store.DB
	attempts *store.Documents[Attempt]
	key      []byte
	empty    *ratelimit.Memory // the buckets that have refused
}

// emptyKept is how many empty buckets are remembered, in about 2 MB. One that has been dropped is read again.
const emptyKept = 50_000

// NewAttempts registers the attempts. The key is for the hashes.
func NewAttempts(db *store.DB, key string) *Attempts {
	return &Attempts{db: db, key: []byte("attempts:" + key), empty: ratelimit.NewMemory(emptyKept), attempts: store.Register[Attempt](db, store.Kind{
		Name: "attempts", Essential: true, Indexes: []mongo.IndexModel{store.Expiry("expiresAt")},
	})}
}

// Shared reports whether other processes may count here too.
func (m *Attempts) Shared() bool { return m.db.Shared() }

// Refused reports, without a database read, whether the bucket is known to be empty, and its state: a bucket that has
// refused once is remembered until it refills by one. So refused attempts take memory, but no writes.
func (m *Attempts) Refused(l ratelimit.Limit, who ...string) (ratelimit.State, bool) {
	return m.refused(l, m.id(l, who), m.db.Now())
}

func (m *Attempts) refused(l ratelimit.Limit, id []byte, now time.Time) (ratelimit.State, bool) {
	full := m.empty.Get(string(id))
	_, would := l.Take(full, now)
	return l.At(full, now, false), !would.OK
}

// Take takes one from the bucket that is named by all of who. Each step is one atomic update that only one of any
// number of processes can win, so a thousand concurrent attempts pass no more than a thousand sequential ones.
func (m *Attempts) Take(ctx context.Context, l ratelimit.Limit, who ...string) (ratelimit.State, error) {
	id := m.id(l, who)
	if state, refused := m.refused(l, id, m.db.Now()); refused {
		return state, nil
	}
	for range 5 {
		now := m.db.Now()
		state, err := m.takeMore(ctx, l, id, now)
		if !apperr.Is(err, apperr.NotFound) {
			return state, err
		}
		state, err = m.takeFirst(ctx, l, id, now)
		if !apperr.Is(err, apperr.Conflict) {
			return state, err
		}
		// It was empty a moment ago, or somebody else took the first one.
		kept, err := m.attempts.One(ctx, store.Where("_id", id))
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return state, err
		}
		if err == nil {
			m.empty.Put(string(id), time.UnixMilli(kept.Full), now)
			if state, refused := m.refused(l, id, now); refused {
				return state, nil
			}
		}
	}
	return ratelimit.State{}, apperr.Crowd(time.Second, "Too many attempts at once. Try again.").Because(errors.New("a bucket changed under every try"))
}

// takeMore takes one from a bucket that is neither full nor empty.
func (m *Attempts) takeMore(ctx context.Context, l ratelimit.Limit, id []byte, now time.Time) (ratelimit.State, error) {
	notEmpty := now.Add(l.Step() * time.Duration(l.Quota-1)).UnixMilli()
	kept, err := m.attempts.Update(ctx,
		store.Where("_id", id, "full", store.Where("$gt", now.UnixMilli(), "$lte", notEmpty)),
		bson.D{store.Inc("full", l.Step().Milliseconds()), store.Set("expiresAt", now.Add(l.Window))})
	if err != nil {
		return ratelimit.State{}, err
	}
	return l.At(time.UnixMilli(kept.Full), now, true), nil
}

// takeFirst takes one from a bucket that is full or was never used. For any other bucket, the upsert fails with a
// duplicate key.
func (m *Attempts) takeFirst(ctx context.Context, l ratelimit.Limit, id []byte, now time.Time) (ratelimit.State, error) {
	full, state := l.Take(now, now)
	err := m.attempts.Upsert(ctx, store.Where("_id", id, "full", store.Where("$lte", now.UnixMilli())),
		bson.D{store.Set("full", full.UnixMilli(), "expiresAt", now.Add(l.Window))})
	return state, err
}

// GiveBack returns what Take took. Other processes may keep refusing until the bucket refills by one.
func (m *Attempts) GiveBack(ctx context.Context, l ratelimit.Limit, who ...string) error {
	id := m.id(l, who)
	err := m.attempts.Add(ctx, id, "full", -l.Step().Milliseconds())
	m.empty.Forget(string(id))
	return err
}

func (m *Attempts) id(l ratelimit.Limit, who []string) []byte {
	hash := hmac.New(sha256.New, m.key)
	hash.Write([]byte(l.Name + "\x00" + strings.Join(who, "\x00")))
	return hash.Sum(nil)[:16]
}
