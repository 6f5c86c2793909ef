package token_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"tokentube/utils/token"
)

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

// The lab's tokens use the site's keys but a separate audience: neither is accepted as the other, even if somebody else
// verifies them.
func TestTokensOfTheLabAreOthers(t *testing.T) {
	tokens, clock := newTokens(accessSecret, refreshSecret)
	lab := tokens.ForLab(10 * time.Second)
	if lab.Access.TTL != 10*time.Second || lab.Refresh.TTL != tokens.Refresh.TTL {
		t.Errorf("they live for %s and %s", lab.Access.TTL, lab.Refresh.TTL)
	}
	for _, test := range []struct {
		own, other *token.Kind
		claims     token.Claims
		audience   string
	}{
		{lab.Access, tokens.Access, accessClaims(), "tokentube-lab"}, {lab.Refresh, tokens.Refresh, refreshClaims(), "tokentube-lab-refresh"},
		{tokens.Access, lab.Access, accessClaims(), "tokentube"}, {tokens.Refresh, lab.Refresh, refreshClaims(), "tokentube-refresh"},
		{lab.Access, lab.Refresh, accessClaims(), "tokentube-lab"}, {lab.Refresh, lab.Access, refreshClaims(), "tokentube-lab-refresh"},
	} {
		raw := sign(t, test.own, test.claims)
		if claims, err := test.own.Verify(raw); err != nil || claims.Audience != test.audience || claims.Issuer != "tokentube" {
			t.Errorf("%s: %+v, %v", test.audience, claims, err)
		}
		if _, err := test.other.Verify(raw); err == nil || errors.Is(err, token.ErrExpired) {
			t.Errorf("%s passes for another kind", test.audience)
		}
	}
	raw := sign(t, lab.Refresh, refreshClaims())
	clock.Time = start.Add(240 * time.Hour)
	if _, err := lab.Refresh.Verify(raw); !errors.Is(err, token.ErrExpired) {
		t.Errorf("its clock is another: %v", err)
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
		half := refreshClaims()
		half.SessionID = ""
		kinds := map[string]*token.Kind{"an access token": tokens.Access, "a refresh token": tokens.Refresh, "half a login": tokens.Second}
		made := map[string]string{"an access token": sign(t, tokens.Access, accessClaims()), "a refresh token": sign(t, tokens.Refresh, refreshClaims()), "half a login": sign(t, tokens.Second, half)}
		for is, raw := range made {
			for as, kind := range kinds {
				if _, err := kind.Verify(raw); (err == nil) != (is == as) || errors.Is(err, token.ErrExpired) {
					t.Errorf("%s as %s: %v", is, as, err)
				}
			}
		}
		// A half-completed login has no session, and a token without a session is nothing else.
		if _, err := tokens.Second.Verify(sign(t, tokens.Second, refreshClaims())); err == nil {
			t.Error("half a login has a session")
		}
		if _, err := tokens.Refresh.Verify(sign(t, tokens.Refresh, half)); err == nil {
			t.Error("a refresh token has no session")
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
	for name, tokens := range ofEachAlgorithm() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tokens.Access.Sign(accessClaims()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for name, tokens := range ofEachAlgorithm() {
		raw := sign(b, tokens.Access, accessClaims())
		for when, verify := range map[string]func(string) (*token.Claims, error){
			"for the first time": tokens.Access.VerifyAnew, "again": tokens.Access.Verify,
		} {
			b.Run(name+" "+when, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := verify(raw); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func ofEachAlgorithm() map[string]*token.Tokens {
	return map[string]*token.Tokens{"HS256": keyed(nil), "EdDSA": keyed(edKey), "RS256": keyed(rsaKey())}
}
