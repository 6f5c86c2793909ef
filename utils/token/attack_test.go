package token_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"hash"
	"maps"
	"strings"
	"testing"

	"tokentube/utils/token"
)

// forge is the starting point of an attacker, or a broken issuer: the parts of a valid access token, and the token
// itself.
type forge struct {
	t               testing.TB
	tokens          *token.Tokens
	header, payload M
	raw             string
}

func newForge(t testing.TB) forge {
	tokens, _ := newTokens(accessSecret, refreshSecret)
	raw := sign(t, tokens.Access, accessClaims())
	return forge{t, tokens, decode(t, raw, 0), decode(t, raw, 1), raw}
}

// with is an object with some members changed; nil removes one.
func with(m M, changes M) M {
	m = maps.Clone(m)
	for name, value := range changes {
		m[name] = value
		if value == nil {
			delete(m, name)
		}
	}
	return m
}

func (f forge) headers(changes M) string {
	return byHand(f.t, accessSecret, with(f.header, changes), f.payload)
}

func (f forge) claims(changes M) string {
	return byHand(f.t, accessSecret, f.header, with(f.payload, changes))
}

// refused also rejects ErrExpired: none of these tokens is a valid one that has expired.
func (f forge) refused(name, raw string) {
	f.t.Helper()
	if claims, err := f.tokens.Access.Verify(raw); err == nil || claims != nil || errors.Is(err, token.ErrExpired) {
		f.t.Errorf("%s: claims %v, error %v", name, claims, err)
	}
}

func (f forge) accepted(name, raw string) {
	f.t.Helper()
	if _, err := f.tokens.Access.Verify(raw); err != nil {
		f.t.Errorf("%s: %v", name, err)
	}
}

func TestTheForgeMakesGoodTokens(t *testing.T) {
	f := newForge(t)
	f.accepted("headers", f.headers(nil))
	f.accepted("claims", f.claims(nil))
}

func TestAlgNoneIsRefused(t *testing.T) {
	f := newForge(t)
	for _, alg := range []any{"none", "None", "NONE", "nOnE", "", "none ", nil, 0, []string{"none", "HS256"}} {
		signed := f.headers(M{"alg": alg})
		f.refused("alg none, signed", signed)
		f.refused("alg none, unsigned", signed[:strings.LastIndex(signed, ".")+1])
		f.refused("alg none, no third part", signed[:strings.LastIndex(signed, ".")])
	}
}

func TestOtherAlgorithmsWithOurKeyAreRefused(t *testing.T) {
	f := newForge(t)
	for alg, h := range map[string]func() hash.Hash{"HS384": sha512.New384, "HS512": sha512.New} {
		text := encode(t, with(f.header, M{"alg": alg})) + "." + encode(t, f.payload)
		m := hmac.New(h, []byte(accessSecret))
		m.Write([]byte(text))
		f.refused(alg, text+"."+b64(m.Sum(nil)))
	}
	for _, alg := range []string{"HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "hs256"} {
		f.refused(alg+" over an HS256 signature", f.headers(M{"alg": alg}))
	}
}

func TestPublicKeyAsSecretIsRefused(t *testing.T) {
	f := newForge(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})
	for _, alg := range []string{"HS256", "RS256"} {
		f.refused(alg, byHand(t, string(public), with(f.header, M{"alg": alg}), f.payload))
	}
}

func TestHeadersChooseNoOtherKey(t *testing.T) {
	f := newForge(t)
	other := decode(t, sign(t, f.tokens.Refresh, refreshClaims()), 0)["kid"]
	for _, kid := range []any{nil, "", "../../../../dev/null", "/dev/null", "' OR 1=1 --", other, 1, []string{"a"}, M{"a": 1}} {
		f.refused("kid", f.headers(M{"kid": kid}))
		f.refused("kid, empty key", byHand(t, "", with(f.header, M{"kid": kid}), f.payload))
	}
	brought := M{
		"jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/cert.pem", "x5c": []string{"MIIB"},
		"jwk": M{"kty": "oct", "k": b64([]byte("a key that the token brings along"))},
	}
	f.accepted("jku, jwk, x5u and x5c do not matter", f.headers(brought))
	f.refused("the key in jwk is not used", byHand(t, "a key that the token brings along", with(f.header, brought), f.payload))
	for _, crit := range []any{[]string{"exp"}, []string{"b64"}, []string{}, "x", false} {
		f.refused("crit", f.headers(M{"crit": crit}))
	}
}

func TestWrongTypeIsRefused(t *testing.T) {
	f := newForge(t)
	for _, typ := range []any{nil, "", "JWT", "rt+jwt", "AT+JWT", "at+jwt ", "application/at+jwt", 1, []string{"at+jwt"}} {
		f.refused("typ", f.headers(M{"typ": typ}))
	}
}

