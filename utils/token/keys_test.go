package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"reflect"
	"testing"

	"tokentube/utils/token"
)

func verifies(t *testing.T, name string, k *token.Kind, raw string, want bool) {
	t.Helper()
	if claims, err := k.Verify(raw); (err == nil) != want || (claims != nil) != want {
		t.Errorf("%s: claims %v, error %v", name, claims, err)
	}
}

func TestFormerSecretsVerifyAndNeverSign(t *testing.T) {
	before, _ := newTokens(formerAccess, formerRefresh)
	now := keyed(nil, func(c *token.Config) { c.AccessSecretPrevious, c.RefreshSecretPrevious = formerAccess, formerRefresh })
	alone, _ := newTokens(accessSecret, refreshSecret)
	for name, pick := range map[string]func(*token.Tokens) (*token.Kind, token.Claims){
		"access":  func(t *token.Tokens) (*token.Kind, token.Claims) { return t.Access, accessClaims() },
		"refresh": func(t *token.Tokens) (*token.Kind, token.Claims) { return t.Refresh, refreshClaims() },
	} {
		oldKind, claims := pick(before)
		kind, _ := pick(now)
		aloneKind, _ := pick(alone)
		old, fresh := sign(t, oldKind, claims), sign(t, kind, claims)
		verifies(t, name+" of before", kind, old, true)
		verifies(t, name+" of before, secret forgotten", aloneKind, old, false)
		verifies(t, name+" made now", aloneKind, fresh, true)
		verifies(t, name+" made now, by the old secret", oldKind, fresh, false)
		if fresh != sign(t, aloneKind, claims) {
			t.Errorf("%s: the former secret signs", name)
		}
	}
	// A previous secret only works for its own kind.
	header := decode(t, sign(t, before.Refresh, refreshClaims()), 0)
	for _, typ := range []string{"at+jwt", "rt+jwt"} {
		forged := byHand(t, formerRefresh, with(header, M{"typ": typ}), decode(t, sign(t, now.Access, accessClaims()), 1))
		verifies(t, "an access token by the former refresh secret, "+typ, now.Access, forged, false)
	}
}

// The kid of one of our secrets with a signature by another one.
func TestKidAndSignatureMustBeOfOneKey(t *testing.T) {
	now := keyed(nil, func(c *token.Config) { c.AccessSecretPrevious, c.RefreshSecretPrevious = formerAccess, formerRefresh })
	secrets := []string{accessSecret, formerAccess, refreshSecret, formerRefresh}
	payload := decode(t, sign(t, now.Access, accessClaims()), 1)
	for i, named := range secrets {
		namer, _ := newTokens(named, refreshSecret)
		header := decode(t, sign(t, namer.Access, accessClaims()), 0)
		for j, signer := range secrets {
			verifies(t, fmt.Sprintf("kid of %d, signed by %d", i, j), now.Access, byHand(t, signer, header, payload), i == j && i < 2)
		}
	}
}

func TestPublicKeyTokensGoThereAndBack(t *testing.T) {
	for alg, keys := range map[string][2]crypto.Signer{"EdDSA": {edKey, otherEdKey}, "RS256": {rsaKey(), otherRSAKey()}} {
		tokens := keyed(keys[0])
		raw := sign(t, tokens.Access, accessClaims())
		header := decode(t, raw, 0)
		if len(header) != 3 || header["alg"] != alg || header["typ"] != "at+jwt" {
			t.Errorf("%s: the header is %v", alg, header)
		}
		verifies(t, alg, tokens.Access, raw, true)
		verifies(t, alg+" signed by hand", tokens.Access, signedBy(t, keys[0], header, decode(t, raw, 1)), true)
		verifies(t, alg+" signed by another key", tokens.Access, signedBy(t, keys[1], header, decode(t, raw, 1)), false)
		verifies(t, alg+" in a process with another key", keyed(keys[1]).Access, raw, false)
		verifies(t, alg+" as a refresh token", tokens.Refresh, raw, false)
		verifies(t, alg+" as a former key", keyed(keys[1], func(c *token.Config) { c.AccessKeyPrevious = keys[0].Public() }).Access, raw, true)
		verifies(t, alg+" back at HS256", keyed(nil, func(c *token.Config) { c.AccessKeyPrevious = keys[0].Public() }).Access, raw, true)
		if got := decode(t, sign(t, tokens.Refresh, refreshClaims()), 0)["alg"]; got != "HS256" {
			t.Errorf("%s: refresh tokens are signed by %v", alg, got)
		}
		f := forge{t, tokens, header, decode(t, raw, 1), raw}
		for _, other := range []string{"none", "HS256", "RS256", "RS512", "PS256", "ES256", "EdDSA", "Ed25519", "eddsa"} {
			if other != alg {
				f.refused(alg+" called "+other, signedBy(t, keys[0], with(header, M{"alg": other}), f.payload))
			}
		}
	}
}

// The secret that signed before the switch is no longer accepted, unless it is given as the previous one.
func TestSwitchToAPublicKey(t *testing.T) {
	before, _ := newTokens(accessSecret, refreshSecret)
	old := sign(t, before.Access, accessClaims())
	verifies(t, "the secret is still set", keyed(edKey).Access, old, false)
	verifies(t, "and given as previous", keyed(edKey, func(c *token.Config) { c.AccessSecretPrevious = accessSecret }).Access, old, true)
	verifies(t, "refresh tokens stay", keyed(edKey).Refresh, sign(t, before.Refresh, refreshClaims()), true)
}

func TestPublicKeysAreNamedByTheirThumbprint(t *testing.T) {
	tokens := keyed(edKey, func(c *token.Config) {
		c.AccessSecretPrevious, c.AccessKeyPrevious = formerAccess, &rsaKey().PublicKey
	})
	keys := tokens.Access.PublicKeys()
	if len(keys) != 2 || len(tokens.Refresh.PublicKeys()) != 0 {
		t.Fatalf("the public keys are %+v", keys)
	}
	n, x := b64(rsaKey().N.Bytes()), b64(edKey.Public().(ed25519.PublicKey))
	for i, want := range []token.JWK{
		{KeyType: "OKP", Curve: "Ed25519", X: x, ID: sha(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`), Algorithm: "EdDSA", Use: "sig"},
		{KeyType: "RSA", E: "AQAB", N: n, ID: sha(`{"e":"AQAB","kty":"RSA","n":"` + n + `"}`), Algorithm: "RS256", Use: "sig"},
	} {
		if !reflect.DeepEqual(keys[i], want) {
			t.Errorf("key %d is %+v, want %+v", i, keys[i], want)
		}
	}
	if kid := decode(t, sign(t, tokens.Access, accessClaims()), 0)["kid"]; kid != keys[0].ID {
		t.Errorf("tokens name the key %v, the set %s", kid, keys[0].ID)
	}
}

// This key and its thumbprint are from RFC 8037 appendix A.3.
func TestThumbprintOfTheStandard(t *testing.T) {
	x := unb64(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	tokens := keyed(nil, func(c *token.Config) { c.AccessKeyPrevious = ed25519.PublicKey(x) })
	if got := tokens.Access.PublicKeys()[0].ID; got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("the thumbprint is %s", got)
	}
}

func TestOtherKindsOfKeyAreRefused(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]token.Config{"signing": {AccessKey: ec}, "former": {AccessKeyPrevious: &ec.PublicKey}} {
		if tokens, err := token.New(c); err == nil || tokens != nil {
			t.Errorf("%s: a P-256 key is taken", name)
		}
	}
}
