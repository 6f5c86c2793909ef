package models

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Authenticator is an app that shows a new code every thirty seconds (TOTP, RFC 6238). It becomes a factor of its owner
// once they have entered one of its codes.
type Authenticator struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Confirmed bool          `bson:"confirmed"`
	Secret    string        `bson:"secret"`   // base32, in plain text: generating codes requires it (see docs/tokens.md)
	LastStep  int64         `bson:"lastStep"` // of the last code that was accepted
	UsedAt    time.Time     `bson:"usedAt"`
	CreatedAt time.Time     `bson:"createdAt"` // when it was confirmed
}

// RecoveryCode replaces the app or passkey for one login. It has 120 random bits, too many to try them all, so a fast
// hash protects it and can be looked up.
type RecoveryCode struct {
	ID   bson.ObjectID `bson:"_id"`
	User bson.ObjectID `bson:"user"`
	Hash []byte        `bson:"hash"`
}

const (
	codeStep      = 30 * time.Second
	secretBytes   = 20 // RFC 4226 §4
	codesAtOnce   = 10
	codeLength    = 24 // letters of five bits each
	codeGroup     = 4
	codeLettering = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

// Factors are what a login requires besides the password. Confirmed ones of every kind are counted in
// User.FactorsCount: with one or more, a login takes two steps.
type Factors struct {
	db    *store.DB
	users *Users
	apps  *store.Documents[Authenticator]
	codes *store.Documents[RecoveryCode]

	passkeys   *store.Documents[Passkey]
	challenges *store.Documents[Challenge]
}

// FactorCounter counts all confirmed factors on the user.
const FactorCounter = "factorsCount"

// NewFactors registers the factors.
func NewFactors(db *store.DB, users *Users) *Factors {
	return &Factors{db: db, users: users,
		passkeys:   store.Register[Passkey](db, passkeyKind()),
		challenges: store.Register[Challenge](db, challengeKind()),
		apps: store.Register[Authenticator](db, store.Kind{
			Name: "authenticators", Essential: true,
			Indexes: []mongo.IndexModel{store.Unique("user", "confirmed")}, // one confirmed, and one that is being set up
			Parents: []store.Parent{{Kind: "users", Field: "user", Counter: FactorCounter, If: bson.E{Key: "confirmed", Value: true}}},
			Export:  store.Export{Not: "the app has the same secret, and whoever finds the file must not"},
		}),
		codes: store.Register[RecoveryCode](db, store.Kind{
			Name: "recoveryCodes", Essential: true,
			Indexes: []mongo.IndexModel{store.Unique("user", "hash")},
			Parents: []store.Parent{{Kind: "users", Field: "user"}},
			Export:  store.Export{Not: "hashes of what the person has"},
		}),
	}
}

// BeginAuthenticator makes a new secret for an app, replacing one that was never confirmed.
func (m *Factors) BeginAuthenticator(ctx context.Context, user bson.ObjectID) (a *Authenticator, err error) {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	a = &Authenticator{ID: bson.NewObjectID(), User: user, Secret: unpadded.EncodeToString(secret), CreatedAt: m.db.Now()}
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		if _, err := m.Authenticator(ctx, user, true); !apperr.Is(err, apperr.NotFound) {
			return hasAuthenticator(err)
		}
		if _, err := m.apps.Delete(ctx, store.Where("user", user, "confirmed", false)); err != nil {
			return err
		}
		return m.apps.Insert(ctx, a)
	})
	return a, err
}

func hasAuthenticator(err error) error {
	if err != nil {
		return err
	}
	return apperr.New(apperr.Conflict, "You already have an authenticator app. Remove it first.")
}

// Authenticator loads the user's app, or the one that is being set up.
func (m *Factors) Authenticator(ctx context.Context, user bson.ObjectID, confirmed bool) (*Authenticator, error) {
	return m.apps.One(ctx, store.Where("user", user, "confirmed", confirmed))
}

// URI is what the app reads from the QR code.
func (a *Authenticator) URI(issuer, account string) (string, error) {
	secret, err := unpadded.DecodeString(a.Secret)
	if err != nil {
		return "", err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Secret: secret})
	if err != nil {
		return "", err
	}
	return key.URL(), nil
}

