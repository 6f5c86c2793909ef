package middlewares

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/models/store"
)

// Where several processes share a database, each keeps copies of users and sessions for up to store.CachedFor. People still
// see at once what they have just changed, whichever process responds: a request that may change something leaves a cookie
// in the browser for a few seconds, and a request with this cookie is answered past the copies. The cookie says nothing and
// proves nothing: anybody who makes one up gets a slower response.
const (
	changedCookie = "Changed"
	// A copy that another process loaded just before the change lives for CachedFor. The rest is for the way there and back.
	changedFor = 2 * store.CachedFor
)

// seeOwnChanges makes the request pass the copies if it comes with the cookie, or with "Cache-Control: no-cache"
// (RFC 9111 §5.2.1.4), which is for clients that keep no cookies.
func (a *Auth) seeOwnChanges(c *gin.Context) {
	if a.Shared && (len(c.Request.CookiesNamed(a.Cookies.Prefix+changedCookie)) > 0 || wantsNoCopy(c.Request.Header)) {
		c.Request = c.Request.WithContext(store.Fresh(c.Request.Context(), a.Now().Add(store.CachedFor)))
	}
}

func wantsNoCopy(h http.Header) bool {
	return strings.Contains(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), "no-cache")
}

// noteOwnChange leaves the cookie, even if nothing comes of the request: once that is known, the response has begun.
func (a *Auth) noteOwnChange(c *gin.Context) {
	if a.Shared && Current(c).State == SignedIn {
		a.Cookies.put(c, changedCookie, "1", int(changedFor.Seconds()))
	}
}
