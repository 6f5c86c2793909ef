package models

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/token"
)

// Session is one login on one device. The refresh tokens that succeed one another in it are its family: one is current,
// the last few are remembered. No token is stored, only what is needed to recognise it and to make it again.
type Session struct {
	ID         bson.ObjectID `bson:"_id"`
	User       bson.ObjectID `bson:"user"`
	Kind       SessionKind   `bson:"kind"`
	Remember   bool          `bson:"remember"` // "keep me logged in"
	Current    RefreshToken  `bson:"current"`
	Recent     []RecentToken `bson:"recent"` // oldest first
	UserAgent  string        `bson:"userAgent"`
	IP         string        `bson:"ip"`
	Renewals   int64         `bson:"renewals"`   // how often its tokens were renewed
	LastSeenAt time.Time     `bson:"lastSeenAt"` // the last renewal: no other use is recorded
	ExpiresAt  time.Time     `bson:"expiresAt"`
	CreatedAt  time.Time     `bson:"createdAt"`
	ProvedAt   time.Time     `bson:"provedAt"` // when the user last confirmed who they are: see Proved
	EndedAt    *time.Time    `bson:"revokedAt,omitempty"`
	EndedFor   EndReason     `bson:"revokedFor,omitempty"`
}

// RefreshToken identifies the newest refresh token of a session.
type RefreshToken struct {
	ID        string    `bson:"jti"`
	IssuedAt  time.Time `bson:"issuedAt"`
	ExpiresAt time.Time `bson:"expiresAt"`
	Seen      bool      `bson:"seen"` // an access token made with it was used, so it has arrived
}

// RecentToken identifies a replaced token. Until is the end of its grace period, unset while its successor has not been
// seen.
type RecentToken struct {
	ID    string     `bson:"jti"`
	Until *time.Time `bson:"until,omitempty"`
}

// SessionKind separates the site's sessions from those of the Token lab: tokens of one kind don't work for the other.
type SessionKind string

// The kinds of sessions.
const (
	Web SessionKind = "web"
	Lab SessionKind = "lab" // without its user's roles
)

// EndReason is why a session ended.
type EndReason string

// The reasons.
const (
	LoggedOut       EndReason = "logout"
	NewLogin        EndReason = "new_login"
	PasswordChanged EndReason = "password_changed"
	TokenReused     EndReason = "token_reuse"
	EndedByUser     EndReason = "ended" // from another device
	TooMany         EndReason = "too_many_sessions"
	Disabled        EndReason = "disabled" // the account, by a moderator
	EndedByAdmin    EndReason = "ended_by_admin"
	Restored        EndReason = "restored" // from a backup, which doesn't know what has ended since
)

const (
	recentTokens       = 8
	sessionsPerUser    = 50
	endTogether        = 200 // sessions in one transaction
	maxAgeUnremembered = 24 * time.Hour
)

// ErrSessionOver: the session doesn't exist, has expired, or has ended.
var ErrSessionOver = errors.New("the session is over")

// ErrTokenReused: a refresh token was used after its successor. One of its two holders is a thief, so the session has
// ended for both.
var ErrTokenReused = errors.New("a replaced refresh token was used again")

// SessionPolicy defines how long sessions and their tokens last.
type SessionPolicy struct {
	RefreshTTL time.Duration // the idle limit, renewed at each rotation
	Grace      time.Duration // for a replaced token whose successor is in use
	MaxAge     time.Duration // the absolute limit
}

// Sessions are the logins.
type Sessions struct {
	db       *store.DB
	sessions *store.Documents[Session]
	kind     SessionKind
	policy   SessionPolicy
}

// NewSessions registers the sessions.
func NewSessions(db *store.DB, policy SessionPolicy) *Sessions {
	return &Sessions{db: db, kind: Web, policy: policy, sessions: store.Register[Session](db, store.Kind{
		Name: "sessions", Essential: true,
		Indexes: []mongo.IndexModel{store.Index("user", "createdAt"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}},
		Cached:  true,
		Export: store.Export{By: "user", Order: store.Order{"createdAt", "_id"}, Fields: []string{
			"kind", "remember", "userAgent", "ip", "renewals", "createdAt", "lastSeenAt", "provedAt", "expiresAt", "revokedAt", "revokedFor",
		}},
	})}
}

// OfKind are the sessions of another kind, in the same collection. Listing and ending cover all kinds.
func (m *Sessions) OfKind(kind SessionKind, policy SessionPolicy) *Sessions {
	other := *m
	other.kind, other.policy = kind, policy
	return &other
}

// rolesOf are the roles that the session's tokens give their user.
func (s *Session) rolesOf(u *User) []string {
	if s.Kind == Lab {
		return []string{}
	}
	return u.Roles
}

