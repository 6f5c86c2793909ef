package middlewares

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/models/store"
)

// If several processes share a database, each caches users and sessions for up to store.CachedFor. Users still see
// their own changes immediately, whichever process responds: a request that may change something sets a short-lived
// cookie in the browser, and requests with this cookie bypass the cache. The cookie carries no information and proves
// nothing: anybody who forges one only gets a slower response.
const (
	changedCookie = "Changed"
	// An entry that another process cached just before the change lives for CachedFor. The rest allows for network
	// delays.
	changedFor = 2 * store.CachedFor
)

// seeOwnChanges makes the request bypass the cache if it comes with the cookie, or with "Cache-Control: no-cache" (RFC
// 9111 §5.2.1.4), which is for clients that keep no cookies.
func (a *Auth) seeOwnChanges(c *gin.Context) {
	if a.Shared && (len(c.Request.CookiesNamed(a.Cookies.Prefix+changedCookie)) > 0 || wantsNoCopy(c.Request.Header)) {
		c.Request = c.Request.WithContext(store.Fresh(c.Request.Context(), a.Now().Add(store.CachedFor)))
	}
}

func wantsNoCopy(h http.Header) bool {
	return strings.Contains(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), "no-cache")
}

// noteOwnChange sets the cookie even if the request turns out to change nothing: once that is known, the response has
// begun.
func (a *Auth) noteOwnChange(c *gin.Context) {
	if a.Shared && Current(c).State == SignedIn {
		a.Cookies.put(c, changedCookie, "1", int(changedFor.Seconds()))
	}
}
