// Package middlewares runs between the router and the actions: it determines who the caller is and what they may
// access, and enforces the rules for all requests and responses.
//
// Does not belong here: queries beyond loading the session and its user, and the format of a response (utils/respond).
package middlewares

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/budget"
	"tokentube/utils/respond"
	"tokentube/utils/token"
)

// State is the outcome of VerifyJWT.
type State int

const (
	Nobody   State = iota // the request has no credentials
	SignedIn              // valid credentials
	Dead                  // credentials that are no longer valid
)

// Identity is who the caller is. User and Session are shared between requests and must not be modified.
type Identity struct {
	State    State
	User     *models.User
	Session  *models.Session
	ByHeader bool   // through an Authorization header, not cookies
	Twice    string // the name of a cookie that was sent twice, if that made it Nobody
}

// Auth authenticates requests by their tokens and sessions.
type Auth struct {
	Tokens   *token.Tokens
	Users    *models.Users
	Sessions *models.Sessions
	Events   *models.Events
	Cookies  Cookies
	Limits   *Limits          // nil: no limits
	Requests *models.Requests // nil: idempotency keys are ignored
	Uploads  *Uploads
	Room     func(bytes int64) error // refuses an upload that the disk has no room for; nil: no check
	Streams  *budget.Budget[string]  // per viewer
	Log      *slog.Logger
	Playing  bool // the Token lab: its thefts are not reported, its renewals not counted
	Shared   bool // other processes may work on the same data: see seeOwnChanges
	Now      func() time.Time
	Clock    *ClockWarning
}

const identityKey = "identity"

// Current is the caller, as determined by VerifyJWT.
func Current(c *gin.Context) Identity {
	id, _ := c.Value(identityKey).(Identity)
	return id
}

// SetSession replaces the caller's session after it has changed.
func SetSession(c *gin.Context, s *models.Session) {
	id := Current(c)
	id.Session = s
	c.Set(identityKey, id)
}

// UserID is the id of the logged-in user, or the zero id if there is none.
func UserID(c *gin.Context) bson.ObjectID {
	if u := Current(c).User; u != nil {
		return u.ID
	}
	return bson.ObjectID{}
}

// VerifyJWT determines who the caller is, and renews an expired access token within the request. It lets everybody
// pass; the guards decide.
func (a *Auth) VerifyJWT(c *gin.Context) { a.verify(c, !Passive(c.Request)) }

// VerifyJWTNoRenew accepts a refresh token as proof of identity but renews nothing and sets no cookies. It is for slow
// responses: an upload must not overwrite newer cookies with its old ones.
func (a *Auth) VerifyJWTNoRenew(c *gin.Context) { a.verify(c, false) }

// Passive reports whether the browser sends the request by itself, such as a prefetch; nobody may ever look at the
// response.
func Passive(r *http.Request) bool {
	return r.Method == http.MethodHead || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch"
}

func (a *Auth) verify(c *gin.Context, renew bool) {
	a.seeOwnChanges(c)
	id, err := a.identify(c, renew)
	if err != nil { // the database is unreachable: nobody is logged out because of that
		respond.Error(c, err)
		return
	}
	c.Set(identityKey, id)
	// Dead cookies are only cleared when a page is opened. A late response in the background could otherwise clear the
	// cookies of a newer login.
	if id.State == Dead && renew && !id.ByHeader && c.GetHeader("Sec-Fetch-Mode") == "navigate" {
		a.Clear(c)
	}
}

// identify checks the header first: what a client sends on purpose takes precedence over what its browser adds.
func (a *Auth) identify(c *gin.Context, renew bool) (id Identity, err error) {
	access, byHeader := HeaderToken(c.Request)
	refresh := ""
	if !byHeader {
		access, refresh = a.ownCookies(c)
	}
	if access == "" && refresh == "" {
		if !byHeader {
			id.Twice = a.Cookies.Twice(c.Request)
		}
		return id, nil
	}
	claims, fault := a.Tokens.Access.Verify(access)
	if errors.Is(fault, token.ErrFromFuture) {
		a.tellOfClock(c, claims)
	}
	switch {
	case fault == nil: // decides alone: the refresh token belongs to the same session
		id, err = a.fromAccess(c, claims)
	case refresh == "":
		id = Identity{State: Dead}
	case renew:
		id, _, err = a.Renew(c, refresh)
	default:
		id, err = a.fromRefresh(c, refresh, false)
	}
	id.ByHeader = byHeader
	return id, err
}

// ClockWarning logs once that a clock is or was wrong.
type ClockWarning struct{ once sync.Once }

// tellOfClock logs the warning. Nobody is logged out because of it: renewal issues a token with the current time.
func (a *Auth) tellOfClock(c *gin.Context, claims *token.Claims) {
	if a.Clock == nil {
		return
	}
	a.Clock.once.Do(func() {
		a.Log.WarnContext(c, "a token of this site was issued in the future: the clock was set back, or the clock of another instance runs ahead. "+
			"Such tokens are renewed. This is logged once", "ahead", claims.IssuedAt.Sub(a.Now()).Round(time.Second).String())
	})
}