// ConfirmAuthenticator turns the app into a factor, once its owner has entered one of its codes. With the first factor
// of any kind, it returns recovery codes.
func (m *Factors) ConfirmAuthenticator(ctx context.Context, user bson.ObjectID, code string) (codes []string, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		if _, err := m.Authenticator(ctx, user, true); !apperr.Is(err, apperr.NotFound) {
			return hasAuthenticator(err)
		}
		a, err := m.Authenticator(ctx, user, false)
		if apperr.Is(err, apperr.NotFound) {
			return apperr.New(apperr.Conflict, "Set up the app again.").Because(err)
		}
		if err != nil {
			return err
		}
		step, ok := a.step(code, m.db.Now())
		if !ok {
			return ErrWrongCode()
		}
		_, err = m.apps.Update(ctx, store.Where("_id", a.ID, "confirmed", false), bson.D{store.Set("confirmed", true, "lastStep", step, "usedAt", m.db.Now(), "createdAt", m.db.Now())})
		if err != nil {
			return err
		}
		codes, err = m.FirstCodes(ctx, user)
		return err
	})
	return codes, err
}

// step finds the time step of a code: the current one, or one of its neighbours, in case the clocks differ slightly
// (RFC 6238 §5.2).
func (a *Authenticator) step(code string, now time.Time) (int64, bool) {
	code = strings.ReplaceAll(code, " ", "")
	present := now.Unix() / int64(codeStep/time.Second)
	for _, step := range []int64{present, present - 1, present + 1} {
		ok, err := hotp.ValidateCustom(code, uint64(step), a.Secret, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}) // #nosec G115 -- after 1970
		if err == nil && ok && step > a.LastStep {
			return step, true
		}
	}
	return 0, false
}

// UseAuthenticator accepts a code of the user's app once: no code of its time step or an earlier one is accepted again
// (RFC 6238 §5.2). Of any number of concurrent uses, one succeeds.
func (m *Factors) UseAuthenticator(ctx context.Context, user bson.ObjectID, code string) error {
	a, err := m.Authenticator(ctx, user, true)
	if apperr.Is(err, apperr.NotFound) {
		return ErrWrongCode().Because(err)
	}
	if err != nil {
		return err
	}
	step, ok := a.step(code, m.db.Now())
	if !ok {
		return ErrWrongCode()
	}
	unused := store.Where("user", user, "confirmed", true, "_id", a.ID, "lastStep", store.Where("$lt", step))
	_, err = m.apps.Update(ctx, unused, bson.D{store.Set("lastStep", step, "usedAt", m.db.Now())})
	if apperr.Is(err, apperr.NotFound) {
		err = ErrWrongCode().Because(err)
	}
	return err
}

// ErrWrongCode is the error for a code that is wrong or was already used.
func ErrWrongCode() *apperr.Error {
	return apperr.InvalidField("code", "That code is wrong or was already used. Wait for the next one.")
}

// RemoveAuthenticator removes the app, or the one that is being set up, and reports whether a confirmed one was
// removed.
func (m *Factors) RemoveAuthenticator(ctx context.Context, user bson.ObjectID) (removed bool, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		if removed, err = m.removeApp(ctx, user, time.Time{}); err != nil || !removed {
			return err
		}
		return m.EndCodes(ctx, user)
	})
	return removed, err
}

// RemovedFactors are the factors that were removed together.
type RemovedFactors struct {
	App      bool // the authenticator app
	Passkeys []*Passkey
}

// Any reports whether there were any.
func (r RemovedFactors) Any() bool { return r.App || len(r.Passkeys) > 0 }

// RemoveSince removes the factors of every kind that were confirmed at or after this time, and those that are being set
// up.
func (m *Factors) RemoveSince(ctx context.Context, user bson.ObjectID, since time.Time) (removed RemovedFactors, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		if removed.App, err = m.removeApp(ctx, user, since); err != nil {
			return err
		}
		if removed.Passkeys, err = m.removePasskeys(ctx, user, since); err != nil || !removed.Any() {
			return err
		}
		return m.EndCodes(ctx, user)
	})
	return removed, err
}

