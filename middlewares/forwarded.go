package middlewares

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"
)

// Forwarded warns, once, when a peer that is not among the trusted proxies says
// for whom it speaks. Either somebody makes up addresses to get around the limits,
// and is not believed; or TRUSTED_PROXIES lacks a proxy, and all the world is
// counted as one network.
func Forwarded(trusted []string, log *slog.Logger) gin.HandlerFunc {
	var once sync.Once
	return func(c *gin.Context) {
		h := c.Request.Header
		name := ""
		for _, n := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
			if h[n] != nil {
				name = n
			}
		}
		if name == "" || trusts(trusted, c.RemoteIP()) {
			return
		}
		once.Do(func() {
			log.WarnContext(c, "a peer that TRUSTED_PROXIES does not list sent a forwarded address; it is not believed, and this is said once",
				"peer", c.RemoteIP(), "header", name)
		})
	}
}

// trusts says whether the address is one of the list, which holds addresses and
// networks.
func trusts(list []string, ip string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	return slices.ContainsFunc(list, func(text string) bool {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			return prefix.Contains(addr)
		}
		one, err := netip.ParseAddr(text)
		return err == nil && one.Unmap() == addr
	})
}
