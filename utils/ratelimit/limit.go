// Package ratelimit says how often something may be done: the arithmetic of a
// bucket that empties with use and fills again with time, buckets kept in this
// process, and the header fields that tell clients how they stand.
//
// It does not belong here: what is limited and how much (middlewares), and
// buckets kept in the database (models).
//
// Why not golang.org/x/time/rate: there a bucket takes 80 bytes, cannot be given
// back what was taken, and cannot be kept in a database. Here it is one number,
// the time when it will be full again, wherever that is kept.
package ratelimit

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
)

// Limit lets Quota pass at once, and Quota more, evenly, in each Window.
type Limit struct {
	Name   string
	Quota  int
	Window time.Duration
}

// Step is the time in which one more may pass.
func (l Limit) Step() time.Duration { return l.Window / time.Duration(l.Quota) }

// GiveBack puts one back into the bucket that is full again at the given time.
func (l Limit) GiveBack(full time.Time) time.Time { return full.Add(-l.Step()) }

// State is how a bucket stands.
type State struct {
	Limit
	OK   bool          // the one that was asked for may pass
	Left int           // how many more may pass at once
	Wait time.Duration // until there is one more
}

// Take takes one out of the bucket that is full again at the given time. It
// returns when the bucket will be full now; a refusal does not put that off, so
// that whoever keeps trying is not kept out for ever.
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

// Fields are the values of RateLimit-Policy and RateLimit, as the IETF's
// draft-ietf-httpapi-ratelimit-headers-10 (September 2025) writes them: lists of
// strings that name the policies, each with whole numbers as parameters. The
// quota is q for each w seconds; r are left, and there is one more in t seconds,
// which is when Retry-After says to come back.
func Fields(states ...State) (policy, current string) {
	var policies, currents []string
	for _, s := range states {
		policies = append(policies, fmt.Sprintf("%q;q=%d;w=%d", s.Name, s.Quota, seconds(s.Window)))
		currents = append(currents, fmt.Sprintf("%q;r=%d;t=%d", s.Name, s.Left, seconds(s.Wait)))
	}
	return strings.Join(policies, ", "), strings.Join(currents, ", ")
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// Network is what an address is counted under: IPv4 by /24, IPv6 by /48, which is what one customer of a provider may be
// given. Whoever has a /48 can send each request from another of its 65 536 networks of /64.
func Network(ip string) string { return prefix(ip, 24, 48) }

// Host is as much of an address as one machine or household has: an IPv4 address, or an IPv6 /64, in which each machine
// makes up its own addresses.
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