func TestWrongOrMissingClaimsAreRefused(t *testing.T) {
	f := newForge(t)
	for _, claim := range []string{"_id", "sid", "sub", "iss", "aud", "jti", "iat", "exp"} {
		f.refused(claim+" missing", f.claims(M{claim: nil}))
		f.refused(claim+" empty", f.claims(M{claim: ""}))
		f.refused(claim+" an object", f.claims(M{claim: M{"$gt": ""}}))
		f.refused(claim+" a list", f.claims(M{claim: []any{f.payload[claim]}}))
	}
	for name, changes := range map[string]M{
		"sub and _id differ":          {"sub": "u2"},
		"issuer":                      {"iss": "evil"},
		"issuer with a slash":         {"iss": "tokentube/"},
		"audience":                    {"aud": "other"},
		"audience of refresh tokens":  {"aud": "tokentube-refresh"},
		"audience list with ours":     {"aud": []string{"tokentube", "other"}},
		"expired, issuer":             {"exp": 1, "iss": "evil"},
		"expired, no issuer":          {"exp": 1, "iss": nil},
		"expired, audience":           {"exp": 1, "aud": "other"},
		"expired, no audience":        {"exp": 1, "aud": nil},
		"expired, iat in the future":  {"exp": 1, "iat": start.Unix() + 31},
		"expired, nbf in the future":  {"exp": 1, "nbf": start.Unix() + 31},
		"expired, no session":         {"exp": 1, "sid": nil},
		"expired, no id":              {"exp": 1, "jti": nil},
		"expired, sub and _id differ": {"exp": 1, "sub": "u2"},
	} {
		f.refused(name, f.claims(changes))
	}
	if _, err := f.tokens.Access.Verify(f.claims(M{"exp": 1})); !errors.Is(err, token.ErrExpired) {
		t.Errorf("expired alone: %v", err)
	}
	f.refused("expired, wrong type", byHand(t, accessSecret, with(f.header, M{"typ": "JWT"}), with(f.payload, M{"exp": 1})))
	f.refused("expired, another key", byHand(t, refreshSecret, f.header, with(f.payload, M{"exp": 1})))
	for name, payload := range map[string]any{"null": nil, "list": []any{f.payload}, "text": "x", "number": 1} {
		f.refused("the payload is "+name, byHand(t, accessSecret, f.header, payload))
		f.refused("the header is "+name, byHand(t, accessSecret, payload, f.payload))
	}
}

func TestOtherSpellingsOfATokenAreRefused(t *testing.T) {
	f := newForge(t)
	parts := strings.Split(f.raw, ".")
	header, payload, signature := parts[0], parts[1], parts[2]
	tampered := encode(t, with(f.payload, M{"roles": []string{"admin", "owner"}}))
	for name, raw := range map[string]string{
		"nothing":            "",
		"dots":               "..",
		"tampered payload":   header + "." + tampered + "." + signature,
		"other header":       encode(t, with(f.header, M{"x": 1})) + "." + payload + "." + signature,
		"no signature":       header + "." + payload + ".",
		"no payload":         header + ".." + signature,
		"no header":          "." + payload + "." + signature,
		"two parts":          header + "." + payload,
		"four parts":         f.raw + "." + signature,
		"a dot after":        f.raw + ".",
		"a dot before":       "." + f.raw,
		"cut signature":      f.raw[:len(f.raw)-1],
		"padded":             f.raw + "=",
		"padded header":      header + "=." + payload + "." + signature,
		"newline after":      f.raw + "\n",
		"newline within":     header + ".\n" + payload + "." + signature,
		"newline in a part":  header[:9] + "\r\n" + header[9:] + "." + payload + "." + signature,
		"space before":       " " + f.raw,
		"NUL":                f.raw + "\x00",
		"standard alphabet":  header + "." + payload + "." + strings.NewReplacer("-", "+", "_", "/").Replace(signature) + "+",
		"percent encoding":   strings.ReplaceAll(f.raw, ".", "%2E"),
		"JSON serialisation": `{"protected":"` + header + `","payload":"` + payload + `","signature":"` + signature + `"}`,
		"very long":          f.raw + strings.Repeat("A", 1<<20),
		"very long header":   strings.Repeat("A", 1<<20) + "." + payload + "." + signature,
		"very many dots":     strings.Repeat(".", 1<<20),
	} {
		f.refused(name, raw)
	}
	// The last character of a signature has two unused bits: all its encodings except the one that we wrote are
	// rejected.
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if raw := f.raw[:len(f.raw)-1] + string(last); raw != f.raw {
			f.refused("last character "+string(last), raw)
		}
	}
}

// FuzzVerify: whatever the input, nothing panics, and nothing is accepted except tokens signed with this kind's key.
func FuzzVerify(f *testing.F) {
	g := newForge(f)
	signed := strings.LastIndex(g.raw, ".")
	for _, raw := range []string{
		"", "..", "a.b.c", g.raw, g.raw[:signed], g.raw[:signed+1], g.raw + ".", g.raw + "=", g.raw + "\n", sign(f, g.tokens.Refresh, refreshClaims()),
		g.headers(M{"alg": "none"}), g.headers(M{"alg": 1}), g.headers(M{"kid": M{}}), g.headers(M{"crit": nil, "typ": []int{1}}),
		g.claims(M{"exp": 1}), g.claims(M{"exp": "x"}), g.claims(M{"exp": 1e300}), g.claims(M{"iat": -1e300}), g.claims(M{"aud": []int{1}}),
		byHand(f, accessSecret, nil, nil), byHand(f, accessSecret, g.header, []int{}),
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for secret, kind := range map[string]*token.Kind{accessSecret: g.tokens.Access, refreshSecret: g.tokens.Refresh} {
			claims, err := kind.Verify(raw)
			if err != nil && !errors.Is(err, token.ErrExpired) {
				if claims != nil {
					t.Fatalf("claims beside the error %v for %q", err, raw)
				}
				continue
			}
			parts := strings.Split(raw, ".")
			if claims == nil || len(parts) != 3 || parts[2] != mac(secret, parts[0]+"."+parts[1]) {
				t.Fatalf("accepted %q", raw)
			}
		}
	})
}
