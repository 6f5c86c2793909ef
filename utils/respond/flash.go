package respond

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Flash carries a message over one redirect in a separate cookie, so that it needs no session and no storage on the
// server. The cookie is signed and valid for a minute: otherwise anyone who can set a cookie (another host of the
// domain, another program on this machine) could speak in the site's name.
type Flash struct {
	Prefix string // of the cookie
	Secure func(*http.Request) bool
	Key    string // signs
	Now    func() time.Time
}

const (
	flashCookie = "Flash"
	flashLife   = time.Minute
)

func (f Flash) set(c *gin.Context, message string) {
	c.Set(flashKey, message)
	said := strconv.FormatInt(f.Now().Add(flashLife).Unix(), 10) + " " + message
	f.put(c, base64.RawURLEncoding.EncodeToString([]byte(said))+"."+f.sign(said), int(flashLife.Seconds()))
}

// take reads the message and removes the cookie. A cookie that we did not sign is ignored, and isn't ours to remove.
func (f Flash) take(c *gin.Context) string {
	if c.Request.Method == http.MethodHead || c.GetHeader("Sec-Purpose") != "" {
		return "" // nobody would read it
	}
	for _, cookie := range c.Request.CookiesNamed(f.Prefix + flashCookie) {
		text, signature, _ := strings.Cut(cookie.Value, ".")
		said, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || !hmac.Equal([]byte(signature), []byte(f.sign(string(said)))) {
			continue
		}
		f.put(c, "", -1)
		until, message, _ := strings.Cut(string(said), " ")
		if seconds, err := strconv.ParseInt(until, 10, 64); err == nil && f.Now().Before(time.Unix(seconds, 0)) {
			return message
		}
	}
	return ""
}

func (f Flash) sign(said string) string {
	hash := hmac.New(sha256.New, []byte("flash:"+f.Key))
	hash.Write([]byte(said))
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

func (f Flash) put(c *gin.Context, value string, maxAge int) {
	http.SetCookie(c.Writer, &http.Cookie{ // #nosec G124 -- Secure but for COOKIE_SECURE
		Name: f.Prefix + flashCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: f.Secure == nil || f.Secure(c.Request), SameSite: http.SameSiteLaxMode,
	})
}
