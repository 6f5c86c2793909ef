package token_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"tokentube/utils/token"
)

// HS/RS confusion (RFC 8725 §2.1): everybody has the public key; used as an HMAC secret it must not be accepted, in any
// encoding, even if HS256 is one of our algorithms because of a previous secret.
func TestPublicKeyAsSecretIsRefusedByItsOwnKind(t *testing.T) {
	for _, key := range []crypto.Signer{edKey, rsaKey()} {
		tokens := keyed(key, func(c *token.Config) { c.AccessSecretPrevious = formerAccess })
		former, _ := newTokens(formerAccess, refreshSecret)
		raw := sign(t, tokens.Access, accessClaims())
		f := forge{t, tokens, decode(t, raw, 0), decode(t, raw, 1), raw}
		verifies(t, "the former secret", tokens.Access, byHand(t, formerAccess, decode(t, sign(t, former.Access, accessClaims()), 0), f.payload), true)
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := [][]byte{der, text, text[:len(text)-1], {}}
		if p, ok := key.Public().(ed25519.PublicKey); ok {
			secrets = append(secrets, p)
		} else {
			pkcs1 := x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)
			secrets = append(secrets, pkcs1, pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}), rsaKey().N.Bytes())
		}
		for _, secret := range secrets {
			for _, kid := range []any{f.header["kid"], decode(t, sign(t, former.Access, accessClaims()), 0)["kid"]} {
				for _, alg := range []any{"HS256", "HS512", f.header["alg"]} {
					f.refused("confusion", byHand(t, string(secret), with(f.header, M{"alg": alg, "kid": kid}), f.payload))
				}
			}
		}
		// The reverse: the previous secret's kid, signed with the private key.
		kid := decode(t, sign(t, former.Access, accessClaims()), 0)["kid"]
		f.refused("kid of the secret", signedBy(t, key, with(f.header, M{"kid": kid}), f.payload))
	}
}

// RSA PKCS #1 v1.5 and Ed25519 signatures have a single encoding each.
func TestSignaturesCannotBeRewritten(t *testing.T) {
	for _, key := range []crypto.Signer{edKey, rsaKey()} {
		tokens := keyed(key)
		raw := sign(t, tokens.Access, accessClaims())
		f := forge{t, tokens, decode(t, raw, 0), decode(t, raw, 1), raw}
		text := encode(t, f.header) + "." + encode(t, f.payload)
		good := signedBy(t, key, f.header, f.payload)[len(text)+1:]
		f.accepted("by hand", text+"."+good)
		signature := unb64(t, good)
		f.refused("a zero before", text+"."+b64(append([]byte{0}, signature...)))
		f.refused("a zero after", text+"."+b64(append(signature[:len(signature):len(signature)], 0)))
		f.refused("cut", text+"."+b64(signature[:len(signature)-1]))
		f.refused("zeros", text+"."+b64(make([]byte, len(signature))))
		f.refused("nothing", text+".")
		if key == crypto.Signer(rsaKey()) {
			sum := new(big.Int).Add(new(big.Int).SetBytes(signature), rsaKey().N) // the same number modulo N
			f.refused("plus N", text+"."+b64(sum.Bytes()))
			continue
		}
		f.refused("S plus the order of the group", text+"."+b64(plusOrder(signature))) // RFC 8032 §8.4
	}
}

// plusOrder adds the group's order L to S, the second half, little endian.
func plusOrder(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := make([]byte, 32)
	for i := range s {
		s[i] = signature[63-i]
	}
	new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(s)
	out := append([]byte{}, signature...)
	for i := range s {
		out[63-i] = s[i]
	}
	return out
}
