package controllers_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// No secret is ever listed, neither the current one nor a previous one.
func TestKeySetIsEmptyUnderHS256(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.AccessTokenSecretPrevious = "the access secret before 0123456789 abcdefg" })
	answer := site.User("alice").Get("/.well-known/jwks.json").Status(http.StatusOK)
	if answer.Body != `{"keys":[]}` {
		t.Errorf("the set is %s", answer.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=300", "Set-Cookie": "", "X-Content-Type-Options": "nosniff",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestKeySetHasTheCurrentAndThePreviousKey(t *testing.T) {
	current := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	previous, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	site := testsite.New(t, func(c *config.Config) { c.JWTPrivateKey, c.JWTPublicKeyPrevious = current, &previous.PublicKey })
	list, _ := site.Client().Get("/.well-known/jwks.json").Status(http.StatusOK).Envelope()["keys"].([]any)
	if len(list) != 2 {
		t.Fatalf("the keys are %v", list)
	}
	for i, want := range []testsite.M{
		{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"},
		{"kty": "RSA", "e": "AQAB", "alg": "RS256", "use": "sig"},
	} {
		key := list[i].(testsite.M)
		for name, value := range want {
			if key[name] != value {
				t.Errorf("key %d: %s is %v, want %s", i, name, key[name], value)
			}
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if key[private] != nil {
				t.Errorf("key %d has the private member %s", i, private)
			}
		}
		if kid, _ := key["kid"].(string); len(kid) != 43 {
			t.Errorf("key %d: kid is %v", i, key["kid"])
		}
	}
}
