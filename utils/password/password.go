// Package password hashes and checks passwords. It bounds how many hashes run at once, so that a flood of logins queues
// while everything else stays fast.
package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"tokentube/utils/apperr"
	"tokentube/utils/fair"
)

const (
	shortest = 8       // characters
	longest  = 72      // bytes: bcrypt ignores anything longer, so that many passwords would match
	judged   = 32      // bytes
	fewest   = 1e6 + 5 // guesses: a zxcvbn score of 2
	queue    = 5 * time.Second
	waiting  = 16 // for each slot: at a quarter of a second per hash, every request that is admitted is served in time
)

// nobody is a bcrypt hash of a given cost that matches no known password. Comparing with it takes as long as with any
// other; computing a real one would delay each start.
const nobody = "$2a$%02d$N5pQ1xWmT7cRz0LhYd3fKuVb8sGj2oEa6iXn4wCqUrtMvBy9DlPkO"

// Hasher hashes passwords at a fixed cost.
type Hasher struct {
	cost   int
	places *fair.Places
	hashes atomic.Int64
	work   atomic.Int64
	waited func(time.Duration)
	level  atomic.Int64 // the highest cost seen: the cost of every comparison
}

// NewHasher makes a Hasher of the given bcrypt cost.
func NewHasher(cost int) (*Hasher, error) {
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return nil, bcrypt.InvalidCostError(cost)
	}
	slots := max(1, runtime.NumCPU()-1)
	h := &Hasher{cost: cost, waited: func(time.Duration) {}, places: fair.New(slots, slots*waiting)}
	h.level.Store(int64(cost))
	return h, nil
}

// Turn is who requests a hash, and what to do when their turn comes.
type Turn struct {
	Of    []string     // who shares the places with others: a network, an account
	Begin func() error // called before the work, which is skipped if it fails; may be nil
}

// Hashes is how many passwords have been hashed so far, for tests that compare the work behind two responses without
// measuring time.
func (h *Hasher) Hashes() int64 { return h.hashes.Load() }

// Waiting is how many passwords are waiting for their turn right now.
func (h *Hasher) Waiting() int { return h.places.Waiting() }

// OnWait registers a function to report how long each password waited, including those that gave up. Call it before the
// first one.
func (h *Hasher) OnWait(f func(time.Duration)) { h.waited = f }

// Work is the total work so far, in rounds of bcrypt: a hash of cost 12 has twice as many as one of cost 11.
func (h *Hasher) Work() int64 { return h.work.Load() }

// Hash computes the hash to store. The password must have passed Check.
func (h *Hasher) Hash(ctx context.Context, password string, t Turn) (string, error) {
	var hash []byte
	err := h.bounded(ctx, t, func() (err error) {
		h.work.Add(1 << h.cost)
		hash, err = bcrypt.GenerateFromPassword([]byte(norm.NFC.String(password)), h.cost)
		return err
	})
	return string(hash), err
}

// Matches compares a password with a stored hash. Without a hash (an unknown user) it does the same work and returns
// false, so that the time taken doesn't reveal which names exist.
//
// The same password typed on another system may use another Unicode form: passwords are hashed in composed form (NFC),
// and the form that was sent is tried too, for hashes that predate this. bcrypt repeats its key, and so accepts "P NUL
// P" for "P": a password with a control character never matches.
func (h *Hasher) Matches(ctx context.Context, hash, password string, t Turn) (bool, error) {
	known := hash != ""
	if !known {
		hash = dummy(h.cost)
	}
	forms := slices.Compact([]string{norm.NFC.String(password), password})
	possible := len(forms[0]) <= longest && !hasControl(password)
	err := h.bounded(ctx, t, func() (err error) {
		for _, form := range forms {
			err = h.compare(hash, []byte(form[:min(len(form), longest)]))
			if !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
				return err
			}
		}
		return err
	})
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil && known && possible, err
}

// compare does the same work whatever the hash's cost. Otherwise the time would distinguish an account with a hash of
// another cost from an unknown name. After a cheap comparison, dummies make up the difference: 2^c + 2^c + 2^(c+1) + …
// = 2^level.
//
// Hashes that cost more than new ones exist after BCRYPT_COST was lowered. The first one seen after a start raises the
// cost of all later comparisons.
func (h *Hasher) compare(hash string, password []byte) error {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return err
	}
	level := h.raise(int64(cost))
	h.work.Add(1 << cost)
	result := bcrypt.CompareHashAndPassword([]byte(hash), password)
	for ; int64(cost) < level; cost++ {
		h.work.Add(1 << cost)
		_ = bcrypt.CompareHashAndPassword([]byte(dummy(cost)), password)
	}
	return result
}

// raise makes every comparison cost at least this much, and returns the resulting cost.
func (h *Hasher) raise(cost int64) int64 {
	for {
		level := h.level.Load()
		if cost <= level || h.level.CompareAndSwap(level, cost) {
			return max(cost, level)
		}
	}
}

func dummy(cost int) string { return fmt.Sprintf(nobody, cost) }

func hasControl(password string) bool { return strings.ContainsFunc(password, unicode.IsControl) }

// Same reports whether two passwords are equal, however they were typed.
func Same(a, b string) bool { return norm.NFC.String(a) == norm.NFC.String(b) }

// Outdated reports whether a hash was made at another cost: then hash the password again at login, when it is known.
func (h *Hasher) Outdated(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err != nil || cost != h.cost
}

// bounded runs work when its turn comes. It gives up after a while, when the client disconnects, and immediately if the
// queue is hopelessly long: a flood of logins must not pile up goroutines and passwords in memory.
func (h *Hasher) bounded(ctx context.Context, t Turn, work func() error) error {
	patience, cancel := context.WithTimeout(ctx, queue)
	defer cancel()
	start := time.Now()
	giveBack, err := h.places.Take(patience, t.Of...)
	h.waited(time.Since(start))
	if err != nil {
		return busy(err)
	}
	defer giveBack()
	if t.Begin != nil {
		if err := t.Begin(); err != nil {
			return err
		}
	}
	h.hashes.Add(1)
	return work()
}

func busy(cause error) error {
	return apperr.Crowd(queue, "Too many people are logging in right now. Try again in a moment.").Because(cause)
}

// siteWords are what anybody would try first on this site, besides the user's own names.
var siteWords = []string{"tokentube", "tokentube.com", "access token", "refresh token", "jsonwebtoken"}

// Check explains why a new password isn't accepted, or returns "" if it is. The user's names and the site's name count
// as guessable. The password isn't trimmed, and there are no composition rules (ASVS 6.2).
func Check(password string, names ...string) string {
	password = norm.NFC.String(password)
	switch {
	case hasControl(password):
		return "A password can't contain control characters, such as tabs or line breaks."
	case utf8.RuneCountInString(password) < shortest:
		return "Use at least 8 characters."
	case len(password) > longest:
		return "Use a shorter password: at most 72 bytes. Accented letters and emoji take more than one byte."
	}
	// Estimating the strength of a long password takes long. Anything after the first bytes only makes it stronger.
	judgedPart := strings.ToValidUTF8(password[:min(len(password), judged)], "")
	if guesses(judgedPart, slices.Concat(siteWords, names)...) < fewest {
		return "This password is too easy to guess. Use a few uncommon words."
	}
	return ""
}
