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

	"tokentube/models"
	"tokentube/utils/password"
	"tokentube/utils/ratelimit"
)

// Attempt is one try at a password. It is counted both as wrong and as right before the password is checked: otherwise
// a thousand concurrent attempts would all be checked before the first was counted. Afterwards, what doesn't apply is
// given back.
type Attempt struct {
	limits  *Limits
	of      []string
	buckets []bucket
	taken   []bucket
	states  []ratelimit.State // as reported to the client
	known   bool              // the browser has logged in to the account before
}

// bucket is one of the limits that an attempt counts against.
type bucket struct {
	tally
	who   []string
	right bool // counts correct passwords instead of wrong ones
	told  bool // always reported to the client, not only when it is exceeded
}

// Attempt prepares a try at the password of the named account; user is its id, or the zero id if it doesn't exist.
// Limits that this process keeps are counted here, so that most of what exceeds a limit is refused before it waits for
// anything. A name that doesn't exist is counted like an account; otherwise the limit would reveal which names exist.
func (a *Auth) Attempt(c *gin.Context, name string, user bson.ObjectID) (*Attempt, error) {
	account := "name " + strings.ToLower(strings.TrimSpace(name))
	if !user.IsZero() {
		account = accountKey(user) // the same under whichever name, even if it is renamed
	}
	attempt := &Attempt{limits: a.Limits, of: []string{network(c), account}}
	if a.Limits == nil {
		return attempt, nil
	}
	if id, known := a.Limits.knows(a.device(c), user); known {
		attempt.known = true
		attempt.of = []string{"browser " + id}
		attempt.buckets = a.Limits.ofBrowser(id, account)
	} else {
		attempt.buckets = a.Limits.ofStranger(c, account)
	}
	return attempt, attempt.countHere(c)
}

// AttemptCode is Attempt for one of the user's codes. It counts immediately, because no hash is waited for. Somebody
// who knows the password can slowly guess six digits, so all strangers together get only a few tries a day. They can
// use those up and so keep the owner from logging in on a new device with such a code, but not with a recovery code,
// nor in a known browser.
func (a *Auth) AttemptCode(c *gin.Context, u *models.User, guessable bool) (*Attempt, error) {
	attempt, err := a.Attempt(c, u.Username, u.ID)
	if err != nil || a.Limits == nil {
		return attempt, err
	}
	if guessable && !attempt.known {
		attempt.buckets = append(attempt.buckets, bucket{tally: a.Limits.always(codeLimit), who: []string{accountKey(u.ID)}, told: true})
	}
	if err = attempt.countForAll(c); err != nil {
		attempt.End(c, false, err)
	}
	return attempt, err
}

// ofBrowser are the buckets of a browser that has logged in to the account. It has its own bucket for wrong passwords,
// so that nobody can lock it out by failing on purpose, not even from the same network.
func (l *Limits) ofBrowser(id, account string) []bucket {
	return []bucket{
		{tally: l.rights, who: []string{account}, right: true},
		{tally: l.always(loginLimit), who: []string{"browser", id, account}, told: true},
	}
}

func (l *Limits) ofStranger(c *gin.Context, account string) []bucket {
	return []bucket{
		{tally: l.hosts, who: []string{ratelimit.Host(ClientIP(c))}},
		{tally: l.accounts, who: []string{account}},
		{tally: l.rightNetworks, who: []string{network(c)}, right: true},
		{tally: l.rights, who: []string{account}, right: true},
		{tally: l.always(loginLimit), who: []string{"network", network(c), account}, told: true},
		{tally: l.always(networkLimit), who: []string{network(c)}, told: true},
	}
}

// always counts in the database, so that the count also survives a restart.
func (l *Limits) always(limit ratelimit.Limit) tally {
	return tally{Limit: limit, attempts: l.attempts}
}

// Turn is the attempt's place in the queue for a hash. The attempt is counted in the database when its turn comes: what
// the queue refuses costs nothing there.
func (a *Attempt) Turn(c *gin.Context) password.Turn {
	return password.Turn{Of: a.of, Begin: func() error { return a.countForAll(c) }}
}

