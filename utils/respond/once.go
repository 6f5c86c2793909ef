package respond

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"
)

// KeyField is the form field with the idempotency key of the request, so that sending the form twice has the effect of
// sending it once (see middlewares.Auth.Once).
const KeyField = "idempotencyKey"

var formTag = regexp.MustCompile(`<form\b[^>]*>`)

// withKeys adds a key to every form of a template that creates something, a new one each time the page is rendered. It
// is the first field, before any file. Other methods are idempotent anyway; a login's result must not be handed out
// twice; and the buttons of the Token lab, which visitors may use too, create nothing.
func withKeys(text string) string {
	return formTag.ReplaceAllStringFunc(text, func(tag string) string {
		if !strings.Contains(tag, `method="post"`) || strings.Contains(tag, "_method=") || keyless.MatchString(tag) {
			return tag
		}
		return tag + "{{key}}"
	})
}

var keyless = regexp.MustCompile(`action="/((login|login/code|login/passkey|logout|confirm|register|forgot-password|reset-password|confirm-email|not-me)"|token-lab/)`)

// keyInput is the field. A browser that restores the values of a form must not restore an old key.
func keyInput() template.HTML {
	// #nosec G203 -- random letters and digits
	return template.HTML(`<input type="hidden" name="` + KeyField + `" value="` + rand.Text() + `" autocomplete="off">`)
}

// Kept is a response that can be replayed.
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

// Keep returns the response to a request that changed something, to be stored. Pages and data that are only shown are
// rendered again instead, and errors aren't replayed.
func Keep(c *gin.Context, body []byte) (kept Kept, changed bool) {
	h := c.Writer.Header()
	return Kept{c.Writer.Status(), h.Get("Location"), h.Get("Content-Type"), c.GetString(flashKey), body},
		c.GetBool(changedKey) && c.Writer.Status() < http.StatusBadRequest
}

// Replay sends a stored response again, and marks it as a replay.
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
	_, _ = c.Writer.Write(k.Body) // fails if the client has disconnected
}
