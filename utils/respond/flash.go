package respond

import (
	"encoding/base64"
	"net/http"

	"github.com/gin-gonic/gin"
)

// The flash is a sentence carried over one redirect by a cookie of its own: no
// session is needed for it, and nothing is kept on the server.
const flashCookie = "Flash"

func (r *Responder) setFlash(c *gin.Context, message string) {
	c.Set(flashKey, message)
	r.flashCookie(c, base64.RawURLEncoding.EncodeToString([]byte(message)), 60)
}

func (r *Responder) takeFlash(c *gin.Context) string {
	value, err := c.Request.Cookie(flashCookie)
	if err != nil || c.Request.Method == http.MethodHead || c.GetHeader("Sec-Purpose") != "" {
		return "" // nobody would read it
	}
	r.flashCookie(c, "", -1)
	message, err := base64.RawURLEncoding.DecodeString(value.Value)
	if err != nil {
		return ""
	}
	return string(message)
}

func (r *Responder) flashCookie(c *gin.Context, value string, maxAge int) {
	http.SetCookie(c.Writer, &http.Cookie{ // #nosec G124 -- Secure unless COOKIE_SECURE=false
		Name: flashCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: r.secure, SameSite: http.SameSiteLaxMode,
	})
}
