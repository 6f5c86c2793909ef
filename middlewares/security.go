package middlewares

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// policy allows only what our own pages use: scripts and styles only from files of this site, no frames, no other
// sites.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// SecurityHeaders sets headers that tell browsers what pages of this site never do. The values are shared by all
// responses: to change one, replace the slice instead of modifying it.
func SecurityHeaders(https bool) gin.HandlerFunc {
	fixed := http.Header{
		"Content-Security-Policy":    {policy},
		"X-Content-Type-Options":     {"nosniff"},
		"X-Frame-Options":            {"DENY"},
		"Referrer-Policy":            {"same-origin"}, // "no-referrer" would make a form's Origin null
		"Cross-Origin-Opener-Policy": {"same-origin"},
		"Permissions-Policy":         {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	}
	if https {
		fixed.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
	return func(c *gin.Context) { maps.Copy(c.Writer.Header(), fixed) }
}

// CrossOrigin refuses unsafe requests that another site makes a browser send (CSRF), and lets scripts of the listed
// origins use the API with cookies. The Origin header must be exactly an origin: browsers send no user, path or query
// in it (RFC 6454 §6.2), and comparing only a part of it can be fooled by the rest.
func CrossOrigin(allowed []string, own string) (gin.HandlerFunc, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range append(allowed[:len(allowed):len(allowed)], own) {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return func(c *gin.Context) {
		origin := c.GetHeader("Origin")
		if len(allowed) > 0 {
			c.Writer.Header().Add("Vary", "Origin")
		}
		if slices.Contains(allowed, origin) {
			c.Set(allowedOrigin, true)
			allow(c, origin)
			if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
				c.AbortWithStatus(http.StatusNoContent)
				return
			}
		}
		err := protection.Check(c.Request)
		if err == nil && !safe(c.Request.Method) && origin != "" && !isOrigin(origin) {
			err = fmt.Errorf("%q is not an origin", origin)
		}
		if err != nil {
			respond.Error(c, apperr.New(apperr.Forbidden, "This request came from another site.").Because(err))
		}
	}, nil
}

const allowedOrigin = "allowedOrigin"

// ownSite refuses a GET that a page of another site initiates. SameSite=Lax cookies are sent when a link is followed,
// so such a page could otherwise make an administrator's browser download the backup, or a user's browser their export,
// onto a machine where other programs can read it. A typed address ("none") is the user's own choice; clients that are
// not browsers send no such header, and old browsers send at least a Referer.
func ownSite(c *gin.Context) {
	switch c.GetHeader("Sec-Fetch-Site") {
	case "same-origin", "none":
		return
	case "":
		from, err := url.Parse(c.GetHeader("Referer"))
		if c.GetHeader("Referer") == "" || err == nil && from.Host == c.Request.Host {
			return
		}
	}
	if !c.GetBool(allowedOrigin) {
		respond.Error(c, apperr.New(apperr.Forbidden, "This link is on another site. Open it from this site instead."))
	}
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isOrigin reports whether text is an origin as browsers write it: a scheme, a lowercase host without a trailing dot,
// and perhaps a port.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && text == u.Scheme+"://"+u.Host &&
		u.Host == strings.ToLower(u.Host) && !strings.HasSuffix(u.Hostname(), ".") && !strings.HasSuffix(u.Host, ":")
}

func allow(c *gin.Context, origin string) {
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key")
	h.Set("Access-Control-Expose-Headers", "Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
}

// BodyLimit bounds the size of request bodies. Requests that declare a larger body are refused up front.
func BodyLimit(max int64) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.Request.ContentLength > max {
			respond.Error(c, apperr.New(apperr.TooLarge, "Send at most %s at once.", input.Size(max)))
			return
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, max)
	}
}

// MethodOverride lets forms, which only support GET and POST, use other methods: POST with ?_method=PUT, PATCH or
// DELETE. It wraps the router, because middlewares only run after routing.
func MethodOverride(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.Contains(r.URL.RawQuery, "_method=") {
			switch method := r.URL.Query().Get("_method"); method {
			case "":
			case http.MethodPut, http.MethodPatch, http.MethodDelete:
				r.Method = method
			default:
				r.Method = "UNKNOWN" // no route has it: results in "method not allowed"
			}
		}
		next.ServeHTTP(w, r)
	})
}
