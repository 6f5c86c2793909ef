package config

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

const (
	hs256 = "HS256"
	eddsa = "EdDSA"
	rs256 = "RS256"

	privateKeyFile = "JWT_PRIVATE_KEY_FILE"
	previousFile   = "JWT_PUBLIC_KEY_PREVIOUS_FILE"

	fewestBits = 2048 // of an RSA key (RFC 7518 §3.3)
)

// howTo generates a key for each algorithm.
var howTo = map[string]string{
	eddsa: "openssl genpkey -algorithm ed25519 -out access-token.pem",
	rs256: "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out access-token.pem",
}

// keys reads the key files of access tokens. The private key must be of the type that JWT_ALG names. The previous
// public key may be of the other type, so that the algorithm can be changed too, even back to HS256.
func (r *reader) keys(c *Config) {
	switch command := howTo[c.JWTAlg]; {
	case c.JWTAlg == hs256 && c.JWTPrivateKeyFile != "":
		r.fault(privateKeyFile, "needs JWT_ALG=%s or %s", eddsa, rs256)
	case command != "" && c.JWTPrivateKeyFile == "":
		r.fault(privateKeyFile, "must be set with JWT_ALG=%s. To make a key:\n\n    %s\n", c.JWTAlg, command)
	case command != "":
		c.JWTPrivateKey = r.privateKey(c.JWTPrivateKeyFile, c.JWTAlg)
	}
	if c.JWTPublicKeyPreviousFile != "" {
		c.JWTPublicKeyPrevious = r.publicKey(c.JWTPublicKeyPreviousFile)
	}
	if c.JWTPrivateKey == nil || c.JWTPublicKeyPrevious == nil {
		return
	}
	if own, ok := c.JWTPrivateKey.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && own.Equal(c.JWTPublicKeyPrevious) {
		r.fault(previousFile, "must hold another key than %s", privateKeyFile)
	}
}

func (r *reader) privateKey(file, alg string) crypto.Signer {
	parsed, err := readPEM(file, parsePrivateKey)
	if err != nil {
		r.fault(privateKeyFile, "must be a readable private key in PEM: %s", err)
		return nil
	}
	key, ok := parsed.(crypto.Signer)
	if !ok || algOf(key.Public()) != alg {
		r.fault(privateKeyFile, "must hold a key for JWT_ALG=%s. To make one:\n\n    %s\n", alg, howTo[alg])
		return nil
	}
	if short(key.Public()) {
		r.fault(privateKeyFile, "must hold an RSA key of at least %d bits", fewestBits)
		return nil
	}
	return key
}

func (r *reader) publicKey(file string) crypto.PublicKey {
	key, err := readPEM(file, parsePublicKey)
	switch {
	case err != nil:
		r.fault(previousFile, "must be a readable public key in PEM: %s", err)
	case algOf(key) == "":
		r.fault(previousFile, "must hold an Ed25519 or RSA key")
	case short(key):
		r.fault(previousFile, "must hold an RSA key of at least %d bits", fewestBits)
	default:
		return key
	}
	return nil
}

// algOf is the only algorithm that a public key may be used with, or "". The key's type decides that, never a token.
func algOf(key crypto.PublicKey) string {
	switch key.(type) {
	case ed25519.PublicKey:
		return eddsa
	case *rsa.PublicKey:
		return rs256
	}
	return ""
}

func short(key crypto.PublicKey) bool {
	public, ok := key.(*rsa.PublicKey)
	return ok && public.N.BitLen() < fewestBits
}

// readPEM parses the first block of a file. Parser errors aren't passed on: the file may be secret.
func readPEM(file string, parse func(*pem.Block) (any, error)) (any, error) {
	content, err := os.ReadFile(file) // #nosec G304 -- whoever starts the program names the file
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s has no PEM block", file)
	}
	key, err := parse(block)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("%s holds a %q", file, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the %q in %s is damaged or of an unknown kind", block.Type, file)
	}
	return key, nil
}

// parsePrivateKey accepts PKCS #8 and, for RSA, PKCS #1. Encrypted keys are rejected.
func parsePrivateKey(b *pem.Block) (any, error) {
	switch b.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(b.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(b.Bytes)
	}
	return nil, errors.ErrUnsupported
}

// parsePublicKey accepts PKIX, for RSA also PKCS #1, and certificates. A certificate's dates and issuer don't matter
// here: the owner of the site chose the file.
func parsePublicKey(b *pem.Block) (any, error) {
	switch b.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(b.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(b.Bytes)
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	return nil, errors.ErrUnsupported
}