// ownCookies reads the cookies whose tokens this site signed. Cookies ignore ports: another program on this host may
// use the same names, and its cookies are ignored. They are never valid, and are not cleared.
func (a *Auth) ownCookies(c *gin.Context) (access, refresh string) {
	access, refresh = a.Cookies.Read(c, a.Log)
	if !signed(a.Tokens.Access, access) {
		access = ""
	}
	if !signed(a.Tokens.Refresh, refresh) {
		refresh = ""
	}
	return access, refresh
}

// HeaderToken accepts "Bearer x", or a bare token as older clients send it. It ignores Basic credentials and anything
// else a proxy may put there.
func HeaderToken(r *http.Request) (string, bool) {
	value := strings.TrimSpace(r.Header.Get("Authorization"))
	if scheme, rest, ok := strings.Cut(value, " "); ok {
		return strings.TrimSpace(rest), strings.EqualFold(scheme, "Bearer")
	}
	return value, strings.Count(value, ".") == 2
}

// fromAccess identifies the caller by the claims of an access token.
func (a *Auth) fromAccess(c *gin.Context, claims *token.Claims) (Identity, error) {
	sid, _ := bson.ObjectIDFromHex(claims.SessionID) // can't fail: we signed it; nothing has the zero id
	session, err := a.Sessions.Cached(c, sid)
	if err != nil || session.User.Hex() != claims.UserID {
		return dead(err)
	}
	user, err := a.Users.Cached(c, session.User)
	if err != nil || user.DisabledAt != nil {
		return dead(err)
	}
	if claims.RefreshID == session.Current.ID && !session.Current.Seen {
		if err := a.Sessions.MarkSeen(c, session); err != nil {
			return Identity{}, err
		}
	}
	return Identity{State: SignedIn, User: user, Session: session}, nil
}

// Renew exchanges a refresh token for the session's newest pair of tokens and sets both cookies.
func (a *Auth) Renew(c *gin.Context, raw string) (Identity, Pair, error) {
	id, err := a.fromRefresh(c, raw, true)
	if err != nil || id.State != SignedIn {
		return id, Pair{}, err
	}
	pair, err := a.Issue(c, id.User, id.Session)
	return id, pair, err
}

// countRenewal counts the outcome of a renewal.
func (a *Auth) countRenewal(c *gin.Context, first bool, err error) {
	if a.Playing {
		return
	}
	outcome := failed
	switch {
	case err == nil && first:
		outcome = rotated
	case err == nil:
		outcome = successor
	case errors.Is(err, models.ErrTokenReused):
		outcome = theft
	case errors.Is(err, models.ErrSessionOver):
		outcome = refused
	}
	Metrics(c).Renewal(outcome)
}

// fromRefresh identifies the caller by a refresh token, and exchanges it if rotate is set. The user is loaded last and
// past the cache, so that a user whose account was deleted in the meantime isn't served.
func (a *Auth) fromRefresh(c *gin.Context, raw string, rotate bool) (Identity, error) {
	claims, err := a.Tokens.Refresh.Verify(raw)
	if err != nil && !errors.Is(err, token.ErrFromFuture) { // the session decides whether it is current, whatever the clock does
		if rotate {
			a.countRenewal(c, false, models.ErrSessionOver)
		}
		return Identity{State: Dead}, nil
	}
	sid, _ := bson.ObjectIDFromHex(claims.SessionID)
	var session *models.Session
	if rotate {
		session, err = a.rotate(c, sid, claims.ID)
	} else {
		session, err = a.Sessions.CheckRefreshToken(c, sid, claims.ID)
	}
	if errors.Is(err, models.ErrTokenReused) {
		a.noteTheft(c, session)
	}
	if err != nil || session.User.Hex() != claims.UserID {
		return dead(err)
	}
	user, err := a.Users.ByID(c, session.User)
	if err != nil || user.DisabledAt != nil {
		return dead(err)
	}
	return Identity{State: SignedIn, User: user, Session: session}, nil
}

func (a *Auth) rotate(c *gin.Context, sid bson.ObjectID, jti string) (*models.Session, error) {
	device := DeviceOf(c)
	session, first, err := a.Sessions.Rotate(c, sid, jti, device)
	a.countRenewal(c, first, err)
	if err == nil && !first && (session.IP != device.IP || session.UserAgent != device.UserAgent) {
		// Allowed within the grace period (a phone that changes networks), but worth logging.
		a.note(c, models.EventTokenElsewhere, session)
	}
	return session, err
}

// dead is the identity for credentials that are no longer valid. An error that doesn't concern the credentials is
// passed on.
func dead(err error) (Identity, error) {
	if err == nil || errors.Is(err, models.ErrSessionOver) || errors.Is(err, models.ErrTokenReused) || apperr.Is(err, apperr.NotFound) {
		return Identity{State: Dead}, nil
	}
	return Identity{}, err
}
