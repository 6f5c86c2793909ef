// Package token signs and verifies JSON Web Tokens. It knows keys, algorithms and claims; whose token it is and whether
// its session is still active is decided in models and middlewares.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokentube/utils/cache"
)

// Claims are the claims of all kinds of token. The first four describe the user and appear only in access tokens.
// RefreshID ("rti") names the refresh token that was current when the access token was issued.
type Claims struct {
	Email     string   `json:"email,omitempty"`
	Username  string   `json:"username,omitempty"`
	FullName  string   `json:"fullName,omitempty"`
	Roles     []string `json:"roles,omitzero"` // empty in an access token, omitted from a refresh token
	RefreshID string   `json:"rti,omitempty"`
	Remember  bool     `json:"remember,omitempty"` // only in the token between the two steps of a login

	UserID    string           `json:"_id"`
	SessionID string           `json:"sid,omitempty"`
	Subject   string           `json:"sub"`
	Issuer    string           `json:"iss"`
	Audience  string           `json:"aud"`
	ID        string           `json:"jti"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf,omitempty"`
	ExpiresAt *jwt.NumericDate `json:"exp"`
}

// The library reads the registered claims through these methods. NotBefore is checked by checkOwn, which allows some
// leeway for other machines' clocks, and ExpiresAt by Verify, which distinguishes an expired token from an invalid one.
func (c *Claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (c *Claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (c *Claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (c *Claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *Claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *Claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings{c.Audience}, nil }

// leeway is how far another machine's clock may run ahead of ours. It applies to iat and nbf, but not to exp: no token
// lives longer than it claims.
const leeway = 30 * time.Second

// verifiedKept is how many verified tokens are cached; they take about 10 MB.
const verifiedKept = 10_000

// Kind signs and verifies one kind of token. An access token is never accepted as a refresh token, or vice versa,
// because their key, typ and aud all differ (RFC 8725 §3.11, §3.12).
type Kind struct {
	TTL time.Duration

	typ      string
	audience string
	outside  bool // issued before a session exists
	issuer   string
	keys     keys
	parser   *jwt.Parser
	verified *cache.Cache[[sha256.Size]byte, *Claims]
	now      func() time.Time
}

// Tokens are the two kinds of a session, and the one between the two steps of a login, which is only valid for the
// second step.
type Tokens struct{ Access, Refresh, Second *Kind }

func newKind(typ, audience string, keys keys, ttl time.Duration, c Config) *Kind {
	return &Kind{
		TTL: ttl, typ: typ, audience: audience, issuer: c.Issuer, keys: keys, now: c.Now,
		verified: cache.New[[sha256.Size]byte, *Claims](ttl, verifiedKept, c.Now),
		parser: jwt.NewParser(
			// Only our keys' algorithms: a token's own alg is never trusted (alg "none", RFC 8725 §3.1).
			jwt.WithValidMethods(keys.algorithms()),
			jwt.WithIssuer(c.Issuer), jwt.WithAudience(audience),
			jwt.WithTimeFunc(c.Now), jwt.WithStrictDecoding(),
		),
	}
}

// NewID makes a token's jti: 130 random bits as text.
func NewID() string { return rand.Text() }

// Sign makes a token with these claims, and fills in the issuer and audience.
func (k *Kind) Sign(c Claims) (string, error) {
	c.Issuer, c.Audience = k.issuer, k.audience
	key := k.keys[0]
	t := jwt.NewWithClaims(key.method, &c)
	t.Header["typ"], t.Header["kid"] = k.typ, key.id
	return t.SignedString(key.sign)
}

// ErrExpired is returned by Verify for a token that is valid except that it has expired. The claims are returned with
// it; they only prove who the token was issued to.
var ErrExpired = errors.New("token has expired")

// ErrFromFuture is returned by Verify for a token that is valid except that it was issued in the future, beyond the
// leeway: the clock was set back, or another machine's runs ahead. The claims are returned with it.
var ErrFromFuture = errors.New("token was issued in the future")

// Ours reports, from an error of Verify, whether this site signed the token: it is at most too old or too new.
func Ours(err error) bool {
	return err == nil || errors.Is(err, ErrExpired) || errors.Is(err, ErrFromFuture)
}

// Verify checks a token of this kind and returns its claims. They are shared: do not modify them. What never changes
// about a token (its signature, its claims) is verified once and cached under the token's hash; its age is checked each
// time.
func (k *Kind) Verify(raw string) (*Claims, error) {
	claims, err := k.verified.Get(sha256.Sum256([]byte(raw)), func() (*Claims, error) { return k.verify(raw) })
	if err != nil {
		return claims, err
	}
	now := k.now()
	early, expired := claims.IssuedAt.After(now.Add(leeway)), !now.Before(claims.ExpiresAt.Time)
	switch {
	case early && expired:
		return nil, jwt.ErrTokenUsedBeforeIssued // no wrong clock explains that
	case early:
		return claims, ErrFromFuture
	case expired:
		return claims, ErrExpired
	}
	return claims, nil
}

// alphabet: base64url and dots. This excludes JSON serialization, white space, and alternative spellings of a token
// already seen.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

func (k *Kind) verify(raw string) (*Claims, error) {
	if strings.Trim(raw, alphabet) != "" {
		return nil, jwt.ErrTokenMalformed
	}
	claims := &Claims{}
	_, err := k.parser.ParseWithClaims(raw, claims, k.keyFor)
	if err == nil {
		err = k.checkOwn(claims)
	}
	if err != nil {
		return nil, err
	}
	return claims, nil
}

// keyFor picks the key if the header is one that this site writes.
func (k *Kind) keyFor(t *jwt.Token) (any, error) {
	if t.Header["typ"] != k.typ {
		return nil, fmt.Errorf("typ is %v, not %s", t.Header["typ"], k.typ)
	}
	if _, ok := t.Header["crit"]; ok {
		return nil, errors.New("crit is not understood") // RFC 7515 §4.1.11
	}
	return k.keys.choose(t)
}

// checkOwn checks what the library doesn't.
func (k *Kind) checkOwn(c *Claims) error {
	latest := k.now().Add(leeway)
	switch {
	case c.ExpiresAt == nil, c.IssuedAt == nil:
		return jwt.ErrTokenRequiredClaimMissing
	case c.NotBefore != nil && c.NotBefore.After(latest):
		return jwt.ErrTokenNotValidYet
	case c.UserID == "" || c.Subject != c.UserID || (c.SessionID == "") != k.outside || c.ID == "":
		return jwt.ErrTokenInvalidClaims
	}
	return nil
}
