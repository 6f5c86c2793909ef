package middlewares

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/logs"
	"tokentube/utils/token"
)

// Cookies sets and reads the two token cookies. HttpOnly hides them from scripts, Secure keeps them off plain HTTP, and
// SameSite=Lax keeps them out of other sites' requests.
type Cookies struct {
	Prefix string // "", "__Host-" or "__Secure-" (RFC 6265bis §4.1.3)
	Path   string
	Secure func(*http.Request) bool // nil: always
}

// SecureCookies implements COOKIE_SECURE. With "auto", cookies are Secure with one exception: over plain HTTP on a
// loopback name, WebKit browsers (Safari, and all browsers on iOS) silently drop Secure cookies, while Chromium and
// Firefox keep them. The exception is for development only, and not for cookies with a prefix, which requires Secure.
func SecureCookies(setting string, exception bool) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if setting != "auto" {
			return setting == "true"
		}
		return !exception || r.TLS != nil || !Loopback(r.Host) || !webKit(r.UserAgent())
	}
}

// webKit distinguishes WebKit from Chromium, which forked it and still names it in its user agent.
func webKit(agent string) bool {
	return strings.Contains(agent, "AppleWebKit/") && !strings.Contains(agent, "Chrome/") && !strings.Contains(agent, "Chromium/")
}

// Loopback reports whether a host, with or without a port, is one of this machine's own names.
func Loopback(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(name).IsLoopback()
}

// IsSecure reports whether the cookies set for this request are Secure.
func (k Cookies) IsSecure(r *http.Request) bool { return k.Secure == nil || k.Secure(r) }

const (
	accessCookie  = "AccessToken"
	refreshCookie = "RefreshToken"
)

// Names are the names of the two cookies.
func (k Cookies) Names() (access, refresh string) {
	return k.Prefix + accessCookie, k.Prefix + refreshCookie
}

// Set sets both cookies, for as long as the refresh token lives, or until the browser is closed if the user didn't ask
// to stay logged in.
func (k Cookies) Set(c *gin.Context, pair Pair, s *models.Session, now time.Time) {
	k.SetAccess(c, pair.Access, s, now)
	k.put(c, refreshCookie, pair.Refresh, maxAge(s, now))
}

// SetAccess sets only the access token's cookie.
func (k Cookies) SetAccess(c *gin.Context, access string, s *models.Session, now time.Time) {
	k.put(c, accessCookie, access, maxAge(s, now))
}

// Unset removes both cookies from the response, so that others with these names can be set.
func (k Cookies) Unset(c *gin.Context) {
	access, refresh := k.Names()
	h := c.Writer.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
		return strings.HasPrefix(line, access+"=") || strings.HasPrefix(line, refresh+"=")
	})
}

func maxAge(s *models.Session, now time.Time) int {
	if !s.Remember {
		return 0
	}
	return max(1, int(s.Current.ExpiresAt.Sub(now).Seconds()))
}

// Clear removes both cookies, except one that this site did not sign: cookies ignore ports, and another program on this
// host may use the same name.
func (a *Auth) Clear(c *gin.Context) {
	for name, kind := range map[string]*token.Kind{accessCookie: a.Tokens.Access, refreshCookie: a.Tokens.Refresh} {
		values := c.Request.CookiesNamed(a.Cookies.Prefix + name)
		if len(values) == 0 || slices.ContainsFunc(values, func(v *http.Cookie) bool { return signed(kind, v.Value) }) {
			a.Cookies.put(c, name, "", -1)
		}
	}
}

// signed reports whether this site signed the token, even if it has expired.
func signed(kind *token.Kind, raw string) bool {
	_, err := kind.Verify(raw)
	return token.Ours(err)
}

const secondCookie = "SecondStep"

// SetSecond sets the token that is held between the two steps of a login.
func (k Cookies) SetSecond(c *gin.Context, raw string, ttl time.Duration) {
	k.put(c, secondCookie, raw, int(ttl.Seconds()))
}

