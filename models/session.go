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

// Session is one login on one device. The refresh tokens that follow one another in it are its family: one is current, the
// last few are remembered. No token is kept, only what it takes to recognise one and to make it again.
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
	LastSeenAt time.Time     `bson:"lastSeenAt"` // when they were last: no other use is written down
	ExpiresAt  time.Time     `bson:"expiresAt"`
	CreatedAt  time.Time     `bson:"createdAt"`
	ProvedAt   time.Time     `bson:"provedAt"` // when whoever is there last proved who they are: see Proved
	EndedAt    *time.Time    `bson:"revokedAt,omitempty"`
	EndedFor   EndReason     `bson:"revokedFor,omitempty"`
}

// RefreshToken identifies the newest refresh token of a session.
type RefreshToken struct {
	ID        string    `bson:"jti"`
	IssuedAt  time.Time `bson:"issuedAt"`
	ExpiresAt time.Time `bson:"expiresAt"`
	Seen      bool      `bson:"seen"` // an access token made with it was used: it has arrived
}

// RecentToken identifies one that was replaced. Until is when its grace ends; it is not set while its successor has not
// been seen.
type RecentToken struct {
	ID    string     `bson:"jti"`
	Until *time.Time `bson:"until,omitempty"`
}

// SessionKind keeps the sessions of the site and those of the Token lab apart: the tokens of one kind open nothing of the
// other.
type SessionKind string

// The kinds of sessions.
const (
	Web SessionKind = "web"
	Lab SessionKind = "lab" // without its user's roles
)

// EndReason says why a session was ended.
type EndReason string

// The reasons.
const (
	LoggedOut       EndReason = "logout"
	NewLogin        EndReason = "new_login"
	PasswordChanged EndReason = "password_changed"
	TokenReused     EndReason = "token_reuse"
	EndedByUser     EndReason = "ended" // on another device
	TooMany         EndReason = "too_many_sessions"
	Disabled        EndReason = "disabled" // the account, by a moderator
	EndedByAdmin    EndReason = "ended_by_admin"
	Restored        EndReason = "restored" // from a backup, which knows nothing of what was ended since
)

const (
	recentTokens       = 8
	sessionsPerUser    = 50
	endTogether        = 200 // sessions in one change
	maxAgeUnremembered = 24 * time.Hour
)

// ErrSessionOver: the session does not exist, expired, or was ended.
var ErrSessionOver = errors.New("the session is over")

// ErrTokenReused: a refresh token came back after its successor was in use. One of the two who hold it is a thief, so the
// session was ended for both.
var ErrTokenReused = errors.New("a replaced refresh token was used again")

// SessionPolicy is how long sessions and their tokens live.
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

// OfKind are the sessions of another kind, in the same collection. Listing and ending them is common to all kinds.
func (m *Sessions) OfKind(kind SessionKind, policy SessionPolicy) *Sessions {
	other := *m
	other.kind, other.policy = kind, policy
	return &other
}

// rolesOf are the roles that tokens of the session give their user.
func (s *Session) rolesOf(u *User) []string {
	if s.Kind == Lab {
		return []string{}
	}
	return u.Roles
}

// Create begins a session. A user has fifty at most: the oldest ones beyond that are ended, and returned.
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

// proofLasts is how long nobody is asked again who they are.
const proofLasts = 10 * time.Minute

// Proved tells whether whoever is there has proved who they are within the last ten minutes: by the login that began the
// session, or since. A token proves only that somebody did once, and can be stolen.
func (s *Session) Proved(now time.Time) bool { return now.Sub(s.ProvedAt).Abs() < proofLasts }

// ProvedUntil is until when nobody is asked.
func (s *Session) ProvedUntil() time.Time { return s.ProvedAt.Add(proofLasts) }

// Prove notes that whoever is there has just proved who they are. It leaves the session's tokens as they are, so that a
// renewal at the same moment and this do not undo each other.
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
	// Whole seconds, as a token says them (RFC 7519 §2), so that the same token can be made again.
	return RefreshToken{ID: token.NewID(), IssuedAt: now.Truncate(time.Second), ExpiresAt: end.Truncate(time.Second)}
}

