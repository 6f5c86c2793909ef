package models

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Passkey is a key pair on a device of its owner, or in their password manager (WebAuthn). The site has only the public
// half, so reading the database doesn't let anybody log in.
type Passkey struct {
	ID         bson.ObjectID `bson:"_id"`
	User       bson.ObjectID `bson:"user"`
	Credential []byte        `bson:"credential"` // the device's id of the pair
	PublicKey  []byte        `bson:"publicKey"`  // COSE, RFC 9052
	SignCount  int64         `bson:"signCount"`  // of the last signature; many devices always report zero
	Transports []string      `bson:"transports"`
	Syncable   bool          `bson:"syncable"` // it may be copied to other devices of its owner (BE)
	Synced     bool          `bson:"synced"`   // and has been copied (BS)
	Name       string        `bson:"name" validate:"required,max=50,line"`
	CreatedAt  time.Time     `bson:"createdAt"`
	LastUsedAt *time.Time    `bson:"lastUsedAt,omitempty"`
}

// PasskeyPurpose is the one thing that a challenge asks a passkey for.
type PasskeyPurpose string

// The purposes of challenges.
const (
	PasskeyAdd     PasskeyPurpose = "add"
	PasskeyLogin   PasskeyPurpose = "login"   // without a password
	PasskeySecond  PasskeyPurpose = "second"  // the second step of a login
	PasskeyConfirm PasskeyPurpose = "confirm" // confirming who they are
)

// Challenge is what a passkey has to sign, once and soon.
type Challenge struct {
	ID        bson.ObjectID  `bson:"_id"`
	Hash      []byte         `bson:"hash"` // of what must be signed, where and for what: see challengeHash
	ExpiresAt time.Time      `bson:"expiresAt"`
	User      *bson.ObjectID `bson:"user,omitempty"` // unknown in a login without a password
}

// ChallengeTTL is how long a challenge is valid.
const ChallengeTTL = 5 * time.Minute

// MaxPasskeys is how many passkeys a user may have.
const MaxPasskeys = 20

const manyPasskeys = "You can have at most 20 passkeys. Remove one first."

// ErrManyPasskeys is the error for one passkey too many.
func ErrManyPasskeys() error { return apperr.New(apperr.Conflict, manyPasskeys) }

// PasskeyCounter counts the passkeys on the user. They count in FactorCounter too.
const PasskeyCounter = "passkeysCount"

func passkeyKind() store.Kind {
	return store.Kind{
		Name: "passkeys", Essential: true,
		Indexes: []mongo.IndexModel{store.Unique("credential"), store.Index("user", "createdAt")},
		Parents: []store.Parent{
			{Kind: "users", Field: "user", Counter: PasskeyCounter, Max: MaxPasskeys, Full: manyPasskeys},
			{Kind: "users", Field: "user", Counter: FactorCounter},
		},
		Export: store.Export{By: "user", Order: store.Order{"createdAt", "_id"}, Fields: []string{
			"name", "transports", "syncable", "synced", "createdAt", "lastUsedAt",
		}},
	}
}

func challengeKind() store.Kind {
	return store.Kind{
		Name: "challenges", Essential: true,
		Indexes: []mongo.IndexModel{store.Unique("hash"), store.Index("user"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}},
		Export:  store.Export{Not: "hashes of random numbers, for five minutes"},
	}
}

// challengeHash binds a challenge to its purpose and to where it was issued: the session, or the second-step token.
func challengeHash(p PasskeyPurpose, where, challenge string) []byte {
	return linkHash(string(p) + "\n" + where + "\n" + challenge)
}

// Ask records a challenge that is issued. User is zero if nobody is known yet.
func (m *Factors) Ask(ctx context.Context, p PasskeyPurpose, user bson.ObjectID, where, challenge string) error {
	c := &Challenge{ID: bson.NewObjectID(), Hash: challengeHash(p, where, challenge), ExpiresAt: m.db.Now().Add(ChallengeTTL)}
	if !user.IsZero() {
		c.User = &user
	}
	return m.challenges.Insert(ctx, c)
}

// Answered consumes a challenge. Of any number of concurrent responses, one succeeds. A response for another purpose,
// from another place or by somebody else never does, and leaves the challenge open for the person it was issued to.
func (m *Factors) Answered(ctx context.Context, p PasskeyPurpose, user bson.ObjectID, where, challenge string) error {
	filter := store.Where("hash", challengeHash(p, where, challenge), "user", store.Absent, "expiresAt", store.Where("$gt", m.db.Now()))
	if !user.IsZero() {
		filter[1].Value = user
	}
	c, err := m.challenges.Take(ctx, filter)
	if err == nil && c == nil || apperr.Is(err, apperr.NotFound) {
		return ErrChallengeOver().Because(err)
	}
	return err
}

