package middlewares

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"tokentube/utils/logs"
)

const clientKey = "client"

// ClientIP is the address that a request comes from, as far as the proxies in between can be trusted (see Forwarded).
func ClientIP(c *gin.Context) string {
	if ip := c.GetString(clientKey); ip != "" {
		return ip
	}
	return c.RemoteIP()
}

// Forwarded determines which address a request comes from. A trusted proxy reports it in X-Forwarded-For, in Forwarded
// (RFC 7239 §4) or in X-Real-Ip.
//
// Such headers from any other peer are ignored, and that is logged once: either somebody forges addresses to evade the
// limits, or TRUSTED_PROXIES lacks a proxy, and everyone behind it is counted as one network.
func Forwarded(trusted []string, log *slog.Logger) gin.HandlerFunc {
	var once sync.Once
	return func(c *gin.Context) {
		peer, err := netip.ParseAddr(c.RemoteIP())
		if err != nil {
			return
		}
		peer = plain(peer)
		if trusts(trusted, peer) {
			peer = client(c.Request.Header, trusted, peer)
		} else if name := forwards(c.Request.Header); name != "" {
			once.Do(func() {
				log.WarnContext(c, "a peer that TRUSTED_PROXIES does not list sent a forwarded address; it is not believed, and this is logged once",
					"peer", logs.IP(peer.String()), "header", name)
			})
		}
		c.Set(clientKey, peer.String())
	}
}

// forwards returns the name of the header that says who the request is forwarded for, if there is one.
func forwards(h http.Header) string {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if h[name] != nil {
			return name
		}
	}
	return ""
}

// Here reports whether a request comes directly from this machine to one of its own names, as far as can be told: no
// proxy forwarded it, and no page whose domain resolves to this machine (DNS rebinding) sent it.
func Here(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	passed := slices.ContainsFunc([]string{"X-Forwarded-Host", "X-Forwarded-Proto", "Via"}, func(name string) bool { return r.Header[name] != nil })
	return err == nil && plain(peer.Addr()).IsLoopback() && Loopback(r.Host) && forwards(r.Header) == "" && !passed
}

// client is the address that a trusted proxy forwards for. A proxy passes on headers that it doesn't set itself, so its
// client may have set them: if two headers disagree, neither is trusted.
func client(h http.Header, trusted []string, proxy netip.Addr) netip.Addr {
	found := proxy
	for _, hops := range [][]string{split(h["X-Forwarded-For"]), forwardedFor(split(h["Forwarded"]))} {
		if len(hops) == 0 {
			continue
		}
		ip := last(hops, trusted, proxy)
		if found != proxy && ip != found {
			return proxy
		}
		found = ip
	}
	if real := h["X-Real-Ip"]; found == proxy && len(real) == 1 && h["X-Forwarded-For"] == nil && h["Forwarded"] == nil {
		return last(real, trusted, proxy)
	}
	return found
}

func split(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	return strings.Split(strings.Join(lines, ","), ",")
}

// forwardedFor extracts the "for" parameters from the elements of a Forwarded header. An element without one is an
// unknown hop.
func forwardedFor(elements []string) []string {
	for i, element := range elements {
		elements[i] = ""
		for pair := range strings.SplitSeq(element, ";") {
			if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(name, "for") {
				elements[i] = strings.Trim(value, `"`)
			}
		}
	}
	return elements
}

// last is the nearest address that is not one of our proxies: each proxy appends the address of its peer, and
// everything before the first untrusted address may be forged. The walk also ends at a hop that is not an address.
func last(hops, trusted []string, proxy netip.Addr) netip.Addr {
	nearest := proxy
	for _, hop := range slices.Backward(hops) {
		ip, ok := parseHop(hop)
		if !ok {
			return nearest
		}
		if nearest = ip; !trusts(trusted, ip) {
			return ip
		}
	}
	return nearest
}

// parseHop parses an address as proxies write it: 203.0.113.7, 203.0.113.7:4711, 2001:db8::5, [2001:db8::5],
// [2001:db8::5]:4711.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if host, _, err := net.SplitHostPort(hop); err == nil {
		hop = host
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	return plain(ip), err == nil
}

// plain normalizes an address: IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2) becomes IPv4, and the zone is dropped.
func plain(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// Trusts returns a test for addresses in the list, which holds addresses and networks.
func Trusts(list []string) func(netip.Addr) bool {
	return func(ip netip.Addr) bool { return trusts(list, plain(ip)) }
}

// trusts reports whether the address is in the list, which holds addresses and networks.
func trusts(list []string, ip netip.Addr) bool {
	return slices.ContainsFunc(list, func(text string) bool {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			return prefix.Contains(ip)
		}
		one, err := netip.ParseAddr(text)
		return err == nil && plain(one) == ip
	})
}