// ByID loads a live session, past the cache.
func (m *Sessions) ByID(ctx context.Context, id bson.ObjectID) (*Session, error) {
	return m.ifLive(m.sessions.ByID(ctx, id))
}

// Cached is ByID, up to store.CachedFor old in processes other than the one that made a change. The session is shared: do
// not change it.
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

// OfUser lists the user's live sessions, the oldest first.
func (m *Sessions) OfUser(ctx context.Context, user bson.ObjectID) ([]*Session, error) {
	return m.sessions.List(ctx, m.live("user", user), store.Order{"createdAt"}, 0)
}

// OfUserByID loads a session of the user as it is, even if it is over.
func (m *Sessions) OfUserByID(ctx context.Context, user, id bson.ObjectID) (*Session, error) {
	return m.sessions.One(ctx, store.Where("_id", id, "user", user, "kind", m.kind))
}

// CountLive counts the live sessions of all users, up to limit.
func (m *Sessions) CountLive(ctx context.Context, limit int) (int, error) {
	return m.sessions.Count(ctx, m.live("kind", m.kind), limit)
}

// live is the condition that a session has not ended, with more conditions.
func (m *Sessions) live(conditions ...any) bson.D {
	return append(store.Where(conditions...), store.Where("revokedAt", store.Absent, "expiresAt", store.Where("$gt", m.db.Now()))...)
}

// Rotate exchanges the refresh token with this jti. Exactly one of any number of concurrent callers replaces the current
// one; the others, and those who come within the grace or did not get the response, are given the same successor: Current
// of the session that is returned. First tells the one who replaced it.
func (m *Sessions) Rotate(ctx context.Context, id bson.ObjectID, jti string, d Device) (s *Session, first bool, err error) {
	// A round is lost only to another rotation, after which the token is no longer current, or to MarkSeen, which
	// writes once: three rounds always decide.
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

// CheckRefreshToken loads the session of a refresh token, past the cache, if the token is still accepted. Reuse of a
// replaced token whose successor is in use is theft: the session ends.
func (m *Sessions) CheckRefreshToken(ctx context.Context, id bson.ObjectID, jti string) (*Session, error) {
	s, err := m.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.accepts(jti, m.db.Now()) {
		return s, nil
	}
	if _, err = m.End(ctx, s.User, s.ID, TokenReused); apperr.Is(err, apperr.NotFound) {
		return s, ErrSessionOver // another request was first to find it out
	}
	return s, errors.Join(ErrTokenReused, err)
}

// accepts tells whether a refresh token is the current one, or one that was replaced and whose grace has not ended.
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

// replaceCurrent makes the next token current, in one write that succeeds only on the session exactly as it was read.
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

// unchanged is the condition that a session lives and that its tokens are as they were read: the recent ones change only
// together with these two.
func (m *Sessions) unchanged(s *Session) bson.D {
	return m.live("_id", s.ID, "current.jti", s.Current.ID, "current.seen", s.Current.Seen)
}

// startGrace gives the replaced tokens that have no end yet theirs: their successor was used, so a request that still
// comes with one of them has the grace.
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

// MarkSeen notes that the session's newest tokens have arrived, the first time that an access token made with them is
// used.
func (m *Sessions) MarkSeen(ctx context.Context, s *Session) error {
	_, err := m.sessions.Update(ctx, m.unchanged(s), bson.D{store.Set("current.seen", true, "recent", m.startGrace(s.Recent, m.db.Now()))})
	if apperr.Is(err, apperr.NotFound) {
		return nil // renewed or ended since it was read
	}
	return err
}

// End ends a live session of the user and returns it as it is then. Anybody else's is not found, and one that has ended
// is not either: of all who end a session one is told so, and the event is noted once.
func (m *Sessions) End(ctx context.Context, user, id bson.ObjectID, why EndReason) (*Session, error) {
	return m.sessions.Update(ctx, m.live("_id", id, "user", user), bson.D{store.Set("revokedAt", m.db.Now(), "revokedFor", why)})
}

// EndOthers ends every session of the user but one (zero: all), and returns those it ended.
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

// EndAll ends every live session of every user and kind, and tells note of each inside the same change.
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