// ErrChallengeOver is the error for a response to no open challenge. It is not evidence of an attack.
func ErrChallengeOver() *apperr.Error {
	return apperr.New(apperr.Conflict, "This took too long, or was done already. Try again.")
}

// AddPasskey stores a new passkey. With the first factor of any kind, it returns recovery codes.
func (m *Factors) AddPasskey(ctx context.Context, p *Passkey) (codes []string, err error) {
	p.ID, p.CreatedAt, p.LastUsedAt, p.Name = bson.NewObjectID(), m.db.Now(), nil, strings.TrimSpace(p.Name)
	if err := validate(p); err != nil {
		return nil, err
	}
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		err := m.passkeys.Insert(ctx, p)
		// The error for a full account names no field.
		if apperr.Is(err, apperr.Conflict) && len(apperr.From(err).Fields) > 0 {
			return apperr.New(apperr.Conflict, "This passkey is already in use.").Because(err)
		}
		if err != nil {
			return err
		}
		codes, err = m.FirstCodes(ctx, p.User)
		return err
	})
	return codes, err
}

// Passkeys lists the user's passkeys, oldest first.
func (m *Factors) Passkeys(ctx context.Context, user bson.ObjectID) ([]*Passkey, error) {
	return m.passkeys.List(ctx, store.Where("user", user), store.Order{"createdAt"}, 0)
}

// Passkey loads one of the user's passkeys.
func (m *Factors) Passkey(ctx context.Context, user, id bson.ObjectID) (*Passkey, error) {
	return m.passkeys.One(ctx, store.Where("_id", id, "user", user))
}

// PasskeyByCredential finds the passkey that a device used, whoever owns it.
func (m *Factors) PasskeyByCredential(ctx context.Context, credential []byte) (*Passkey, error) {
	return m.passkeys.One(ctx, store.Where("credential", credential))
}

// RenamePasskey renames one of the user's passkeys.
func (m *Factors) RenamePasskey(ctx context.Context, user, id bson.ObjectID, name string) (*Passkey, error) {
	if err := CheckPasskeyName(name); err != nil {
		return nil, err
	}
	return m.passkeys.Update(ctx, store.Where("_id", id, "user", user), bson.D{store.Set("name", strings.TrimSpace(name))})
}

// CheckPasskeyName validates a name.
func CheckPasskeyName(name string) error { return validate(&Passkey{Name: strings.TrimSpace(name)}) }

// UsePasskey records a signature of the user's passkey. A count that doesn't increase means that somebody has a copy of
// the key, unless the device never counts. It is refused, and CopiedPasskey identifies the error.
func (m *Factors) UsePasskey(ctx context.Context, p *Passkey, count int64, synced bool) error {
	var before any = store.Where("$lt", count)
	if count == 0 {
		before = int64(0)
	}
	used := bson.D{store.Set("signCount", count, "synced", synced, "lastUsedAt", m.db.Now())}
	_, err := m.passkeys.Update(ctx, store.Where("_id", p.ID, "user", p.User, "signCount", before), used)
	if !apperr.Is(err, apperr.NotFound) {
		return err
	}
	if _, gone := m.Passkey(ctx, p.User, p.ID); gone != nil {
		return gone
	}
	return errPasskeyCopied(p)
}

// copied is the cause of the error that says so.
type copied struct{ *Passkey }

func (c *copied) Error() string {
	return "the signature counter of passkey " + c.ID.Hex() + " went back"
}

// errPasskeyCopied is the error for a signature whose count is not higher than the last one's.
func errPasskeyCopied(p *Passkey) error {
	return apperr.New(apperr.Invalid, "This passkey may have been copied, so it wasn’t accepted. Use another way, and remove this passkey in your settings.").Because(&copied{p})
}

// CopiedPasskey is the passkey that an error of UsePasskey reports as copied; nil for any other error.
func CopiedPasskey(err error) *Passkey {
	if c := (*copied)(nil); errors.As(err, &c) {
		return c.Passkey
	}
	return nil
}

// RemovePasskey removes one of the user's passkeys, and returns it; nil if there was none.
func (m *Factors) RemovePasskey(ctx context.Context, user, id bson.ObjectID) (p *Passkey, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		if p, err = m.passkeys.Take(ctx, store.Where("_id", id, "user", user)); err != nil || p == nil {
			return err
		}
		return m.EndCodes(ctx, user)
	})
	return p, err
}

// removePasskeys removes the user's passkeys that were added at or after this time. Call it within a transaction.
func (m *Factors) removePasskeys(ctx context.Context, user bson.ObjectID, since time.Time) (removed []*Passkey, err error) {
	all, err := m.passkeys.List(ctx, store.Where("user", user, "createdAt", store.Where("$gte", since)), store.Order{"createdAt"}, 0)
	for _, p := range all {
		if err == nil {
			_, err = m.passkeys.Delete(ctx, store.Where("_id", p.ID, "user", user))
		}
	}
	return all, err
}
