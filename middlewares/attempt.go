package middlewares

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/ratelimit"
)

// Attempt is a try at a password that has been counted as a wrong one. It is
// counted before the password is looked at: a thousand tries sent at once would
// otherwise all be looked at before the first was counted.
type Attempt struct {
	limits *Limits
	taken  []bucket
}

// bucket is what an attempt is counted in.
type bucket struct {
	ratelimit.Limit
	who []string
}

// Attempt counts a try at the password of the account that somebody named; user
// is its id, or the zero id where there is none. Both are counted alike, or the
// limit would tell which names exist.
func (a *Auth) Attempt(c *gin.Context, name string, user bson.ObjectID) (*Attempt, error) {
	if a.Limits == nil {
		return &Attempt{}, nil
	}
	return a.Limits.attempt(c, a.buckets(c, strings.ToLower(strings.TrimSpace(name)), user))
}

// buckets are those that count. A browser that has logged in to the account has
// one of its own and no other, so that nobody can lock it out by failing on
// purpose, not even from the same network.
func (a *Auth) buckets(c *gin.Context, name string, user bson.ObjectID) []bucket {
	if id, known := a.Limits.knows(a.device(c), user); known {
		return []bucket{{loginLimit, []string{"browser", id, user.Hex()}}}
	}
	return []bucket{{loginLimit, []string{"network", network(c), name}}, {networkLimit, []string{network(c)}}}
}

func (l *Limits) attempt(c *gin.Context, buckets []bucket) (*Attempt, error) {
	a, states := &Attempt{limits: l}, []ratelimit.State{}
	for _, b := range buckets {
		s, err := l.attempts.Take(c, b.Limit, b.who...)
		if err != nil {
			a.GiveBack(c)
			return nil, err
		}
		states = append(states, s)
		if !s.OK {
			a.GiveBack(c)
			tell(c, states...)
			return nil, tooMany(s, "Too many tries with a wrong password. Please wait before you try again.")
		}
		a.taken = append(a.taken, b)
	}
	tell(c, states...)
	return a, nil
}

// GiveBack takes the count back: the password was right, or was not looked at.
// Should that fail, somebody has one try less for a while.
func (a *Attempt) GiveBack(c *gin.Context) {
	for _, b := range a.taken {
		_ = a.limits.attempts.GiveBack(context.WithoutCancel(c), b.Limit, b.who...)
	}
	a.taken = nil
}

const (
	deviceCookie = "Device"
	deviceMaxAge = 365 * 24 * 60 * 60
	deviceUsers  = 5
)

// device is what the browser's device cookie says: its random id, and a proof for
// each of the last few accounts that were logged in to.
func (a *Auth) device(c *gin.Context) []string {
	found := c.Request.CookiesNamed(a.Cookies.Prefix + deviceCookie)
	if len(found) != 1 || len(found[0].Value) > 300 {
		return nil
	}
	return strings.Split(found[0].Value, ".")
}

// SetDeviceCookie tells the browser that it has logged in to this account. It opens
// nothing; it counts this browser's wrong passwords apart from everybody else's.
func (a *Auth) SetDeviceCookie(c *gin.Context, user bson.ObjectID) {
	if a.Limits == nil {
		return
	}
	device := a.device(c)
	if len(device) == 0 || len(device[0]) != len(rand.Text()) {
		device = []string{rand.Text()}
	}
	id, proof := device[0], a.Limits.proof(device[0], user)
	others := slices.DeleteFunc(device[1:], func(p string) bool { return p == proof })
	device = append([]string{id, proof}, others[:min(len(others), deviceUsers-1)]...)
	a.Cookies.put(c, deviceCookie, strings.Join(device, "."), deviceMaxAge)
}

// knows says whether the device has logged in to the user's account.
func (l *Limits) knows(device []string, user bson.ObjectID) (id string, known bool) {
	if len(device) < 2 {
		return "", false
	}
	proof := l.proof(device[0], user)
	return device[0], slices.ContainsFunc(device[1:], func(p string) bool { return hmac.Equal([]byte(p), []byte(proof)) })
}

// proof ties a device to an account. Only this site can make it, so that nobody
// gets a bucket for an account that he has never been in.
func (l *Limits) proof(device string, user bson.ObjectID) string {
	hash := hmac.New(sha256.New, l.key)
	hash.Write([]byte(user.Hex() + device))
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16])
}
