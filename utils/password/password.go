// Package password hashes and checks passwords. It bounds how many hashes run at
// once, so that a storm of logins queues while everything else stays fast.
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

	"github.com/trustelem/zxcvbn"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"

	"tokentube/utils/apperr"
)

const (
	shortest = 8  // characters
	longest  = 72 // bytes: bcrypt ignores what comes after, so that many passwords would open one account
	judged   = 32 // bytes
	queue    = 5 * time.Second
	waiting  = 16 // for each slot: at a quarter of a second a hash, whoever is let in is served in time
)

// nobody is a bcrypt hash of a given cost that no known password has. Comparing with
// it takes as long as with any other; making a real one would hold up each start.
const nobody = "$2a$%02d$N5pQ1xWmT7cRz0LhYd3fKuVb8sGj2oEa6iXn4wCqUrtMvBy9DlPkO"

// Hasher hashes passwords at one cost.
type Hasher struct {
	cost   int
	slots  *semaphore.Weighted
	most   int64 // at work and waiting together
	inside atomic.Int64
	hashes atomic.Int64
	dummy  []byte
}

// NewHasher makes a Hasher of the given bcrypt cost.
func NewHasher(cost int) (*Hasher, error) {
	dummy := fmt.Appendf(nil, nobody, cost)
	if _, err := bcrypt.Cost(dummy); err != nil {
		return nil, err
	}
	slots := int64(max(1, runtime.NumCPU()-1))
	return &Hasher{cost: cost, slots: semaphore.NewWeighted(slots), most: slots * (1 + waiting), dummy: dummy}, nil
}

// Hashes is how many times a password was hashed so far, for tests that compare
// the work of two answers without a stopwatch.
func (h *Hasher) Hashes() int64 { return h.hashes.Load() }

// Hash makes the hash to store. The password must have passed Check.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	var hash []byte
	err := h.bounded(ctx, func() (err error) {
		hash, err = bcrypt.GenerateFromPassword([]byte(norm.NFC.String(password)), h.cost)
		return err
	})
	return string(hash), err
}

// Matches compares a password with a stored hash. With no hash (an unknown user) it does the same work and says no, so that
// the time taken does not tell which names exist.
//
// The same password typed on another system may come in another Unicode form: the composed one (NFC) is what was hashed,
// and what was sent is tried too, for hashes from before that. bcrypt repeats its key, and so takes
// "P NUL P" for "P": a control character matches nothing.
func (h *Hasher) Matches(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = string(h.dummy)
	}
	forms := slices.Compact([]string{norm.NFC.String(password), password})
	possible := len(forms[0]) <= longest && !hasControl(password)
	err := h.bounded(ctx, func() (err error) {
		for _, form := range forms {
			err = bcrypt.CompareHashAndPassword([]byte(hash), []byte(form[:min(len(form), longest)]))
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

func hasControl(password string) bool { return strings.ContainsFunc(password, unicode.IsControl) }

// Same tells whether two passwords are one, however they were typed.
func Same(a, b string) bool { return norm.NFC.String(a) == norm.NFC.String(b) }

// Outdated tells a hash that was made at another cost: hash the password again
// when it is known, at login.
func (h *Hasher) Outdated(hash string) bool {
	cost, err := bcrypt.Cost([]byte(hash))
	return err != nil || cost != h.cost
}

// bounded runs work when one of the slots is free. It gives up after a while, and
// at once when so many are waiting that there is no hope: a storm of logins must
// not pile up goroutines and passwords in memory.
func (h *Hasher) bounded(ctx context.Context, work func() error) error {
	defer h.inside.Add(-1)
	if h.inside.Add(1) > h.most {
		return busy(errors.New("the queue of hashes is full"))
	}
	patience, cancel := context.WithTimeout(ctx, queue)
	defer cancel()
	if err := h.slots.Acquire(patience, 1); err != nil {
		return busy(err)
	}
	defer h.slots.Release(1)
	h.hashes.Add(1)
	return work()
}

func busy(cause error) error {
	e := apperr.New(apperr.Unavailable, "Too many people are logging in at the moment. Please try again.").Because(cause)
	e.RetryAfter = queue
	return e
}

// siteWords are what anybody tries first here, beside the user's own names.
var siteWords = []string{"tokentube", "tokentube.com", "access token", "refresh token", "jsonwebtoken"}

// Check says why a new password cannot be taken, or "" when it can. The user's
// own names and the site's count as guessable. It is not trimmed and there are no rules of
// composition (ASVS 6.2).
func Check(password string, names ...string) string {
	password = norm.NFC.String(password)
	switch {
	case hasControl(password):
		return "A password can't contain control characters, such as tabs or line breaks."
	case utf8.RuneCountInString(password) < shortest:
		return "Use at least 8 characters."
	case len(password) > longest:
		return "Use at most 72 bytes: more would be cut off."
	}
	// Guessing how hard a password is to guess takes long for long ones. What comes
	// after the first bytes only makes it harder.
	if zxcvbn.PasswordStrength(password[:min(len(password), judged)], slices.Concat(siteWords, names)).Score < 2 {
		return "This password is too easy to guess. Use a few uncommon words."
	}
	return ""
}
