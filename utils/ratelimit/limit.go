// Package ratelimit decides how often something may be done: it holds the arithmetic of a bucket that empties with use
// and refills over time, in-process buckets, and the header fields that report their state to clients.
//
// Does not belong here: what is limited and how much (middlewares), and buckets stored in the database (models).
//
// Why not golang.org/x/time/rate: there, a bucket takes 80 bytes, tokens cannot be given back, and a bucket cannot be
// stored in a database. Here it is a single number, the time when it will be full again, wherever that is stored.
package ratelimit

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
)

// Limit allows Quota at once, and Quota more, evenly spread, in each Window.
type Limit struct {
	Name   string
	Quota  int
	Window time.Duration
}

// Step is how long it takes until one more is allowed.
func (l Limit) Step() time.Duration { return l.Window / time.Duration(l.Quota) }

// GiveBack returns one to the bucket that is full again at the given time.
func (l Limit) GiveBack(full time.Time) time.Time { return full.Add(-l.Step()) }

// State is the state of a bucket.
type State struct {
	Limit
	OK   bool          // the current one is allowed
	Left int           // how many more are allowed at once
	Wait time.Duration // until one more is allowed
}

// Take takes one from the bucket that is full again at the given time. It returns the new time when the bucket is full.
// A refusal doesn't postpone that, so that a client that keeps trying isn't locked out forever.
func (l Limit) Take(full, now time.Time) (time.Time, State) {
	if full.Before(now) {
		full = now
	}
	after := full.Add(l.Step())
	if after.Sub(now) > l.Step()*time.Duration(l.Quota) {
		return full, l.At(full, now, false)
	}
	return after, l.At(after, now, true)
}

// At is the state of a bucket that is full again at the given time.
func (l Limit) At(full, now time.Time, ok bool) State {
	step, missing := l.Step(), max(0, full.Sub(now))
	taken := int((missing + step - 1) / step)
	wait := missing % step
	if wait == 0 && missing > 0 {
		wait = step
	}
	return State{Limit: l, OK: ok, Left: max(0, l.Quota-taken), Wait: wait}
}

// Fields are the values of RateLimit-Policy and RateLimit, as defined by the IETF's
// draft-ietf-httpapi-ratelimit-headers-10 (September 2025): lists of strings that name the policies, each with integer
// parameters. The quota is q for each w seconds; r are left, and there is one more in t seconds, which is also the
// value of Retry-After.
func Fields(states ...State) (policy, current string) {
	var policies, currents []string
	for _, s := range states {
		policies = append(policies, fmt.Sprintf("%q;q=%d;w=%d", s.Name, s.Quota, seconds(s.Window)))
		currents = append(currents, fmt.Sprintf("%q;r=%d;t=%d", s.Name, s.Left, seconds(s.Wait)))
	}
	return strings.Join(policies, ", "), strings.Join(currents, ", ")
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// Network is the prefix that an address is counted under: IPv4 by /24, IPv6 by /48, which is what a provider may assign
// to one customer. Somebody with a /48 can send each request from another of its 65,536 /64 networks.
func Network(ip string) string { return prefix(ip, 24, 48) }

// Host is the prefix of one machine or household: an IPv4 address, or an IPv6 /64, in which each machine chooses its
// own addresses.
func Host(ip string) string { return prefix(ip, 32, 64) }

func prefix(ip string, bits4, bits6 int) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	addr, bits := addr.Unmap().WithZone(""), bits6
	if addr.Is4() {
		bits = bits4
	}
	return netip.PrefixFrom(addr, bits).Masked().String()
}
