package config

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	accessSecret  = "ACCESS_TOKEN_SECRET"
	refreshSecret = "REFRESH_TOKEN_SECRET" // #nosec G101 -- the name of a variable
	secretsFile   = "secrets.env"
	shortest      = 32 // bytes: an HS256 key must be as long as its hash (RFC 7518 §3.2)
)

// secrets fills in and checks the two signing secrets and the previous ones.
func (r *reader) secrets(c *Config) {
	if c.RefreshTokenSecret == "" || (c.AccessTokenSecret == "" && c.JWTAlg == hs256) {
		r.missingSecrets(c)
	}
	all := []secret{
		{accessSecret, c.AccessTokenSecret, "; a fresh one: " + newSecret()},
		{refreshSecret, c.RefreshTokenSecret, "; a fresh one: " + newSecret()},
		{accessSecret + "_PREVIOUS", c.AccessTokenSecretPrevious, ""},
		{refreshSecret + "_PREVIOUS", c.RefreshTokenSecretPrevious, ""},
	}
	if c.JWTAlg != hs256 {
		all = all[1:] // unused; its value before the switch may be given as _PREVIOUS
	}
	for i, s := range all {
		if s.value == "" {
			continue
		}
		if weak(s.value) {
			r.fault(s.name, "must be at least %d random bytes%s", shortest, s.offer)
		}
		for _, other := range all[:i] {
			if s.value == other.value {
				r.fault(s.name, "must differ from %s%s", other.name, s.offer)
			}
		}
	}
}

// secret is a signing secret; offer is appended to the message about a fault in it.
type secret struct{ name, value, offer string }

// missingSecrets generates secrets at the first start and stores them in DATA_DIR. Several processes must share them,
// so where there may be several, and in production, the operator must set them instead.
func (r *reader) missingSecrets(c *Config) {
	if c.Env == "production" || c.MongoURI != "" {
		if _, err := os.Stat(c.SecretsFile()); err == nil {
			r.fault("ACCESS_TOKEN_SECRET and REFRESH_TOKEN_SECRET", "must be set with APP_ENV=production or MONGODB_URI. "+
				"Those that this site has used so far are in %s: with others everybody must log in again", c.SecretsFile())
			return
		}
		r.fault("ACCESS_TOKEN_SECRET and REFRESH_TOKEN_SECRET",
			"must be set with APP_ENV=production or MONGODB_URI. A fresh pair to paste:\n\n    %s=%s\n    %s=%s\n",
			accessSecret, newSecret(), refreshSecret, newSecret())
		return
	}
	if len(r.faults) > 0 {
		return // the start fails anyway: leave nothing behind
	}
	kept, err := keptSecrets(c.DataDir, r.still)
	if r.still && errors.Is(err, fs.ErrNotExist) {
		return // the first start generates them
	}
	if err == nil && (kept[accessSecret] == "" || kept[refreshSecret] == "") {
		err = errors.New(secretsFile + " in it is damaged")
	}
	if err != nil {
		r.fault("DATA_DIR", "cannot keep the token secrets: %s; let the user that runs this program write the folder "+
			"(a file system that is mounted read-only must be mounted for writing), or set it to another one", err)
		return
	}
	if c.AccessTokenSecret == "" {
		c.AccessTokenSecret = kept[accessSecret]
	}
	if c.RefreshTokenSecret == "" {
		c.RefreshTokenSecret = kept[refreshSecret]
	}
}

// keptSecrets reads the secrets in DATA_DIR, and generates missing ones unless still is set. Only the owner can read
// the file, and it is created atomically.
func keptSecrets(dir string, still bool) (map[string]string, error) {
	file := filepath.Join(dir, secretsFile)
	kept, err := readFile(file)
	if err == nil || still || !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	draft, err := os.CreateTemp(dir, "secrets-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = fmt.Fprintf(draft, "# Signing keys of the tokens. Whoever reads them can be anybody.\n%s=%s\n%s=%s\n",
		accessSecret, newSecret(), refreshSecret, newSecret())
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, err
	}
	// Unlike rename, link never replaces a file: if two processes start for the first time at once, one wins.
	if err := os.Link(draft.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readFile(file)
}

// weak reports whether a secret is too short, or a placeholder from an example.
func weak(secret string) bool {
	distinct := map[rune]bool{}
	for _, r := range secret {
		distinct[r] = true
	}
	lower := strings.ToLower(secret)
	for _, word := range []string{"changeme", "change-me", "change_me", "your-secret", "your_secret", "placeholder", "example"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return len(secret) < shortest || len(distinct) < 10
}

func newSecret() string { return rand.Text() + rand.Text() }