// RemoveAll removes every factor of the user and their recovery codes. It reports whether there were any.
func (m *Factors) RemoveAll(ctx context.Context, user bson.ObjectID) (bool, error) {
	removed, err := m.RemoveSince(ctx, user, time.Time{})
	return removed.Any(), err
}

// removeApp removes the app if it was confirmed at or after this time. Call it within a transaction.
func (m *Factors) removeApp(ctx context.Context, user bson.ObjectID, since time.Time) (removed bool, err error) {
	if _, err := m.apps.Delete(ctx, store.Where("user", user, "confirmed", false)); err != nil {
		return false, err
	}
	return m.apps.Delete(ctx, store.Where("user", user, "confirmed", true, "createdAt", store.Where("$gte", since)))
}

// FirstCodes makes recovery codes for a user who has none. Call it within the transaction that adds a factor.
func (m *Factors) FirstCodes(ctx context.Context, user bson.ObjectID) ([]string, error) {
	n, err := m.CodesLeft(ctx, user)
	if err != nil || n > 0 {
		return nil, err
	}
	return m.makeCodes(ctx, user)
}

// EndCodes removes the recovery codes of a user who no longer has a factor. Call it within the transaction that removes
// a factor.
func (m *Factors) EndCodes(ctx context.Context, user bson.ObjectID) error {
	u, err := m.users.ByID(ctx, user)
	if err != nil || u.FactorsCount > 0 {
		return err
	}
	return m.codes.DeleteAll(ctx, store.Where("user", user))
}

// CodesLeft counts the recovery codes that the user has not used.
func (m *Factors) CodesLeft(ctx context.Context, user bson.ObjectID) (int, error) {
	return m.codes.Count(ctx, store.Where("user", user), 0)
}

// RenewCodes replaces the recovery codes of a user who has a factor.
func (m *Factors) RenewCodes(ctx context.Context, user bson.ObjectID) (codes []string, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		u, err := m.users.ByID(ctx, user)
		if err != nil {
			return err
		}
		if u.FactorsCount == 0 {
			return apperr.New(apperr.Conflict, "Recovery codes are for accounts with two-step login. Turn it on first.")
		}
		if err := m.codes.DeleteAll(ctx, store.Where("user", user)); err != nil {
			return err
		}
		codes, err = m.makeCodes(ctx, user)
		return err
	})
	return codes, err
}

func (m *Factors) makeCodes(ctx context.Context, user bson.ObjectID) ([]string, error) {
	var codes []string
	for range codesAtOnce {
		code := rand.Text()[:codeLength]
		if err := m.codes.Insert(ctx, &RecoveryCode{ID: bson.NewObjectID(), User: user, Hash: linkHash(code)}); err != nil {
			return nil, err
		}
		codes = append(codes, grouped(code))
	}
	return codes, nil
}

// grouped is a code as it is displayed: ABCD-EFGH-…
func grouped(code string) string {
	var groups []string
	for len(code) > 0 {
		groups, code = append(groups, code[:codeGroup]), code[codeGroup:]
	}
	return strings.Join(groups, "-")
}

// typed normalises a code that somebody typed. Digits that codes don't contain are read as the letters that they look
// like.
func typed(code string) string {
	return strings.Map(func(r rune) rune {
		if !strings.ContainsRune(codeLettering, r) {
			return -1
		}
		return r
	}, strings.NewReplacer("0", "O", "1", "I", "8", "B").Replace(strings.ToUpper(code)))
}

// UseRecoveryCode accepts one of the user's codes once, and returns how many are left.
func (m *Factors) UseRecoveryCode(ctx context.Context, user bson.ObjectID, code string) (left int, err error) {
	used, err := m.codes.Delete(ctx, store.Where("user", user, "hash", linkHash(typed(code))))
	if err != nil {
		return 0, err
	}
	if !used {
		return 0, ErrWrongCode()
	}
	return m.CodesLeft(ctx, user)
}

// IsRecoveryCode distinguishes a recovery code from an app's code by its length.
func IsRecoveryCode(code string) bool { return len(typed(code)) == codeLength }
