package middlewares

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
)

// Cookies sets and reads the two token cookies. HttpOnly keeps them from
// scripts, Secure from plain HTTP, SameSite=Lax from other sites' requests.
type Cookies struct {
	Prefix string // "", "__Host-" or "__Secure-" (RFC 6265bis 4.1.3)
	Secure bool
}

const (
	accessCookie  = "AccessToken"
	refreshCookie = "RefreshToken"
)

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
		Name: k.Prefix + name, Value: value, Path: "/", MaxAge: maxAge,
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
			log.WarnContext(c, "two cookies of one name", "cookie", k.Prefix+name, "ip", c.ClientIP())
		}
		if len(found) != 1 {
			return ""
		}
		return found[0].Value
	}
	return one(accessCookie), one(refreshCookie)
}
