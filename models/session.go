package models

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
	"tokentube/utils/cache"
	"tokentube/utils/token"
)

// Session is one login on one device. The refresh tokens that follow one another
// in it are its family: one is current, the last few are remembered. No token is
// kept, only what it takes to recognise one and to make it again.
type Session struct {
	ID         bson.ObjectID    `bson:"_id"`
	User       bson.ObjectID    `bson:"user"`
	Kind       SessionKind      `bson:"kind"`
	Remember   bool             `bson:"remember"` // "keep me signed in"
	Current    RefreshToken     `bson:"current"`
	Recent     []RecentToken    `bson:"recent"` // oldest first
	UserAgent  string           `bson:"userAgent"`
	IP         string           `bson:"ip"`
	Renewals   int64            `bson:"renewals"`   // how often its tokens were renewed
	LastSeenAt time.Time        `bson:"lastSeenAt"` // when they were last: no other use is written down
	ExpiresAt  time.Time        `bson:"expiresAt"`
	CreatedAt  time.Time        `bson:"createdAt"`
	RevokedAt  *time.Time       `bson:"revokedAt,omitempty"`
	RevokedFor RevocationReason `bson:"revokedFor,omitempty"`
}

// RefreshToken identifies the newest refresh token of a session.
type RefreshToken struct {
	ID        string    `bson:"jti"`
	IssuedAt  time.Time `bson:"issuedAt"`
	ExpiresAt time.Time `bson:"expiresAt"`
	Seen      bool      `bson:"seen"` // an access token made with it was used: it has arrived
}

// RecentToken identifies one that was replaced. Until is when its grace ends; it
// is not set while its successor has not been seen.
type RecentToken struct {
	ID    string     `bson:"jti"`
	Until *time.Time `bson:"until,omitempty"`
}

const (
	rememberedTokens   = 8
	maxAgeUnremembered = 24 * time.Hour
)

// ErrSessionOver: the session does not exist, has run out, or was revoked.
var ErrSessionOver = errors.New("the session is over")

// ErrTokenReused: a refresh token came back after its successor was in use. One
// of the two who hold it is a thief, so the session was ended for both.
var ErrTokenReused = errors.New("a replaced refresh token was used again")

// Sessions are the logins.
type Sessions struct {
	db       *DB
	sessions Collection
	kind     SessionKind
	policy   SessionPolicy
	cache    *cache.Cache[bson.ObjectID, *Session]
}

// Create begins a session. EndOldest is to follow: a user has fifty at most.
func (m *Sessions) Create(ctx context.Context, user bson.ObjectID, remember bool, d Device) (*Session, error) {
	now := m.db.now()
	s := &Session{
		ID: bson.NewObjectID(), User: user, Kind: m.kind, Remember: remember, Recent: []RecentToken{},
		UserAgent: d.UserAgent, IP: d.IP, CreatedAt: now, LastSeenAt: now,
	}
	s.Current = m.nextToken(s, now)
	s.ExpiresAt = s.Current.ExpiresAt
	if _, err := m.sessions.InsertOne(ctx, s); err != nil {
		return nil, translate(err)
	}
	return s, nil
}

// nextToken identifies a new refresh token: anew a full term from now, but never
// past the session's absolute limit.
func (m *Sessions) nextToken(s *Session, now time.Time) RefreshToken {
	maxAge := m.policy.MaxAge
	if !s.Remember {
		maxAge = min(maxAge, maxAgeUnremembered)
	}
	end := now.Add(m.policy.RefreshTTL)
	if last := s.CreatedAt.Add(maxAge); last.Before(end) {
		end = last
	}
	// Whole seconds, as a token says them (RFC 7519 2), so that the same token can
	// be made again.
	return RefreshToken{ID: token.NewID(), IssuedAt: now.Truncate(time.Second), ExpiresAt: end.Truncate(time.Second)}
}

// ByID loads a live session, past every cache.
func (m *Sessions) ByID(ctx context.Context, id bson.ObjectID) (*Session, error) {
	return m.ifLive(m.load(ctx, id))
}

// Cached is ByID, up to five seconds old in processes other than the one that
// made a change. The session is shared: do not change it.
func (m *Sessions) Cached(ctx context.Context, id bson.ObjectID) (*Session, error) {
	return m.ifLive(m.cache.Get(id, func() (*Session, error) { return m.load(ctx, id) }))
}

func (m *Sessions) load(ctx context.Context, id bson.ObjectID) (*Session, error) {
	s, err := decode[Session](m.sessions.FindOne(ctx, bson.D{{Key: "_id", Value: id}}))
	if apperr.Is(err, apperr.NotFound) {
		return nil, ErrSessionOver
	}
	return s, err
}

// ifLive refuses a session that has ended, or is of another kind.
func (m *Sessions) ifLive(s *Session, err error) (*Session, error) {
	if err == nil && (s.Kind != m.kind || s.RevokedAt != nil || !m.db.now().Before(s.ExpiresAt)) {
		return nil, ErrSessionOver
	}
	return s, err
}

