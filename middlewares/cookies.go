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

// Cookies sets and reads the two token cookies. HttpOnly keeps them from
// scripts, Secure from plain HTTP, SameSite=Lax from other sites' requests.
type Cookies struct {
	Prefix string // "", "__Host-" or "__Secure-" (RFC 6265bis 4.1.3)
	Path   string
	Secure func(*http.Request) bool // nil: always
}

// SecureCookies is the rule of COOKIE_SECURE. With "auto", cookies are Secure with one exception: over plain HTTP on a
// loopback name, WebKit browsers (Safari, and all browsers of iOS) drop Secure cookies without a word, where Chromium and
// Firefox keep them. The exception is for development alone, and not with a prefix, which needs Secure.
func SecureCookies(setting string, exception bool) func(*http.Request) bool {
	return func(r *http.Request) bool {
		if setting != "auto" {
			return setting == "true"
		}
		return !exception || r.TLS != nil || !Loopback(r.Host) || !webKit(r.UserAgent())
	}
}

// webKit tells WebKit from Chromium, which once was one and still says so.
func webKit(agent string) bool {
	return strings.Contains(agent, "AppleWebKit/") && !strings.Contains(agent, "Chrome/") && !strings.Contains(agent, "Chromium/")
}

// Loopback tells a host, with or without a port, that is this machine's own name.
func Loopback(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(name).IsLoopback()
}

// IsSecure tells whether the cookies that this request gets are Secure.
func (k Cookies) IsSecure(r *http.Request) bool { return k.Secure == nil || k.Secure(r) }

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

// Unset takes both cookies out of the response, which is to get others of these names.
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

// Clear removes both cookies, but for one that this site did not sign: cookies ignore ports, and another program on this
// host may use the same name.
func (a *Auth) Clear(c *gin.Context) {
	for name, kind := range map[string]*token.Kind{accessCookie: a.Tokens.Access, refreshCookie: a.Tokens.Refresh} {
		values := c.Request.CookiesNamed(a.Cookies.Prefix + name)
		if len(values) == 0 || slices.ContainsFunc(values, func(v *http.Cookie) bool { return signed(kind, v.Value) }) {
			a.Cookies.put(c, name, "", -1)
		}
	}
}

// signed tells a token that this site signed, however old.
func signed(kind *token.Kind, raw string) bool {
	_, err := kind.Verify(raw)
	return token.Ours(err)
}

const secondCookie = "SecondStep"

// SetSecond puts the token that somebody holds between the two steps of a login.
func (k Cookies) SetSecond(c *gin.Context, raw string, ttl time.Duration) {
	k.put(c, secondCookie, raw, int(ttl.Seconds()))
}

// Second reads it. Of two with one name neither is believed.
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

// Probe gives the browser a cookie like those of a login. Whether it comes back with the form tells whether a login would
// last: some browsers drop cookies, all or Secure ones, without a word.
func (k Cookies) Probe(c *gin.Context) { k.put(c, probeCookie, "1", 0) }

// Probed tells whether the cookie came back.
func (k Cookies) Probed(r *http.Request) bool { return len(r.CookiesNamed(k.Prefix+probeCookie)) > 0 }

// Twice is the name of a cookie that came twice, if one did.
func (k Cookies) Twice(r *http.Request) string {
	for _, name := range []string{k.Prefix + accessCookie, k.Prefix + refreshCookie} {
		if len(r.CookiesNamed(name)) > 1 {
			return name
		}
	}
	return ""
}

// TwiceMessage says what is wrong when a cookie comes twice, and how to get out of it: no login would change anything.
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

// Read returns the values of both cookies, empty where there is none. Of two
// cookies with one name neither is believed: one of them may have been put there
// by another host of the domain (cookie tossing).
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