// Create starts a session. A user has at most fifty: the oldest ones beyond that are ended and returned.
func (m *Sessions) Create(ctx context.Context, user bson.ObjectID, remember bool, d Device) (s *Session, ended []*Session, err error) {
	now := m.db.Now()
	s = &Session{
		ID: bson.NewObjectID(), User: user, Kind: m.kind, Remember: remember, Recent: []RecentToken{},
		UserAgent: d.UserAgent, IP: d.IP, CreatedAt: now, LastSeenAt: now, ProvedAt: now,
	}
	s.Current = m.nextToken(s, now)
	s.ExpiresAt = s.Current.ExpiresAt
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		if err := m.sessions.Insert(ctx, s); err != nil {
			return err
		}
		all, err := m.OfUser(ctx, user)
		if err != nil {
			return err
		}
		ended, err = m.endEach(ctx, all[:max(0, len(all)-sessionsPerUser)], TooMany)
		return err
	})
	return s, ended, err
}

// proofLasts is how long a confirmation lasts.
const proofLasts = 10 * time.Minute

// Proved reports whether the user confirmed who they are within the last ten minutes, by the login that started the
// session or later. A token alone only proves that somebody did so once, and it can be stolen.
func (s *Session) Proved(now time.Time) bool { return now.Sub(s.ProvedAt).Abs() < proofLasts }

// ProvedUntil is until when no confirmation is needed.
func (s *Session) ProvedUntil() time.Time { return s.ProvedAt.Add(proofLasts) }

// Prove records that the user has just confirmed who they are. It doesn't touch the session's tokens, so it can't
// conflict with a concurrent renewal.
func (m *Sessions) Prove(ctx context.Context, user, id bson.ObjectID) (*Session, error) {
	s, err := m.sessions.Update(ctx, m.live("_id", id, "user", user), bson.D{store.Set("provedAt", m.db.Now())})
	if apperr.Is(err, apperr.NotFound) {
		err = ErrSessionOver
	}
	return s, err
}

// nextToken identifies a new refresh token: a full term from now, capped by the session's absolute limit.
func (m *Sessions) nextToken(s *Session, now time.Time) RefreshToken {
	maxAge := m.policy.MaxAge
	if !s.Remember {
		maxAge = min(maxAge, maxAgeUnremembered)
	}
	end := now.Add(m.policy.RefreshTTL)
	if last := s.CreatedAt.Add(maxAge); last.Before(end) {
		end = last
	}
	// Whole seconds, as in a token (RFC 7519 §2), so that the same token can be made again.
	return RefreshToken{ID: token.NewID(), IssuedAt: now.Truncate(time.Second), ExpiresAt: end.Truncate(time.Second)}
}

// ByID loads a live session, bypassing the cache.
func (m *Sessions) ByID(ctx context.Context, id bson.ObjectID) (*Session, error) {
	return m.ifLive(m.sessions.ByID(ctx, id))
}

// Cached is ByID from the cache: in processes other than the one that made a change, it may be up to store.CachedFor
// old. The session is shared, so don't change it.
func (m *Sessions) Cached(ctx context.Context, id bson.ObjectID) (*Session, error) {
	return m.ifLive(m.sessions.Cached(ctx, id))
}

// ifLive refuses a session that has ended, or is of another kind.
func (m *Sessions) ifLive(s *Session, err error) (*Session, error) {
	if apperr.Is(err, apperr.NotFound) {
		return nil, ErrSessionOver
	}
	if err == nil && (s.Kind != m.kind || s.EndedAt != nil || !m.db.Now().Before(s.ExpiresAt)) {
		return nil, ErrSessionOver
	}
	return s, err
}

// OfUser lists the user's live sessions, oldest first.
func (m *Sessions) OfUser(ctx context.Context, user bson.ObjectID) ([]*Session, error) {
	return m.sessions.List(ctx, m.live("user", user), store.Order{"createdAt"}, 0)
}

// OfUserByID loads a session of the user, even if it is over.
func (m *Sessions) OfUserByID(ctx context.Context, user, id bson.ObjectID) (*Session, error) {
	return m.sessions.One(ctx, store.Where("_id", id, "user", user, "kind", m.kind))
}

// CountLive counts the live sessions of all users, up to limit.
func (m *Sessions) CountLive(ctx context.Context, limit int) (int, error) {
	return m.sessions.Count(ctx, m.live("kind", m.kind), limit)
}

// live is the condition that a session has not ended, plus further conditions.
func (m *Sessions) live(conditions ...any) bson.D {
	return append(store.Where(conditions...), store.Where("revokedAt", store.Absent, "expiresAt", store.Where("$gt", m.db.Now()))...)
}

