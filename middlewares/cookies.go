package middlewares

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/token"
)

// Cookies sets and reads the two token cookies. HttpOnly keeps them from
// scripts, Secure from plain HTTP, SameSite=Lax from other sites' requests.
type Cookies struct {
	Prefix string // "", "__Host-" or "__Secure-" (RFC 6265bis 4.1.3)
	Path   string
	Secure bool
}

const (
	accessCookie  = "AccessToken"
	refreshCookie = "RefreshToken"
)

// Names are what the two cookies are called.
func (k Cookies) Names() (access, refresh string) {
	return k.Prefix + accessCookie, k.Prefix + refreshCookie
}

// Set puts both cookies, for as long as the refresh token lives, or until the
// browser is closed when the person did not ask to be kept signed in.
func (k Cookies) Set(c *gin.Context, pair Pair, s *models.Session, now time.Time) {
	k.SetAccess(c, pair.Access, s, now)
	k.put(c, refreshCookie, pair.Refresh, maxAge(s, now))
}

// SetAccess puts the access token's cookie alone.
func (k Cookies) SetAccess(c *gin.Context, access string, s *models.Session, now time.Time) {
	k.put(c, accessCookie, access, maxAge(s, now))
}

func maxAge(s *models.Session, now time.Time) int {
	if !s.Remember {
		return 0
	}
	return max(1, int(s.Current.ExpiresAt.Sub(now).Seconds()))
}

// Clear removes both cookies.
func (k Cookies) Clear(c *gin.Context) {
	k.put(c, accessCookie, "", -1)
	k.put(c, refreshCookie, "", -1)
}

func (k Cookies) put(c *gin.Context, name, value string, maxAge int) {
	http.SetCookie(c.Writer, &http.Cookie{ // #nosec G124 -- Secure unless COOKIE_SECURE=false
		Name: k.Prefix + name, Value: value, Path: k.Path, MaxAge: maxAge,
		HttpOnly: true, Secure: k.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// Read returns the values of both cookies, empty where there is none. Of two
// cookies with one name neither is believed: one of them may have been put there
// by another host of the domain (cookie tossing).
func (k Cookies) Read(c *gin.Context, log *slog.Logger) (access, refresh string) {
	one := func(name string) string {
		found := c.Request.CookiesNamed(k.Prefix + name)
		if len(found) > 1 {
			log.WarnContext(c, "two cookies of one name", "cookie", k.Prefix+name, "ip", ClientIP(c))
		}
		if len(found) != 1 {
			return ""
		}
		return found[0].Value
	}
	return one(accessCookie), one(refreshCookie)
}

// Pair are a session's two tokens.
type Pair struct{ Access, Refresh string }

// Issue makes the session's two tokens, by the methods of the user model, and
// sets both cookies.
func (a *Auth) Issue(c *gin.Context, u *models.User, s *models.Session) (Pair, error) {
	access, err := u.GenerateAccessToken(a.Tokens, s, a.Now())
	if err != nil {
		return Pair{}, err
	}
	refresh, err := u.GenerateRefreshToken(a.Tokens, s)
	if err != nil {
		return Pair{}, err
	}
	pair := Pair{access, refresh}
	a.Cookies.Set(c, pair, s, a.Now())
	return pair, nil
}

// IssueAccess makes a fresh access token for a user whose claims have changed.
func (a *Auth) IssueAccess(c *gin.Context, u *models.User, s *models.Session) error {
	access, err := u.GenerateAccessToken(a.Tokens, s, a.Now())
	if err == nil {
		a.Cookies.SetAccess(c, access, s, a.Now())
	}
	return err
}

// Presented are the claims of every well-signed token that came with the
// request, however old: enough to end its session, and for nothing else.
func (a *Auth) Presented(c *gin.Context) []*token.Claims {
	header, _ := HeaderToken(c.Request)
	access, refresh := a.Cookies.Read(c, a.Log)
	var all []*token.Claims
	for _, raw := range []string{header, access, refresh} {
		for _, kind := range []*token.Kind{a.Tokens.Access, a.Tokens.Refresh} {
			if claims, err := kind.Verify(raw); err == nil || errors.Is(err, token.ErrExpired) {
				all = append(all, claims)
			}
		}
	}
	return all
}
