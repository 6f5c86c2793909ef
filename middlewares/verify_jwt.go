// Package middlewares stands between the router and the actions: who is asking,
// what they may open, and what every request and answer must keep to.
//
// It does not belong here: queries beyond loading the session and its user, and
// how an answer is written (utils/respond).
package middlewares

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
	"tokentube/utils/token"
)

// State is what VerifyJWT found out.
type State int

const (
	Nobody   State = iota // no credential came with the request
	SignedIn              // a good one
	Dead                  // one that opens nothing any more
)

// Identity is who is asking. User and Session are shared between requests and
// must not be changed.
type Identity struct {
	State    State
	User     *models.User
	Session  *models.Session
	ByHeader bool // by an Authorization header, not by cookies
}

// Auth knows tokens and sessions.
type Auth struct {
	Tokens   *token.Tokens
	Users    *models.Users
	Sessions *models.Sessions
	Events   *models.Events
	Cookies  Cookies
	Limits   *Limits // nil: none
	Log      *slog.Logger
	Now      func() time.Time
}

const identityKey = "identity"

// Current is who is asking, as VerifyJWT found it.
func Current(c *gin.Context) Identity {
	id, _ := c.Value(identityKey).(Identity)
	return id
}

// UserID is the id of the user who is asking, or the zero id for nobody.
func UserID(c *gin.Context) bson.ObjectID {
	if u := Current(c).User; u != nil {
		return u.ID
	}
	return bson.ObjectID{}
}

// VerifyJWT finds out who is asking, and renews an access token that has run
// out, within the request. It lets everybody pass; the guards decide.
func (a *Auth) VerifyJWT(c *gin.Context) { a.verify(c, !Passive(c.Request)) }

// VerifyJWTNoRenew takes a refresh token as proof of who is asking but renews
// nothing and sets no cookie. It is for answers that may come late: an upload
// must not put its old cookies over newer ones.
func (a *Auth) VerifyJWTNoRenew(c *gin.Context) { a.verify(c, false) }

// Passive tells requests that a browser makes before or beside what a person
// does; what they answer may never be looked at.
func Passive(r *http.Request) bool {
	return r.Method == http.MethodHead || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch"
}

func (a *Auth) verify(c *gin.Context, renew bool) {
	id, err := a.identify(c, renew)
	if err != nil { // the database cannot be reached: nobody is logged out for that
		respond.Error(c, err)
		return
	}
	c.Set(identityKey, id)
	// Dead cookies go when the person goes to a page. A late answer in the
	// background could otherwise wipe out a login made since.
	if id.State == Dead && renew && !id.ByHeader && c.GetHeader("Sec-Fetch-Mode") == "navigate" {
		a.Cookies.Clear(c)
	}
}

// identify looks at the header first: what a client says on purpose beats what
// its browser adds.
func (a *Auth) identify(c *gin.Context, renew bool) (Identity, error) {
	if raw, ok := HeaderToken(c.Request); ok {
		id, err := a.fromAccess(c, raw)
		id.ByHeader = true
		return id, err
	}
	access, refresh := a.Cookies.Read(c, a.Log)
	id, err := a.fromAccess(c, access)
	if err != nil || id.State == SignedIn || refresh == "" || id.Session != nil {
		return id, err
	}
	if renew {
		id, _, err := a.Renew(c, refresh)
		return id, err
	}
	return a.fromRefresh(c, refresh, a.Sessions.Prove)
}

// HeaderToken takes "Bearer x", or a bare token as older clients send it. Basic
// and whatever a proxy puts there are not ours.
func HeaderToken(r *http.Request) (string, bool) {
	value := strings.TrimSpace(r.Header.Get("Authorization"))
	if scheme, rest, ok := strings.Cut(value, " "); ok {
		return strings.TrimSpace(rest), strings.EqualFold(scheme, "Bearer")
	}
	return value, strings.Count(value, ".") == 2
}

// fromAccess identifies by an access token. Where the token is good, the session
// is set even if it turns out to be dead: then the refresh token, which belongs
// to the same session, is not tried.
func (a *Auth) fromAccess(c *gin.Context, raw string) (Identity, error) {
	if raw == "" {
		return Identity{}, nil
	}
	claims, err := a.Tokens.Access.Verify(raw)
	if err != nil {
		return Identity{State: Dead}, nil
	}
	session, err := a.session(c, claims, a.Sessions.Live)
	if err != nil {
		return dead(&models.Session{}, err)
	}
	user, err := a.Users.Cached(c, session.User)
	if err != nil || user.DisabledAt != nil {
		return dead(session, err)
	}
	if claims.RefreshID == session.Current.ID && !session.Current.Seen {
		if err := a.Sessions.MarkSeen(c, session); err != nil {
			return Identity{}, err
		}
	}
	return Identity{State: SignedIn, User: user, Session: session}, nil
}

// session finds the session that a token's claims name.
func (a *Auth) session(c context.Context, claims *token.Claims, find func(context.Context, bson.ObjectID) (*models.Session, error)) (*models.Session, error) {
	id, err := bson.ObjectIDFromHex(claims.SessionID)
	if err != nil {
		return nil, models.ErrSessionOver
	}
	s, err := find(c, id)
	if err == nil && s.User.Hex() != claims.UserID {
		return nil, models.ErrSessionOver
	}
	return s, err
}

// dead is the identity behind a credential that was good once. Errors that say
// nothing about the credential are passed on.
func dead(s *models.Session, err error) (Identity, error) {
	if err == nil || errors.Is(err, models.ErrSessionOver) || errors.Is(err, models.ErrTokenReused) || apperr.Is(err, apperr.NotFound) {
		return Identity{State: Dead, Session: s}, nil
	}
	return Identity{}, err
}

// Renew exchanges a refresh token for the session's newest pair of tokens and
// sets both cookies.
func (a *Auth) Renew(c *gin.Context, raw string) (Identity, Pair, error) {
	device := DeviceOf(c)
	id, err := a.fromRefresh(c, raw, func(ctx context.Context, sid bson.ObjectID, jti string) (*models.Session, error) {
		s, first, err := a.Sessions.Rotate(ctx, sid, jti, device)
		if err == nil && !first && (s.IP != device.IP || s.UserAgent != device.UserAgent) {
			// Allowed within the grace (a phone that changes networks), but worth a line.
			a.note(c, models.EventTokenElsewhere, s)
		}
		return s, err
	})
	if err != nil || id.State != SignedIn {
		return id, Pair{}, err
	}
	pair, err := a.Issue(c, id.User, id.Session)
	return id, pair, err
}

// fromRefresh identifies by a refresh token. The user is loaded last and past
// the cache, so that an account that ended meanwhile is served nothing.
func (a *Auth) fromRefresh(c *gin.Context, raw string, find func(context.Context, bson.ObjectID, string) (*models.Session, error)) (Identity, error) {
	claims, err := a.Tokens.Refresh.Verify(raw)
	if err != nil {
		return Identity{State: Dead}, nil
	}
	s, err := a.session(c, claims, func(ctx context.Context, id bson.ObjectID) (*models.Session, error) {
		return find(ctx, id, claims.ID)
	})
	if errors.Is(err, models.ErrTokenReused) {
		a.noteTheft(c, s)
	}
	if err != nil {
		return dead(s, err)
	}
	user, err := a.Users.ByID(c, s.User)
	if err != nil || user.DisabledAt != nil {
		return dead(s, err)
	}
	return Identity{State: SignedIn, User: user, Session: s}, nil
}