// Rotate exchanges the refresh token with this jti. Exactly one of any number of
// concurrent callers replaces the current one; the others, and whoever comes
// within the grace or did not get the answer, are given the same successor:
// Current of the session that is returned. First tells the one who replaced it.
func (m *Sessions) Rotate(ctx context.Context, id bson.ObjectID, jti string, d Device) (s *Session, first bool, err error) {
	// A round is lost only to another rotation, after which the token is no longer
	// current, or to MarkSeen, which writes once: three rounds always decide.
	for range 3 {
		s, err := m.CheckRefreshToken(ctx, id, jti)
		if err != nil || s.Current.ID != jti {
			return s, false, err
		}
		next, err := m.replaceCurrent(ctx, s, d)
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return next, true, err
		}
	}
	return nil, false, ErrSessionOver // revoked between the read and the write
}

// CheckRefreshToken loads the session of a refresh token, past the cache, if the
// token is still accepted. A token that was replaced and whose successor is in use is
// theft: the session ends, and the event is kept for the user to see.
func (m *Sessions) CheckRefreshToken(ctx context.Context, id bson.ObjectID, jti string) (*Session, error) {
	s, err := m.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.accepts(jti, m.db.now()) {
		return s, nil
	}
	if _, err = m.End(ctx, s.User, s.ID, TokenReused); apperr.Is(err, apperr.NotFound) {
		return s, ErrSessionOver // another request was first to find it out
	}
	return s, errors.Join(ErrTokenReused, err)
}

// accepts tells whether a refresh token is the current one, or one that was
// replaced and whose grace has not ended.
func (s *Session) accepts(jti string, now time.Time) bool {
	if jti == s.Current.ID {
		return true
	}
	for _, r := range s.Recent {
		if r.ID == jti {
			return r.Until == nil || now.Before(*r.Until)
		}
	}
	return false
}

// replaceCurrent makes the next token current, in one write that succeeds only
// on the session exactly as it was read.
func (m *Sessions) replaceCurrent(ctx context.Context, s *Session, d Device) (*Session, error) {
	now := m.db.now()
	next := m.nextToken(s, now)
	recent := append(m.startGrace(s.Recent, now), RecentToken{ID: s.Current.ID})
	recent = recent[max(0, len(recent)-rememberedTokens):]
	update := bson.D{{Key: "$set", Value: bson.D{
		{Key: "current", Value: next}, {Key: "recent", Value: recent},
		{Key: "expiresAt", Value: next.ExpiresAt}, {Key: "lastSeenAt", Value: now},
		{Key: "renewals", Value: s.Renewals + 1},
		{Key: "userAgent", Value: d.UserAgent}, {Key: "ip", Value: d.IP},
	}}}
	result := m.sessions.FindOneAndUpdate(ctx, m.unchanged(s), update, options.FindOneAndUpdate().SetReturnDocument(options.After))
	defer m.cache.Drop(s.ID)
	rotated, err := decode[Session](result)
	return rotated, err
}

// unchanged is the condition that a session lives and that its tokens are as
// they were read: the recent ones change only together with these two.
func (m *Sessions) unchanged(s *Session) bson.D {
	return bson.D{
		{Key: "_id", Value: s.ID},
		{Key: "current.jti", Value: s.Current.ID}, {Key: "current.seen", Value: s.Current.Seen},
		{Key: "revokedAt", Value: absent},
		{Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: m.db.now()}}},
	}
}

// startGrace gives the replaced tokens that have no end yet theirs: their
// successor was used, so whoever is still coming with them has the grace.
func (m *Sessions) startGrace(recent []RecentToken, now time.Time) []RecentToken {
	started := make([]RecentToken, 0, len(recent)+1)
	until := now.Add(m.policy.Grace)
	for _, r := range recent {
		if r.Until == nil {
			r.Until = &until
		}
		started = append(started, r)
	}
	return started
}

// MarkSeen notes that the session's newest tokens have arrived, the first time
// that an access token made with them is used.
func (m *Sessions) MarkSeen(ctx context.Context, s *Session) error {
	update := bson.D{{Key: "$set", Value: bson.D{
		{Key: "current.seen", Value: true}, {Key: "recent", Value: m.startGrace(s.Recent, m.db.now())},
	}}}
	defer m.cache.Drop(s.ID)
	_, err := m.sessions.UpdateOne(ctx, m.unchanged(s), update)
	return translate(err)
}

// End ends a live session of the user and returns it as it is then. Anybody
// else's is not found, and one that has ended is not either: of all who end a
// session one is told so, and the event is noted once.
func (m *Sessions) End(ctx context.Context, user, id bson.ObjectID, why RevocationReason) (*Session, error) {
	filter := append(bson.D{{Key: "_id", Value: id}}, m.liveOfUser(user)...)
	result := m.sessions.FindOneAndUpdate(ctx, filter, m.revocation(why), options.FindOneAndUpdate().SetReturnDocument(options.After))
	defer m.cache.Drop(id)
	ended, err := decode[Session](result)
	if err != nil {
		return nil, err
	}
	return ended, nil
}
