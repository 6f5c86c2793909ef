// Package interop shows that other services can verify our access tokens with the libraries they use anyway, and that
// these reject what is not a valid access token. It needs node and npm.
package interop

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

var libraries = []string{"jsonwebtoken@9.0.3", "jose@6.2.18", "aws-jwt-verify@5.2.1"}

func TestLibrariesVerifyAccessTokens(t *testing.T) {
	node := install(t)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	for _, test := range []struct {
		alg       string
		key       crypto.Signer
		previous  crypto.Signer // is in the key set too: the kid must select
		libraries []string
	}{
		{"HS256", nil, nil, []string{"jsonwebtoken", "jose"}},
		{"RS256", rsaKey, edKey, []string{"jsonwebtoken", "jose", "aws-jwt-verify"}},
		{"EdDSA", edKey, rsaKey, []string{"jose", "aws-jwt-verify"}},
	} {
		t.Run(test.alg, func(t *testing.T) {
			s := open(t, test.alg, test.key, test.previous)
			id, access, refresh := s.logIn()
			question := map[string]string{
				"alg": test.alg, "jwks": s.URL + "/.well-known/jwks.json", "issuer": "tokentube", "audience": "tokentube",
				"access": access, "refresh": refresh,
			}
			if test.key == nil {
				question["secret"] = s.Site.Config.AccessTokenSecret
			} else {
				question["publicKey"] = string(publicPEM(t, test.key))
			}
			var want strings.Builder
			for _, library := range test.libraries {
				fmt.Fprintf(&want, "%[1]s access: accepted %[2]s\n%[1]s tampered: refused\n%[1]s unsigned: refused\n%[1]s refresh: refused\n", library, id)
			}
			if got := node.run(t, s, question); got != want.String() {
				t.Errorf("got:\n%s\nwant:\n%s", got, &want)
			}
		})
	}
}

// site is a site served over HTTPS.
type site struct {
	*testsite.Site
	*httptest.Server
	t *testing.T
}

// open starts a site with key files, as an owner would.
func open(t *testing.T, alg string, key, previous crypto.Signer) site {
	t.Helper()
	settings := map[string]string{"JWT_ALG": alg}
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		check(t, err)
		settings["JWT_PRIVATE_KEY_FILE"] = save(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		settings["JWT_PUBLIC_KEY_PREVIOUS_FILE"] = save(t, "before.pem", publicPEM(t, previous))
	}
	s := testsite.New(t, func(c *config.Config) {
		settings["ACCESS_TOKEN_SECRET"], settings["REFRESH_TOKEN_SECRET"] = c.AccessTokenSecret, c.RefreshTokenSecret
		loaded, err := config.Load(settings)
		check(t, err)
		c.JWTAlg, c.JWTPrivateKey, c.JWTPublicKeyPrevious = loaded.JWTAlg, loaded.JWTPrivateKey, loaded.JWTPublicKeyPrevious
	})
	server := httptest.NewTLSServer(s.Handler)
	t.Cleanup(server.Close)
	return site{s, server, t}
}

// logIn makes a user and logs in, both over the wire.
func (s site) logIn() (id, access, refresh string) {
	s.t.Helper()
	s.post("/api/v1/users/register", testsite.M{
		"username": "alice", "email": "alice@example.com", "fullName": "The alice", "password": testsite.Password,
	})
	answer := s.post("/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password})
	for _, cookie := range answer.Cookies() {
		switch cookie.Name {
		case "AccessToken":
			access = cookie.Value
		case "RefreshToken":
			refresh = cookie.Value
		}
	}
	claims, err := s.Auth.Tokens.Access.Verify(access)
	check(s.t, err)
	return claims.UserID, access, refresh
}

func (s site) post(path string, body testsite.M) *http.Response {
	s.t.Helper()
	text, err := json.Marshal(body)
	check(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(text))
	check(s.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	answer, err := s.Server.Client().Do(r)
	check(s.t, err)
	check(s.t, answer.Body.Close())
	if answer.StatusCode >= 300 {
		s.t.Fatalf("%s: %s", path, answer.Status)
	}
	return answer
}

// node is a folder with the libraries and the script.
type node struct{ dir string }

// install installs the libraries. Without npm, or if that fails, the test is skipped, except in CI.
func install(t *testing.T) node {
	t.Helper()
	dir := t.TempDir()
	npm := exec.CommandContext(t.Context(), "npm", append([]string{
		"install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error",
	}, libraries...)...)
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm cannot install %v: %v\n%s", libraries, err, out)
		}
		t.Skipf("npm cannot install %v: %v", libraries, err)
	}
	script, err := os.ReadFile("verify.mjs")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "verify.mjs"), script, 0o600))
	return node{dir}
}

// run runs the script, which trusts the site's certificate.
func (n node) run(t *testing.T, s site, question map[string]string) string {
	t.Helper()
	text, err := json.Marshal(question)
	check(t, err)
	ca := save(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	script := exec.CommandContext(t.Context(), "node", "verify.mjs")
	script.Dir, script.Stdin = n.dir, bytes.NewReader(text)
	script.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca)
	var errors bytes.Buffer
	script.Stderr = &errors
	out, err := script.Output()
	if err != nil {
		t.Fatalf("the script failed: %v\n%s%s", err, out, &errors)
	}
	t.Logf("the libraries say:\n%s", &errors)
	return string(out)
}

func publicPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	check(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func save(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(file, content, 0o600))
	return file
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
