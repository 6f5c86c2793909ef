package middlewares

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// AllowAnyone lets everybody pass but those whose header carries a token that
// opens nothing: they mean to be somebody and must learn that they are not.
func AllowAnyone(c *gin.Context) {
	if id := Current(c); id.State == Dead && id.ByHeader {
		refuse(c, id)
	}
}

// RequireUser lets signed-in users pass.
func RequireUser(c *gin.Context) {
	if id := Current(c); id.State != SignedIn {
		refuse(c, id)
	}
}

// RequireFresh is RequireUser for what must not be done with an identity up to
// five seconds old: it reads the session and the user past the cache.
func (a *Auth) RequireFresh(c *gin.Context) {
	id := Current(c)
	if id.State == SignedIn {
		fresh, err := a.reload(c, id)
		if err != nil {
			respond.Error(c, err)
			return
		}
		id = fresh
		c.Set(identityKey, id)
	}
	RequireUser(c)
}

func (a *Auth) reload(c *gin.Context, id Identity) (Identity, error) {
	s, err := a.Sessions.ByID(c, id.Session.ID)
	if err != nil {
		return dead(err)
	}
	u, err := a.Users.ByID(c, s.User)
	if err != nil || u.DisabledAt != nil {
		return dead(err)
	}
	id.Session, id.User = s, u
	return id, nil
}

// RequireRole lets users with the role pass. The role is read from the database,
// not from the token: who was demoted a second ago has no role now.
func (a *Auth) RequireRole(role string) gin.HandlerFunc {
	return func(c *gin.Context) {
		a.RequireFresh(c)
		if !c.IsAborted() && !Current(c).User.HasRole(role) {
			respond.Error(c, apperr.New(apperr.Forbidden, "This is not open to you."))
		}
	}
}

// GuestOnly sends signed-in people on from the pages that are for others. The
// forms behind them, and the API, take everybody.
func GuestOnly(c *gin.Context) {
	if c.Request.Method == http.MethodGet && Current(c).State == SignedIn && !respond.WantsJSON(c) {
		_ = respond.Redirect(c, "/")
		c.Abort()
	}
}

func refuse(c *gin.Context, id Identity) {
	challenge := `Bearer realm="tokentube"`
	if id.State == Dead {
		challenge += `, error="invalid_token"` // RFC 6750 3.1
	}
	c.Header("WWW-Authenticate", challenge)
	respond.Error(c, apperr.New(apperr.Unauthorized, "Please log in first."))
}
