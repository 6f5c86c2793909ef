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

// policy allows what our own pages use: no script or style that is not a file of
// this site, no frame, no other site.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// SecurityHeaders tells browsers what no page of this site does. The values are made once and shared by all responses:
// whoever changes a header of one sets another value.
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

// CrossOrigin refuses unsafe requests that a browser makes for another site (CSRF), and lets the scripts of the listed
// origins use the API with cookies. What is in Origin must be an origin and nothing else: a browser sends no user, path or
// query in it (RFC 6454 §6.2), and whoever compares a part of it can be deceived by the rest.
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

// ownSite refuses a GET that a page of another site makes. Cookies that are SameSite=Lax go along with a link, so that such a
// page could otherwise make an administrator's browser download the backup, or a user's their export, onto a machine that
// other programs read. A typed address ("none") is the person's own wish; a program other than a browser sends no such header,
// and an old browser at least its Referer.
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

// isOrigin tells an origin as browsers write it: a scheme, a host in lowercase letters without a dot at its end, and perhaps
// a port.
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

// BodyLimit bounds what a request may send. What says beforehand that it is more
// is refused before a byte of it is read.
func BodyLimit(max int64) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.Request.ContentLength > max {
			respond.Error(c, apperr.New(apperr.TooLarge, "Send at most %s at once.", input.Size(max)))
			return
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, max)
	}
}

// MethodOverride lets forms, which know only GET and POST, ask for the other
// methods: POST with ?_method=PUT, PATCH or DELETE. It wraps the router, which
// has chosen a route before any middleware runs.
func MethodOverride(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.Contains(r.URL.RawQuery, "_method=") {
			switch method := r.URL.Query().Get("_method"); method {
			case "":
			case http.MethodPut, http.MethodPatch, http.MethodDelete:
				r.Method = method
			default:
				r.Method = "UNKNOWN" // no route has it: answered as a wrong method
			}
		}
		next.ServeHTTP(w, r)
	})
}
