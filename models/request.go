package models

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Request is a request that came with an idempotency key, so that a retry gets the first one's result
// (draft-ietf-httpapi-idempotency-key-header). Its id is a keyed hash of the user, the route and the key.
type Request struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Content   []byte        `bson:"content"` // a keyed hash of what was sent
	Turn      bson.ObjectID `bson:"turn"`    // identifies the attempt that is working on it
	Until     time.Time     `bson:"until"`   // when that attempt counts as dead, unless it renews its lease
	Changed   bool          `bson:"changed"` // the attempt has changed something
	Result    *Result       `bson:"result,omitempty"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// Result is the response that every retry gets.
type Result struct {
	Status   int    `bson:"status"`
	Location string `bson:"location"`
	Type     string `bson:"type"`
	Flash    string `bson:"flash"`
	Body     []byte `bson:"body"`
}

const (
	requestsKept = 24 * time.Hour
	// TurnTime is how long an attempt may go without renewing. After that its process counts as dead, and the next
	// attempt takes over.
	TurnTime = 30 * time.Second
)

// Requests are the requests of the last day that came with an idempotency key.
type Requests struct {
	db       *store.DB
	requests *store.Documents[Request]
	key      []byte
}

// NewRequests registers the requests. The key is for the hashes.
func NewRequests(db *store.DB, key string) *Requests {
	return &Requests{db: db, key: []byte("requests:" + key), requests: store.Register[Request](db, store.Kind{
		Name:    "requests",
		Indexes: []mongo.IndexModel{store.Index("user", "_id"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}},
		Loose:   map[string]string{"turn": "names an attempt, and no document"},
		Export:  store.Export{Not: "for a day they keep a request from being done twice; what it did is in the other kinds"},
	})}
}

// Take takes the turn of a request, or returns its stored result. An error with RetryAfter means that another attempt,
// perhaps in another process, is working on it. The route is its method and path; the content is whatever distinguishes
// it from other requests.
func (m *Requests) Take(ctx context.Context, user bson.ObjectID, route, key string, content []byte) (*Request, error) {
	now := m.db.Now()
	r := &Request{
		ID: bson.ObjectID(m.hash([]byte(user.Hex()), []byte(route), []byte(key))[:12]), User: user, Content: m.hash(content),
		Turn: bson.NewObjectID(), Until: now.Add(TurnTime), ExpiresAt: now.Add(requestsKept),
	}
	err := m.requests.Insert(ctx, r)
	if !apperr.Is(err, apperr.Conflict) {
		return r, err
	}
	first, err := m.requests.ByID(ctx, r.ID)
	switch {
	case apperr.Is(err, apperr.NotFound): // it failed, and its key is free again
		return nil, errBusy(0).Because(err)
	case err != nil:
		return nil, err
	case !now.Before(first.ExpiresAt): // expired, but the database has not removed it yet
		return m.takeOver(ctx, first, r)
	case !bytes.Equal(first.Content, r.Content):
		return nil, apperr.New(apperr.Invalid, "This was already sent with different content. To send something else, open the form again or use a new key.")
	case first.Result != nil:
		return first, nil
	case now.Before(first.Until):
		return nil, errBusy(first.Until.Sub(now))
	case first.Changed:
		return nil, apperr.New(apperr.Conflict, "This was received before and probably succeeded, but the site stopped before it could respond. Check whether it's there before you send it again.")
	}
	return m.takeOver(ctx, first, r)
}

// takeOver replaces an attempt that is dead with r. Of several that try, one succeeds. None does if the attempt was
// only slow and has renewed its lease.
func (m *Requests) takeOver(ctx context.Context, dead, r *Request) (*Request, error) {
	taken, err := m.requests.Update(ctx, store.Where("_id", dead.ID, "turn", dead.Turn, "until", dead.Until, "changed", dead.Changed), bson.D{
		store.Set("content", r.Content, "turn", r.Turn, "until", r.Until, "changed", false, "expiresAt", r.ExpiresAt), store.Unset("result"),
	})
	if apperr.Is(err, apperr.NotFound) {
		return nil, errBusy(0).Because(err)
	}
	return taken, err
}

func errBusy(wait time.Duration) *apperr.Error {
	e := apperr.New(apperr.Conflict, "This is already in progress. Try again in a moment.")
	e.RetryAfter = max(wait, time.Second)
	return e
}

// Within returns the context for the request's changes. Every change made with it is committed together with a note
// that the request has changed something, and not at all if another attempt has its turn. So nothing is done twice,
// whenever a process stops.
func (m *Requests) Within(ctx context.Context, r *Request) context.Context {
	return store.WithFence(ctx, func(ctx context.Context) error {
		_, err := m.requests.Update(ctx, m.turn(r), bson.D{store.Set("changed", true)})
		if apperr.Is(err, apperr.NotFound) {
			return errBusy(0).Because(err)
		}
		return err
	})
}

// Live renews the attempt's lease.
func (m *Requests) Live(ctx context.Context, r *Request) error {
	_, err := m.requests.Update(ctx, m.turn(r), bson.D{store.Set("until", m.db.Now().Add(TurnTime))})
	return err
}

// Finish stores the result for every retry.
func (m *Requests) Finish(ctx context.Context, r *Request, result Result) error {
	_, err := m.requests.Update(ctx, m.turn(r), bson.D{store.Set("result", result, "changed", true)})
	return err
}

// Release frees the key of a request that had no effect.
func (m *Requests) Release(ctx context.Context, r *Request) error {
	_, err := m.requests.Delete(ctx, m.turn(r))
	return err
}

// ReleaseUnchanged is Release for a request that may have had an effect: if it has, the key stays taken.
func (m *Requests) ReleaseUnchanged(ctx context.Context, r *Request) error {
	_, err := m.requests.Delete(ctx, append(m.turn(r), store.Where("changed", false)...))
	return err
}

func (m *Requests) turn(r *Request) bson.D { return store.Where("_id", r.ID, "turn", r.Turn) }

func (m *Requests) hash(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, m.key)
	for _, part := range parts {
		h.Write(part)
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}
