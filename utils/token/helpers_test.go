package token_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokentube/utils/token"
)

const (
	accessSecret  = "access secret of the tests 0123456789 abcdefghij"
	refreshSecret = "refresh secret of the tests 0123456789 abcdefghij"
	formerAccess  = "former access secret 0123456789 abcdefghijklmnop"
	formerRefresh = "former refresh secret 0123456789 abcdefghijklmnop"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// M is a JSON object.
type M = map[string]any

// clock is a clock that the test sets.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newTokens(access, refresh string) (*token.Tokens, *clock) {
	c := &clock{start}
	return mustNew(token.Config{AccessSecret: access, RefreshSecret: refresh, Now: c.now}), c
}

// mustNew fills in what all the tests share.
func mustNew(c token.Config) *token.Tokens {
	c.Issuer, c.AccessTTL, c.RefreshTTL = "tokentube", 15*time.Minute, 240*time.Hour
	tokens, err := token.New(c)
	if err != nil {
		panic(err)
	}
	return tokens
}

func accessClaims() token.Claims {
	return token.Claims{
		UserID: "u1", Subject: "u1", SessionID: "s1", ID: "j1", RefreshID: "r1",
		Email: "alice@example.com", Username: "alice", FullName: "The alice", Roles: []string{"admin"},
		IssuedAt: jwt.NewNumericDate(start), ExpiresAt: jwt.NewNumericDate(start.Add(15 * time.Minute)),
	}
}

func refreshClaims() token.Claims {
	return token.Claims{
		UserID: "u1", Subject: "u1", SessionID: "s1", ID: "r1",
		IssuedAt: jwt.NewNumericDate(start), ExpiresAt: jwt.NewNumericDate(start.Add(240 * time.Hour)),
	}
}

func sign(t testing.TB, k *token.Kind, c token.Claims) string {
	t.Helper()
	raw, err := k.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func unb64(t testing.TB, text string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sha is SHA-256 as text.
func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return b64(sum[:])
}

// encode encodes a part of a token.
func encode(t testing.TB, part any) string {
	t.Helper()
	text, err := json.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	return b64(text)
}

// mac is HS256, implemented here so that the tests don't depend on the library.
func mac(secret, text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return b64(h.Sum(nil))
}

// byHand makes a correctly signed token with any header and payload.
func byHand(t testing.TB, secret string, header, payload any) string {
	t.Helper()
	text := encode(t, header) + "." + encode(t, payload)
	return text + "." + mac(secret, text)
}

// decode decodes a part of a token.
func decode(t testing.TB, raw string, part int) M {
	t.Helper()
	m := M{}
	if err := json.Unmarshal(unb64(t, strings.Split(raw, ".")[part]), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Keys take long to generate: the tests share them.
var (
	rsaKey, otherRSAKey = sync.OnceValue(newRSA), sync.OnceValue(newRSA)
	edKey               = ed25519.NewKeyFromSeed([]byte("a seed of the tests, 32 bytes it"))
	otherEdKey          = ed25519.NewKeyFromSeed([]byte("another seed of the tests, of 32"))
)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// keyed are tokens whose access tokens are signed with this key; the secrets are the usual ones.
func keyed(key crypto.Signer, change ...func(*token.Config)) *token.Tokens {
	c := token.Config{AccessSecret: accessSecret, RefreshSecret: refreshSecret, AccessKey: key, Now: (&clock{start}).now}
	for _, f := range change {
		f(&c)
	}
	return mustNew(c)
}

// signedBy signs with a private key without the library, by the rules of the key's type.
func signedBy(t testing.TB, key crypto.Signer, header, payload any) string {
	t.Helper()
	text := encode(t, header) + "." + encode(t, payload)
	message, by := []byte(text), crypto.Hash(0)
	if _, ok := key.(*rsa.PrivateKey); ok {
		sum := sha256.Sum256(message)
		message, by = sum[:], crypto.SHA256
	}
	signature, err := key.Sign(rand.Reader, message, by)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(signature)
}
