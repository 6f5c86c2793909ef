package respond

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"
)

// KeyField is the field in which a form carries the key of the request that it will make, so that sending it twice makes
// one thing (see middlewares.Auth.Once).
const KeyField = "idempotencyKey"

var formTag = regexp.MustCompile(`<form\b[^>]*>`)

// withKeys gives every form of a template that makes something a key, a new one each time the page is rendered. It is the
// first field, before any file. What has another method may be repeated anyway; a login's result is for nobody
// twice; and a button of the Token lab, which visitors have too, makes nothing.
func withKeys(text string) string {
	return formTag.ReplaceAllStringFunc(text, func(tag string) string {
		if !strings.Contains(tag, `method="post"`) || strings.Contains(tag, "_method=") || keyless.MatchString(tag) {
			return tag
		}
		return tag + "{{key}}"
	})
}

var keyless = regexp.MustCompile(`action="/((login|login/code|login/passkey|logout|confirm|register|forgot-password|reset-password|confirm-email|not-me)"|token-lab/)`)

// keyInput is the field. A browser that restores what was typed must not restore an old key.
func keyInput() template.HTML {
	// #nosec G203 -- random letters and digits
	return template.HTML(`<input type="hidden" name="` + KeyField + `" value="` + rand.Text() + `" autocomplete="off">`)
}

// Kept is a response that can be given again.
type Kept struct {
	Status   int
	Location string
	Type     string
	Flash    string
	Body     []byte
}

const (
	changedKey = "changed" // Done, Created or Redirect responded
	flashKey   = "flash"
)

// Keep is the response to a request that changed something. A page or data that is only shown is made anew instead, and an
// error is nothing to repeat.
func Keep(c *gin.Context, body []byte) (kept Kept, changed bool) {
	h := c.Writer.Header()
	return Kept{c.Writer.Status(), h.Get("Location"), h.Get("Content-Type"), c.GetString(flashKey), body},
		c.GetBool(changedKey) && c.Writer.Status() < http.StatusBadRequest
}

// Replay gives a kept response again, and says so.
func Replay(c *gin.Context, k Kept) {
	cacheHeaders(c, true)
	c.Header("Idempotent-Replayed", "true")
	if k.Flash != "" {
		from(c).flash.set(c, k.Flash)
	}
	if k.Location != "" {
		c.Header("Location", k.Location)
	}
	if k.Type != "" {
		c.Header("Content-Type", k.Type)
	}
	c.Status(k.Status)
	_, _ = c.Writer.Write(k.Body) // the client has gone
}
