package controllers

import (
	"net"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/utils/apperr"
)

// checkCookies says why when a browser would drop the cookies of a login without
// a word: Secure ones are kept over plain HTTP on this machine's own name alone.
func (a *App) checkCookies(c *gin.Context) error {
	if !a.Config.CookieSecure || a.Config.HTTPS() || c.Request.TLS != nil || !fromBrowser(c) {
		return nil
	}
	host := (&url.URL{Host: c.Request.Host}).Hostname()
	if ip := net.ParseIP(host); host == "localhost" || strings.HasSuffix(host, ".localhost") || ip.IsLoopback() {
		return nil
	}
	return apperr.New(apperr.Invalid, "Over plain HTTP your browser keeps no login for %s. Open the site at %s, or by HTTPS.", host, a.Config.BaseURL)
}

// fromBrowser tells a browser by what only browsers send, and what no page can
// keep them from sending.
func fromBrowser(c *gin.Context) bool {
	return c.GetHeader("Sec-Fetch-Site") != "" || c.GetHeader("Origin") != ""
}

// safeNext is where to go after a login: a path of this site, or the start.
// Anything that a browser could read as another site is not followed (open
// redirect): "//host", "/\host", a scheme, control characters.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	return next
}