// Second reads it. If there are two cookies of this name, neither is trusted.
func (k Cookies) Second(r *http.Request) string {
	if found := r.CookiesNamed(k.Prefix + secondCookie); len(found) == 1 {
		return found[0].Value
	}
	return ""
}

// ClearSecond removes it.
func (k Cookies) ClearSecond(c *gin.Context) {
	if len(c.Request.CookiesNamed(k.Prefix+secondCookie)) > 0 {
		k.put(c, secondCookie, "", -1)
	}
}

const probeCookie = "Probe"

// Probe sets a cookie like those of a login. Whether it comes back with the form shows whether a login would last: some
// browsers silently drop all cookies, or Secure ones.
func (k Cookies) Probe(c *gin.Context) { k.put(c, probeCookie, "1", 0) }

// Probed reports whether the cookie came back.
func (k Cookies) Probed(r *http.Request) bool { return len(r.CookiesNamed(k.Prefix+probeCookie)) > 0 }

// Twice is the name of a cookie that was sent twice, if any.
func (k Cookies) Twice(r *http.Request) string {
	for _, name := range []string{k.Prefix + accessCookie, k.Prefix + refreshCookie} {
		if len(r.CookiesNamed(name)) > 1 {
			return name
		}
	}
	return ""
}

// TwiceMessage explains what is wrong when a cookie is sent twice, and how to fix it: logging in again wouldn't help.
func TwiceMessage(name string) string {
	return "Your browser sends two different cookies named " + name + ", so this site can use neither, and logging in again won't help. " +
		"Delete this site's cookies, then log in: in Chrome, Edge and Firefox, select the icon to the left of the address, " +
		"then the entry for cookies and site data; in Safari, open Settings, Privacy, Manage Website Data."
}

func (k Cookies) put(c *gin.Context, name, value string, maxAge int) {
	http.SetCookie(c.Writer, &http.Cookie{ // #nosec G124 -- Secure but for COOKIE_SECURE
		Name: k.Prefix + name, Value: value, Path: k.Path, MaxAge: maxAge,
		HttpOnly: true, Secure: k.IsSecure(c.Request), SameSite: http.SameSiteLaxMode,
	})
}

// Read returns the values of both cookies, empty where there is none. If there are two cookies of the same name,
// neither is trusted: another host of the domain may have set one of them (cookie tossing).
func (k Cookies) Read(c *gin.Context, log *slog.Logger) (access, refresh string) {
	one := func(name string) string {
		found := c.Request.CookiesNamed(k.Prefix + name)
		if len(found) > 1 {
			log.WarnContext(c, "two cookies of one name", "cookie", k.Prefix+name, "ip", logs.IP(ClientIP(c)))
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

// Issue makes the session's two tokens, with the methods of the user model, and sets both cookies.
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

// IssueAccess issues a new access token for a user whose claims have changed.
func (a *Auth) IssueAccess(c *gin.Context, u *models.User, s *models.Session) error {
	access, err := u.GenerateAccessToken(a.Tokens, s, a.Now())
	if err == nil {
		a.Cookies.SetAccess(c, access, s, a.Now())
	}
	return err
}

// Presented are the claims of every correctly signed token in the request, even expired ones: enough to end its
// session, and for nothing else.
func (a *Auth) Presented(c *gin.Context) []*token.Claims {
	header, _ := HeaderToken(c.Request)
	raws := []string{header}
	for _, name := range []string{accessCookie, refreshCookie} {
		for _, cookie := range c.Request.CookiesNamed(a.Cookies.Prefix + name) {
			raws = append(raws, cookie.Value)
		}
	}
	var all []*token.Claims
	for _, raw := range raws {
		for _, kind := range []*token.Kind{a.Tokens.Access, a.Tokens.Refresh} {
			if claims, err := kind.Verify(raw); token.Ours(err) {
				all = append(all, claims)
			}
		}
	}
	return all
}
