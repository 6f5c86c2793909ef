package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
)

// keyFiles are files of every kind that somebody might configure.
type keyFiles struct {
	t   *testing.T
	dir string
	ed  ed25519.PrivateKey
	rsa *rsa.PrivateKey
}

func newKeyFiles(t *testing.T) keyFiles {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	f := keyFiles{t, t.TempDir(), ed, key}
	f.private("ed", ed)
	f.private("rsa", key)
	f.pem("rsa1", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	f.public("ed.pub", ed.Public())
	f.public("rsa.pub", key.Public())
	f.pem("rsa1.pub", "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey))
	certificate, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, key.Public(), key)
	must(t, err)
	f.pem("cert", "CERTIFICATE", certificate)

	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	f.private("ec", ec)
	f.public("ec.pub", ec.Public())
	weak, err := rsa.GenerateKey(rand.Reader, 2040)
	must(t, err)
	f.private("weak", weak)
	f.public("weak.pub", weak.Public())
	f.pem("encrypted", "ENCRYPTED PRIVATE KEY", []byte{1})
	f.pem("damaged", "PRIVATE KEY", []byte("12345"))
	f.pem("damaged.pub", "PUBLIC KEY", []byte("12345"))
	f.pem("damaged.cert", "CERTIFICATE", []byte("12345"))
	write(t, f.at("text"), "a secret in no block")
	write(t, f.at("empty"), "")
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f keyFiles) at(name string) string { return filepath.Join(f.dir, name) }

func (f keyFiles) pem(name, kind string, der []byte) {
	write(f.t, f.at(name), string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func (f keyFiles) private(name string, key any) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(f.t, err)
	f.pem(name, "PRIVATE KEY", der)
}

func (f keyFiles) public(name string, key any) {
	der, err := x509.MarshalPKIXPublicKey(key)
	must(f.t, err)
	f.pem(name, "PUBLIC KEY", der)
}

func TestKeyFilesAreRead(t *testing.T) {
	f := newKeyFiles(t)
	for _, test := range []struct {
		alg, private, previous string
		key                    crypto.Signer
		former                 crypto.PublicKey
	}{
		{"EdDSA", "ed", "rsa.pub", f.ed, f.rsa.Public()},
		{"RS256", "rsa", "ed.pub", f.rsa, f.ed.Public()},
		{"RS256", "rsa1", "", f.rsa, nil},
		{"HS256", "", "ed.pub", nil, f.ed.Public()},
		{"HS256", "", "rsa1.pub", nil, f.rsa.Public()},
		{"EdDSA", "ed", "cert", f.ed, f.rsa.Public()},
		{"HS256", "", "", nil, nil},
	} {
		env := map[string]string{"JWT_ALG": test.alg}
		if test.private != "" {
			env["JWT_PRIVATE_KEY_FILE"] = f.at(test.private)
		}
		if test.previous != "" {
			env["JWT_PUBLIC_KEY_PREVIOUS_FILE"] = f.at(test.previous)
		}
		c, err := Load(with(env))
		if err != nil {
			t.Errorf("%s, %s, %s: %v", test.alg, test.private, test.previous, err)
			continue
		}
		if !same(c.JWTPrivateKey, test.key) || !same(c.JWTPublicKeyPrevious, test.former) {
			t.Errorf("%s, %s, %s: other keys than in the files", test.alg, test.private, test.previous)
		}
	}
}

func same(got, want any) bool {
	if want == nil || got == nil {
		return want == nil && got == nil
	}
	switch w := want.(type) {
	case interface{ Equal(crypto.PrivateKey) bool }:
		return w.Equal(got)
	case interface{ Equal(crypto.PublicKey) bool }:
		return w.Equal(got)
	}
	return false
}

func TestBadKeyFilesAreRefused(t *testing.T) {
	f := newKeyFiles(t)
	for _, test := range []struct{ alg, private, previous, want string }{
		{"EdDSA", "", "", "JWT_PRIVATE_KEY_FILE must be set with JWT_ALG=EdDSA. To make a key:\n\n    openssl genpkey -algorithm ed25519 "},
		{"RS256", "", "", "JWT_PRIVATE_KEY_FILE must be set with JWT_ALG=RS256. To make a key:\n\n    openssl genpkey -algorithm RSA "},
		{"HS256", "ed", "", "JWT_PRIVATE_KEY_FILE needs JWT_ALG=EdDSA or RS256"},
		{"EdDSA", "rsa", "", "JWT_PRIVATE_KEY_FILE must hold a key for JWT_ALG=EdDSA"},
		{"RS256", "ed", "", "JWT_PRIVATE_KEY_FILE must hold a key for JWT_ALG=RS256"},
		{"RS256", "ec", "", "JWT_PRIVATE_KEY_FILE must hold a key for JWT_ALG=RS256"},
		{"RS256", "weak", "", "JWT_PRIVATE_KEY_FILE must hold an RSA key of at least 2048 bits"},
		{"RS256", "rsa.pub", "", `JWT_PRIVATE_KEY_FILE must be a readable private key in PEM: ` + f.at("rsa.pub") + ` holds a "PUBLIC KEY"`},
		{"RS256", "encrypted", "", "JWT_PRIVATE_KEY_FILE must be a readable private key in PEM: " + f.at("encrypted") + " holds"},
		{"RS256", "damaged", "", "JWT_PRIVATE_KEY_FILE must be a readable private key in PEM: the "},
		{"RS256", "text", "", "JWT_PRIVATE_KEY_FILE must be a readable private key in PEM: " + f.at("text") + " has no PEM block"},
		{"RS256", "empty", "", "JWT_PRIVATE_KEY_FILE must be a readable private key in PEM: "},
		{"RS256", "missing", "", "JWT_PRIVATE_KEY_FILE must be a readable private key in PEM: open "},
		{"RS256", ".", "", "JWT_PRIVATE_KEY_FILE must be a readable private key in PEM: read "},
		{"HS256", "", "missing", "JWT_PUBLIC_KEY_PREVIOUS_FILE must be a readable public key in PEM: open "},
		{"HS256", "", "rsa", "JWT_PUBLIC_KEY_PREVIOUS_FILE must be a readable public key in PEM: " + f.at("rsa") + " holds"},
		{"HS256", "", "damaged.pub", "JWT_PUBLIC_KEY_PREVIOUS_FILE must be a readable public key in PEM: the "},
		{"HS256", "", "damaged.cert", "JWT_PUBLIC_KEY_PREVIOUS_FILE must be a readable public key in PEM: the "},
		{"HS256", "", "ec.pub", "JWT_PUBLIC_KEY_PREVIOUS_FILE must hold an Ed25519 or RSA key"},
		{"HS256", "", "weak.pub", "JWT_PUBLIC_KEY_PREVIOUS_FILE must hold an RSA key of at least 2048 bits"},
		{"RS256", "rsa", "rsa.pub", "JWT_PUBLIC_KEY_PREVIOUS_FILE must hold another key than JWT_PRIVATE_KEY_FILE"},
		{"RS256", "rsa", "cert", "JWT_PUBLIC_KEY_PREVIOUS_FILE must hold another key than JWT_PRIVATE_KEY_FILE"},
		{"ES256", "ec", "", "JWT_ALG must be one of HS256, EdDSA, RS256"},
	} {
		env := map[string]string{"JWT_ALG": test.alg}
		if test.private != "" {
			env["JWT_PRIVATE_KEY_FILE"] = f.at(test.private)
		}
		if test.previous != "" {
			env["JWT_PUBLIC_KEY_PREVIOUS_FILE"] = f.at(test.previous)
		}
		_, err := Load(with(env))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Count(err.Error(), "JWT_P") > strings.Count(test.want, "JWT_P") {
			t.Errorf("%s, %s, %s: %v", test.alg, test.private, test.previous, err)
			continue
		}
		if strings.Contains(err.Error(), "a secret in no block") || strings.Contains(err.Error(), "12345") {
			t.Errorf("%s: the message tells what is in the file", test.private)
		}
	}
}

func TestFaultsOfKeysComeTogether(t *testing.T) {
	f := newKeyFiles(t)
	_, err := Load(with(map[string]string{
		"PORT": "x", "JWT_ALG": "EdDSA", "JWT_PRIVATE_KEY_FILE": f.at("rsa"), "JWT_PUBLIC_KEY_PREVIOUS_FILE": f.at("missing"),
		"REFRESH_TOKEN_SECRET_PREVIOUS": "short",
	}))
	for _, name := range []string{"PORT ", "JWT_PRIVATE_KEY_FILE ", "JWT_PUBLIC_KEY_PREVIOUS_FILE ", "REFRESH_TOKEN_SECRET_PREVIOUS "} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+name) {
			t.Errorf("%sis not named in: %v", name, err)
		}
	}
}
