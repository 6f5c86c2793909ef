package token_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tokentube/utils/token"
)

// The public test vectors of Project Wycheproof, at one commit. The go command
// checks them as it does every module, and the sum is named here beside.
const (
	wycheproof    = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a"
	wycheproofSum = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c="
)

type vectors struct {
	TestGroups []struct {
		Comment         string
		Private, Public jwk
		Tests           []struct {
			TcID                 int
			Comment, JWS, Result string
		}
	}
}

// notOurs are called invalid for reasons that don't apply here. None of them is accepted as a complete token either.
var notOurs = map[int]string{
	332: "the JWK says PS512; our keys come as PEM, and RSA means RS256",
	353: "the JWK says use enc; PEM does not",
	355: "the JWK says key_ops encrypt; PEM does not",
	367: "is letter by letter the valid 357",
	370: "is letter by letter the valid 357",
}

type jwk struct{ Kty, Alg, Use, Crv, K, N, E, X string }

func TestWycheproof(t *testing.T) {
	v := readVectors(t)
	refused, checked, valid := 0, map[string]int{}, 0
	for _, group := range v.TestGroups {
		tokens, alg := group.Private.tokens(t)
		for _, test := range group.Tests {
			// As complete tokens: none has our header and our claims.
			if claims, err := tokens.Access.Verify(test.JWS); err == nil || claims != nil {
				t.Errorf("%d %s, %s: accepted", test.TcID, group.Comment, test.Comment)
			}
			refused++
			err := tokens.Access.CheckSignature(test.JWS)
			// Two vectors that are called valid are not entirely base64url.
			good := test.Result == "valid" && alg == group.Private.Alg && strings.Trim(test.JWS, base64URL) == ""
			if (err == nil) != good && notOurs[test.TcID] == "" {
				t.Errorf("%d %s, %s, which is %s: %v", test.TcID, group.Comment, test.Comment, test.Result, err)
			}
			checked[alg]++
			if good {
				valid++
			}
		}
	}
	t.Logf("%d refused; signatures checked: %v, %d of them good", refused, checked, valid)
	if refused < 400 || checked["HS256"] < 40 || checked["RS256"] < 230 || valid < 10 {
		t.Error("the file has fewer vectors than it had")
	}
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// tokens are access tokens with this key, if we support such keys, and the algorithm that the key then has. A key for
// another algorithm keeps its type: the vectors must be rejected because of that. Keys of other types are used next to
// a key of our own.
func (j jwk) tokens(t *testing.T) (*token.Tokens, string) {
	switch {
	case j.Kty == "oct":
		return keyed(nil, func(c *token.Config) { c.AccessSecret = string(unb64(t, j.K)) }), "HS256"
	case j.Kty == "RSA":
		public := rsa.PublicKey{N: new(big.Int).SetBytes(unb64(t, j.N)), E: int(new(big.Int).SetBytes(unb64(t, j.E)).Int64())}
		return keyed(&rsa.PrivateKey{PublicKey: public}), "RS256"
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		return keyed(ed25519.PrivateKey(append(make([]byte, 32), unb64(t, j.X)...))), "EdDSA"
	}
	return keyed(edKey), "EdDSA"
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", wycheproof)
	download.Dir = t.TempDir() // outside of any module: ours doesn't need it
	download.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var errors bytes.Buffer
	download.Stderr = &errors
	out, err := download.Output()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the vectors cannot be had: %v %s%s", err, out, &errors)
		}
		t.Skipf("the vectors cannot be had: %v", err)
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &module); err != nil || module.Sum != wycheproofSum {
		t.Fatalf("the vectors have the sum %q, want %q: %v", module.Sum, wycheproofSum, err)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "testvectors_v1", "json_web_signature_test.json"))
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}
