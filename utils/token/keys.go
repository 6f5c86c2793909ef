package token

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Config holds what tokens are made with. Previous secrets and keys are optional; they verify tokens but never sign
// them.
type Config struct {
	AccessSecret, RefreshSecret                 string
	AccessSecretPrevious, RefreshSecretPrevious string
	AccessKey                                   crypto.Signer // Ed25519 or RSA; nil: AccessSecret signs
	AccessKeyPrevious                           crypto.PublicKey
	AccessTTL, RefreshTTL                       time.Duration
	Issuer                                      string
	Now                                         func() time.Time
}

// New makes this site's kinds of token. Only the site itself reads refresh tokens and second-step tokens, so a secret
// is enough for them.
func New(c Config) (*Tokens, error) {
	access, err := accessKeys(c)
	if err != nil {
		return nil, err
	}
	refresh := secretKeys(c.RefreshSecret, c.RefreshSecretPrevious)
	return newTokens(audience, access, refresh, c), nil
}

const audience = "tokentube"

// SecondTTL is how long users have for the second step after they entered their password.
const SecondTTL = 5 * time.Minute

func newTokens(audience string, access, refresh keys, c Config) *Tokens {
	tokens := &Tokens{
		Access:  newKind("at+jwt", audience, access, c.AccessTTL, c),
		Refresh: newKind("rt+jwt", audience+"-refresh", refresh, c.RefreshTTL, c),
		Second:  newKind("2fa+jwt", audience+"-2fa", refresh, SecondTTL, c),
	}
	tokens.Second.outside = true
	return tokens
}

// ForLab returns tokens to play with. They use the same keys, and their access tokens live for ttl. They have a
// separate audience, so neither this site nor another service that verifies tokens offline mistakes them for real ones.
func (t *Tokens) ForLab(ttl time.Duration) *Tokens {
	c := Config{AccessTTL: ttl, RefreshTTL: t.Refresh.TTL, Issuer: t.Access.issuer, Now: t.Access.now}
	return newTokens(audience+"-lab", t.Access.keys, t.Refresh.keys, c)
}

// ForEditor returns tokens signed with a key that signs nothing else and whose public half is no secret: in the Token
// lab, people write tokens with it. Both kinds share it, so only their type tells them apart.
func (t *Tokens) ForEditor(private ed25519.PrivateKey, ttl time.Duration) (*Tokens, error) {
	own, err := publicKey(private.Public())
	if err != nil {
		return nil, err
	}
	own.sign = private
	c := Config{AccessTTL: ttl, RefreshTTL: ttl, Issuer: t.Access.issuer, Now: t.Access.now}
	return newTokens(audience+"-lab-editor", keys{own}, keys{own}, c), nil
}

// key is one of our keys, permanently bound to one algorithm: a token's header can never make us use an RSA key as an
// HMAC secret (RFC 8725 §3.1, §2.1).
type key struct {
	id     string
	method jwt.SigningMethod
	sign   any // nil in a previous key, which only verifies
	verify any
	public *JWK // nil in a secret
}

// secretKey is a key for HS256.
func secretKey(secret string) *key {
	return &key{id: secretID(secret), method: jwt.SigningMethodHS256, sign: []byte(secret), verify: []byte(secret)}
}

// secretID names a secret by its hash, so that all processes use the same name without coordination, and nobody can
// compute the secret from it.
func secretID(secret string) string {
	sum := sha256.Sum256([]byte("kid:" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// publicKey is a key for EdDSA or RS256, depending on the key's type.
func publicKey(public crypto.PublicKey) (*key, error) {
	k := &key{verify: public}
	switch p := public.(type) {
	case ed25519.PublicKey:
		k.method = jwt.SigningMethodEdDSA
		k.public = &JWK{KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(p)} // RFC 8037 §2
	case *rsa.PublicKey:
		k.method = jwt.SigningMethodRS256
		e := big.NewInt(int64(p.E)).Bytes()
		k.public = &JWK{KeyType: "RSA", N: base64.RawURLEncoding.EncodeToString(p.N.Bytes()), E: base64.RawURLEncoding.EncodeToString(e)} // RFC 7518 §6.3.1
	default:
		return nil, fmt.Errorf("a %T cannot be a key of tokens: only Ed25519 and RSA", public)
	}
	k.id = k.public.thumbprint()
	k.public.ID, k.public.Algorithm, k.public.Use = k.id, k.method.Alg(), "sig"
	return k, nil
}

// JWK is a public key in the standard format (RFC 7517 §4).
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

// thumbprint is the standard hash that identifies a public key (RFC 7638 §3): over its required members, in
// alphabetical order.
func (j *JWK) thumbprint() string {
	text := fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, j.E, j.N)
	if j.KeyType == "OKP" {
		text = fmt.Sprintf(`{"crv":%q,"kty":"OKP","x":%q}`, j.Curve, j.X)
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// keys are the keys of one kind of token. The first one signs; all of them verify.
type keys []*key

// accessKeys: a private key replaces the secret for signing. The secret then no longer verifies tokens either, unless
// it is also given as the previous one.
func accessKeys(c Config) (keys, error) {
	k := secretKeys(c.AccessSecret, c.AccessSecretPrevious)
	if c.AccessKey != nil {
		own, err := publicKey(c.AccessKey.Public())
		if err != nil {
			return nil, err
		}
		own.sign = c.AccessKey
		k[0] = own
	}
	if c.AccessKeyPrevious != nil {
		previous, err := publicKey(c.AccessKeyPrevious)
		if err != nil {
			return nil, err
		}
		k = append(k, previous)
	}
	return k, nil
}

func secretKeys(current, previous string) keys {
	k := keys{secretKey(current)}
	if previous != "" {
		k = append(k, secretKey(previous))
		k[1].sign = nil
	}
	return k
}

// algorithms are our keys' algorithms; tokens with any other are rejected.
func (k keys) algorithms() []string {
	var names []string
	for _, key := range k {
		names = append(names, key.method.Alg())
	}
	return names
}

// choose picks the key that a token's header names. The kid only selects among our own keys: it is never used as a path
// or in a query, and headers by which a token would bring its own key (jku, jwk, x5u) are ignored (RFC 8725 §3.10).
func (k keys) choose(t *jwt.Token) (any, error) {
	for _, key := range k {
		if t.Header["kid"] != key.id {
			continue
		}
		if t.Method != key.method {
			return nil, fmt.Errorf("alg is %s, and the key is for %s", t.Method.Alg(), key.method.Alg())
		}
		return key.verify, nil
	}
	return nil, errors.New("kid is not one of ours")
}

// PublicKeys are the keys with which others can verify this kind of token. They never include secrets.
func (k *Kind) PublicKeys() []JWK {
	list := []JWK{}
	for _, key := range k.keys {
		if key.public != nil {
			list = append(list, *key.public)
		}
	}
	return list
}
