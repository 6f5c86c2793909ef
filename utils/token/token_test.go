package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokentube/utils/token"
)

const (
	accessSecret  = "access secret of the tests 0123456789 abcdefghij"
	refreshSecret = "refresh secret of the tests 0123456789 abcdefghij"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// M is a JSON object.
type M = map[string]any

// clock is a time that the test sets.
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

// encode writes a part of a token.
func encode(t testing.TB, part any) string {
	t.Helper()
	text, err := json.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	return b64(text)
}

// mac is HS256 by hand, so that the tests do not depend on the library.
func mac(secret, text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return b64(h.Sum(nil))
}

// byHand makes a well-signed token of any header and payload.
func byHand(t testing.TB, secret string, header, payload any) string {
	t.Helper()
	text := encode(t, header) + "." + encode(t, payload)
	return text + "." + mac(secret, text)
}

// decode reads a part of a token.
func decode(t testing.TB, raw string, part int) M {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[part])
	if err != nil {
		t.Fatal(err)
	}
	m := M{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTokensSayWhatTheyShould(t *testing.T) {
	tokens, _ := newTokens(accessSecret, refreshSecret)
	iat := float64(start.Unix())
	for _, test := range []struct {
		name, typ string
		kind      *token.Kind
		claims    token.Claims
		want      M
	}{
		{"access", "at+jwt", tokens.Access, accessClaims(), M{
			"_id": "u1", "sub": "u1", "sid": "s1", "jti": "j1", "rti": "r1", "iss": "tokentube", "aud": "tokentube", "iat": iat, "exp": iat + 900,
			"email": "alice@example.com", "username": "alice", "fullName": "The alice", "roles": []any{"admin"},
		}},
		{"refresh", "rt+jwt", tokens.Refresh, refreshClaims(), M{
			"_id": "u1", "sub": "u1", "sid": "s1", "jti": "r1", "iss": "tokentube", "aud": "tokentube-refresh", "iat": iat, "exp": iat + 864000,
		}},
	} {
		raw := sign(t, test.kind, test.claims)
		if got := decode(t, raw, 1); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: claims are %v, want %v", test.name, got, test.want)
		}
		header := decode(t, raw, 0)
		kid, _ := header["kid"].(string)
		if len(header) != 3 || header["alg"] != "HS256" || header["typ"] != test.typ || kid == "" {
			t.Errorf("%s: header is %v", test.name, header)
		}
		got, err := test.kind.Verify(raw)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		want := test.claims
		want.Issuer, want.Audience = "tokentube", test.want["aud"].(string)
		want.IssuedAt, want.ExpiresAt = got.IssuedAt, got.ExpiresAt // compared above
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: verified claims are %+v, want %+v", test.name, *got, want)
		}
	}
}

func TestTokenSignedByHandIsTheSame(t *testing.T) {
	tokens, _ := newTokens(accessSecret, refreshSecret)
	raw := sign(t, tokens.Access, accessClaims())
	text := raw[:strings.LastIndex(raw, ".")]
	if want := text + "." + mac(accessSecret, text); raw != want {
		t.Errorf("signed %s, by hand %s", raw, want)
	}
	if _, err := tokens.Access.Verify(byHand(t, accessSecret, decode(t, raw, 0), decode(t, raw, 1))); err != nil {
		t.Errorf("the token made by hand is refused: %v", err)
	}
}

func TestKeyIDIsAlikeInAllProcessesAndDiffersByKey(t *testing.T) {
	one, _ := newTokens(accessSecret, refreshSecret)
	two, _ := newTokens(accessSecret, refreshSecret)
	kid := func(k *token.Kind) any { return decode(t, sign(t, k, refreshClaims()), 0)["kid"] }
	if kid(one.Access) != kid(two.Access) {
		t.Error("two processes with one key name it differently")
	}
	if kid(one.Access) == kid(one.Refresh) {
		t.Error("two keys have one name")
	}
	if _, err := one.Access.Verify(sign(t, two.Access, accessClaims())); err != nil {
		t.Errorf("another process's token is refused: %v", err)
	}
}

func TestNoKindPassesAsTheOther(t *testing.T) {
	for _, secrets := range [][2]string{{accessSecret, refreshSecret}, {accessSecret, accessSecret}} {
		tokens, _ := newTokens(secrets[0], secrets[1])
		if _, err := tokens.Refresh.Verify(sign(t, tokens.Access, accessClaims())); err == nil || errors.Is(err, token.ErrExpired) {
			t.Errorf("an access token passes as a refresh token: %v", err)
		}
		if _, err := tokens.Access.Verify(sign(t, tokens.Refresh, refreshClaims())); err == nil || errors.Is(err, token.ErrExpired) {
			t.Errorf("a refresh token passes as an access token: %v", err)
		}
	}
}

func TestTokenEndsAtItsSecond(t *testing.T) {
	tokens, c := newTokens(accessSecret, refreshSecret)
	for _, test := range []struct {
		name   string
		kind   *token.Kind
		claims token.Claims
	}{{"access", tokens.Access, accessClaims()}, {"refresh", tokens.Refresh, refreshClaims()}} {
		raw := sign(t, test.kind, test.claims)
		c.Time = test.claims.ExpiresAt.Add(-time.Nanosecond)
		if _, err := test.kind.Verify(raw); err != nil {
			t.Errorf("%s, an instant before its end: %v", test.name, err)
		}
		c.Time = test.claims.ExpiresAt.Time
		got, err := test.kind.Verify(raw)
		if !errors.Is(err, token.ErrExpired) {
			t.Fatalf("%s, at its end: %v", test.name, err)
		}
		if got == nil || got.SessionID != "s1" || got.ID != test.claims.ID {
			t.Errorf("%s: the expired token's claims are %+v", test.name, got)
		}
	}
}

func TestOtherClocksMayRunThirtySecondsAhead(t *testing.T) {
	tokens, _ := newTokens(accessSecret, refreshSecret)
	header := decode(t, sign(t, tokens.Access, accessClaims()), 0)
	for _, claim := range []string{"iat", "nbf"} {
		for ahead, good := range map[int64]bool{-60: true, 0: true, 30: true, 31: false, 3600: false} {
			payload := decode(t, sign(t, tokens.Access, accessClaims()), 1)
			payload[claim] = start.Unix() + ahead
			_, err := tokens.Access.Verify(byHand(t, accessSecret, header, payload))
			if (err == nil) != good {
				t.Errorf("%s %d s ahead: %v", claim, ahead, err)
			}
		}
	}
}

func TestNewIDIsLongAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := token.NewID()
		if len(id) < 26 || seen[id] {
			t.Fatalf("id %q is short or was made before", id)
		}
		seen[id] = true
	}
}

func BenchmarkSign(b *testing.B) {
	tokens, _ := newTokens(accessSecret, refreshSecret)
	claims := accessClaims()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Access.Sign(claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	tokens, _ := newTokens(accessSecret, refreshSecret)
	raw := sign(b, tokens.Access, accessClaims())
	for name, verify := range map[string]func(string) (*token.Claims, error){
		"for the first time": tokens.Access.VerifyAnew, "again": tokens.Access.Verify,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verify(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