// Turn is the place, in the queue for a hash or for decoding a picture, of a request that isn't an attempt: it counts
// for its network, and for the user if there is one.
func Turn(c *gin.Context, user bson.ObjectID) password.Turn {
	if user.IsZero() {
		return password.Turn{Of: []string{network(c)}}
	}
	return password.Turn{Of: []string{network(c), accountKey(user)}}
}

func accountKey(user bson.ObjectID) string { return "account " + user.Hex() }

// countHere counts in this process, and refuses what is known to exceed a limit in the database.
func (a *Attempt) countHere(c *gin.Context) error {
	for _, b := range a.buckets {
		if b.local == nil {
			if s, refused := a.limits.attempts.Refused(b.Limit, b.who...); refused {
				return a.refuse(c, s)
			}
			continue
		}
		if s := b.local.Take(key(b.who)); !s.OK {
			return a.refuse(c, s)
		}
		a.taken = append(a.taken, b)
	}
	return nil
}

func (a *Attempt) countForAll(c *gin.Context) error {
	for _, b := range a.buckets {
		if b.local != nil {
			continue
		}
		s, err := b.take(c, b.who...)
		if err != nil {
			return err
		}
		if !s.OK {
			return a.refuse(c, s)
		}
		if b.told {
			a.states = append(a.states, s)
		}
		a.taken = append(a.taken, b)
	}
	if len(a.states) > 0 {
		tell(c, a.states...)
	}
	return nil
}

func (a *Attempt) refuse(c *gin.Context, s ratelimit.State) error {
	Metrics(c).Refusal(s.Name)
	tell(c, append(a.states, s)...)
	err := tooMany(s, "Too many attempts. Wait a while, then try again.")
	a.End(c, false, err)
	return err
}

// End gives back what the attempt doesn't count as: all of it after an error, because nothing was checked. If giving
// back fails, somebody has one try less for a while.
func (a *Attempt) End(c *gin.Context, right bool, err error) {
	for _, b := range a.taken {
		if err != nil || b.right != right {
			_ = b.giveBack(context.WithoutCancel(c), b.who...)
		}
	}
	a.taken = nil
}

const (
	deviceCookie = "Device"
	deviceMaxAge = 365 * 24 * 60 * 60
	deviceUsers  = 5
)

// device is the content of the browser's device cookie: its random id, and a proof for each of the last few accounts
// that logged in with it.
func (a *Auth) device(c *gin.Context) []string {
	found := c.Request.CookiesNamed(a.Cookies.Prefix + deviceCookie)
	if len(found) != 1 || len(found[0].Value) > 300 {
		return nil
	}
	return strings.Split(found[0].Value, ".")
}

// SetDeviceCookie records in the browser that it has logged in to this account, and returns the browser's random id
// (empty if there are no limits). The cookie gives access to nothing; it only makes this browser's wrong passwords
// count separately.
func (a *Auth) SetDeviceCookie(c *gin.Context, user bson.ObjectID) (id string) {
	if a.Limits == nil {
		return ""
	}
	device := a.device(c)
	if len(device) == 0 || len(device[0]) != len(rand.Text()) {
		device = []string{rand.Text()}
	}
	id = device[0]
	proof := a.Limits.proof(id, user)
	others := slices.DeleteFunc(device[1:], func(p string) bool { return p == proof })
	device = append([]string{id, proof}, others[:min(len(others), deviceUsers-1)]...)
	a.Cookies.put(c, deviceCookie, strings.Join(device, "."), deviceMaxAge)
	return id
}

// knows reports whether the device has logged in to the user's account.
func (l *Limits) knows(device []string, user bson.ObjectID) (id string, known bool) {
	if len(device) < 2 {
		return "", false
	}
	proof := l.proof(device[0], user)
	return device[0], slices.ContainsFunc(device[1:], func(p string) bool { return hmac.Equal([]byte(p), []byte(proof)) })
}

// proof ties a device to an account. Only this site can compute it, so nobody gets a bucket for an account that they
// have never logged in to.
func (l *Limits) proof(device string, user bson.ObjectID) string {
	hash := hmac.New(sha256.New, l.key)
	hash.Write([]byte(user.Hex() + device))
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16])
}