// Rotate exchanges the refresh token with this jti. Of any number of concurrent callers, exactly one replaces the
// current token. The others, and callers within the grace period or whose response was lost, get the same successor:
// Current of the returned session. First is true for the caller that replaced it.
func (m *Sessions) Rotate(ctx context.Context, id bson.ObjectID, jti string, d Device) (s *Session, first bool, err error) {
	// A round is only lost to another rotation, after which the token is no longer current, or to MarkSeen, which
	// writes once: three rounds are always enough.
	for range 3 {
		s, err := m.CheckRefreshToken(ctx, id, jti)
		if err != nil || s.Current.ID != jti {
			return s, false, err
		}
		next, err := m.replaceCurrent(ctx, s, d)
		if !apperr.Is(err, apperr.NotFound) {
			return next, true, err
		}
	}
	return nil, false, ErrSessionOver // ended between the read and the write
}

// CheckRefreshToken loads the session of a refresh token, bypassing the cache, if the token is still accepted. Reuse of
// a replaced token whose successor is in use is theft, and ends the session.
func (m *Sessions) CheckRefreshToken(ctx context.Context, id bson.ObjectID, jti string) (*Session, error) {
	s, err := m.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.accepts(jti, m.db.Now()) {
		return s, nil
	}
	if _, err = m.End(ctx, s.User, s.ID, TokenReused); apperr.Is(err, apperr.NotFound) {
		return s, ErrSessionOver // another request detected it first
	}
	return s, errors.Join(ErrTokenReused, err)
}

// accepts reports whether a refresh token is the current one, or a replaced one within its grace period.
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

// replaceCurrent makes the next token current, in one write that only succeeds if the session is exactly as it was
// read.
func (m *Sessions) replaceCurrent(ctx context.Context, s *Session, d Device) (*Session, error) {
	now := m.db.Now()
	next := m.nextToken(s, now)
	recent := append(m.startGrace(s.Recent, now), RecentToken{ID: s.Current.ID})
	recent = recent[max(0, len(recent)-recentTokens):]
	return m.sessions.Update(ctx, m.unchanged(s), bson.D{store.Set(
		"current", next, "recent", recent, "expiresAt", next.ExpiresAt, "lastSeenAt", now,
		"renewals", s.Renewals+1, "userAgent", d.UserAgent, "ip", d.IP,
	)})
}

// unchanged is the condition that a session is live and its tokens are as they were read: the recent ones only change
// together with these two.
func (m *Sessions) unchanged(s *Session) bson.D {
	return m.live("_id", s.ID, "current.jti", s.Current.ID, "current.seen", s.Current.Seen)
}

// startGrace starts the grace period of replaced tokens that have none yet: their successor was used, so requests that
// still come with one of them get the grace period.
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

// MarkSeen records that the session's newest tokens have arrived, the first time that an access token made with them is
// used.
func (m *Sessions) MarkSeen(ctx context.Context, s *Session) error {
	_, err := m.sessions.Update(ctx, m.unchanged(s), bson.D{store.Set("current.seen", true, "recent", m.startGrace(s.Recent, m.db.Now()))})
	if apperr.Is(err, apperr.NotFound) {
		return nil // renewed or ended since it was read
	}
	return err
}

// End ends a live session of the user and returns it as it is then. Other users' sessions and ended ones are not found:
// of several callers that end a session, only one succeeds, so the event is logged once.
func (m *Sessions) End(ctx context.Context, user, id bson.ObjectID, why EndReason) (*Session, error) {
	return m.sessions.Update(ctx, m.live("_id", id, "user", user), bson.D{store.Set("revokedAt", m.db.Now(), "revokedFor", why)})
}

// EndOthers ends every session of the user except one (zero: none is kept), and returns the ended ones.
func (m *Sessions) EndOthers(ctx context.Context, user, keep bson.ObjectID, why EndReason) (ended []*Session, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		all, err := m.OfUser(ctx, user)
		if err != nil {
			return err
		}
		ended, err = m.endEach(ctx, slices.DeleteFunc(all, func(s *Session) bool { return s.ID == keep }), why)
		return err
	})
	return ended, err
}

func (m *Sessions) endEach(ctx context.Context, sessions []*Session, why EndReason) ([]*Session, error) {
	var ended []*Session
	for _, s := range sessions {
		one, err := m.End(ctx, s.User, s.ID, why)
		if apperr.Is(err, apperr.NotFound) {
			continue // it has just ended by itself
		}
		if err != nil {
			return ended, err
		}
		ended = append(ended, one)
	}
	return ended, nil
}

// EndAll ends every live session of every user and kind, and calls note for each in the same transaction.
func (m *Sessions) EndAll(ctx context.Context, why EndReason, note func(context.Context, *Session) error) error {
	var batch []*Session
	end := func(ctx context.Context) error {
		ended, err := m.endEach(ctx, batch, why)
		for _, s := range ended {
			err = errors.Join(err, note(ctx, s))
		}
		return err
	}
	err := m.sessions.All(ctx, m.live(), func(s *Session) error {
		if batch = append(batch, s); len(batch) < endTogether {
			return nil
		}
		err := m.db.Atomically(ctx, end)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return m.db.Atomically(ctx, end)
}
