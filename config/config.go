// Package config reads the program's settings from the environment and from a
// .env file, once, at start. Nothing else in the program looks at the environment.
//
// It does not belong here: what is done with a setting.
package config

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/joho/godotenv"
)

// Config is every setting, checked. .env.example explains each.
type Config struct {
	Env     string // development or production
	Host    string
	Port    int
	BaseURL string // scheme, host and port, no slash at the end

	DataDir       string
	MongoURI      string // empty: the embedded engine in DataDir
	MongoDatabase string
	MediaURL      string // empty: files in DataDir; may hold a key

	AccessTokenSecret  string
	AccessTokenExpiry  time.Duration
	RefreshTokenSecret string
	RefreshTokenExpiry time.Duration
	RefreshTokenGrace  time.Duration
	SessionMaxAge      time.Duration

	// Former secrets and keys still verify and never sign.
	AccessTokenSecretPrevious  string
	RefreshTokenSecretPrevious string
	JWTAlg                     string           // of access tokens: HS256, EdDSA or RS256
	JWTPrivateKeyFile          string           // PEM, with EdDSA and RS256
	JWTPrivateKey              crypto.Signer    // what is in it; nil with HS256
	JWTPublicKeyPreviousFile   string           // PEM
	JWTPublicKeyPrevious       crypto.PublicKey // what is in it, or nil
	JWTIssuer                  string

	TLSCertFile, TLSKeyFile string // PEM; both or neither
	HTTPRedirectPort        int    // 0: none
	MaxConnections          int
	MaxPerAddress           int           // connections, and requests under way
	MetricsAddr             string        // host and port; empty: none
	DrainTime               time.Duration // between the word to stop and the end of listening
	StopTime                time.Duration // that running requests may take then
	RateLimit               bool
	AllowCrawlers           bool // robots.txt and sitemap.xml

	BcryptCost     int
	CookieSecure   string // auto, true or false
	CookiePrefix   string
	CORSOrigins    []string
	TrustedProxies []string
	MaxImageBytes  int64
	MaxVideoBytes  int64
	UserQuota      int64    // bytes that the files of a user's posts may take; 0: no bound
	DiskReserve    int64    // bytes of free disk space that uploads leave; 0: none
	SMTP           *url.URL // nil: none
	MailFrom       string
	LogFormat      string // text or json
	LogLevel       string // debug, info, warn or error
}

// Environment is what the process was given, with .env of the working folder
// beneath it: a variable that is really set wins over the file.
func Environment() (map[string]string, error) {
	env, err := readFile(".env")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(".env cannot be read: %w", err)
	}
	if env == nil {
		env = map[string]string{}
	}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env, nil
}

// readFile reads a file of variables. What the parser says is not passed on: it
// quotes the file, secrets and all.
func readFile(name string) (map[string]string, error) {
	env, err := godotenv.Read(name)
	if cannotOpen := (*fs.PathError)(nil); err != nil && !errors.As(err, &cannotOpen) {
		return nil, errors.New("a line is not NAME=value, or a quote does not close")
	}
	return env, err
}

// Load checks the variables and fills in the defaults. Its error names every
// fault at once, a line each. Missing secrets are made and kept in DATA_DIR where
// that is safe (see secrets.go).
func Load(env map[string]string) (Config, error) { return load(reader{env: env}) }

// Look is Load that changes nothing: secrets that the first start would make stay empty. What can be read of a configuration
// that has faults is returned with them.
func Look(env map[string]string) (Config, error) { return load(reader{env: env, still: true}) }

func load(r reader) (Config, error) {
	c := r.settings()
	scheme := "http://"
	if c.TLSCertFile != "" {
		scheme = "https://"
	}
	c.BaseURL = r.origin("BASE_URL", scheme+net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	c.MailFrom = r.mailbox("MAIL_FROM", "Tokentube <no-reply@"+c.MailDomain()+">")
	r.check(c)
	r.keys(&c)
	r.secrets(&c)
	return c, errors.Join(r.faults...)
}

// settings reads what doesn't depend on other settings.
func (r *reader) settings() Config {
	return Config{
		Env:                r.oneOf("APP_ENV", "development", "production"),
		Host:               r.text("HOST", "localhost"),
		Port:               r.number("PORT", 8000, 0, 65535),
		DataDir:            r.text("DATA_DIR", "./data"),
		MongoURI:           r.text("MONGODB_URI", ""),
		MongoDatabase:      r.text("MONGODB_DATABASE", "tokentube"),
		MediaURL:           r.withAWS(r.text("MEDIA_URL", "")),
		AccessTokenSecret:  r.text("ACCESS_TOKEN_SECRET", ""),
		AccessTokenExpiry:  r.duration("ACCESS_TOKEN_EXPIRY", "15m"),
		RefreshTokenSecret: r.text("REFRESH_TOKEN_SECRET", ""),
		RefreshTokenExpiry: r.duration("REFRESH_TOKEN_EXPIRY", "10d"),
		RefreshTokenGrace:  r.duration("REFRESH_TOKEN_GRACE", "30s"),
		SessionMaxAge:      r.duration("SESSION_MAX_AGE", "90d"),

		AccessTokenSecretPrevious:  r.text("ACCESS_TOKEN_SECRET_PREVIOUS", ""),
		RefreshTokenSecretPrevious: r.text("REFRESH_TOKEN_SECRET_PREVIOUS", ""),
		JWTAlg:                     r.oneOf("JWT_ALG", hs256, eddsa, rs256),
		JWTPrivateKeyFile:          r.text("JWT_PRIVATE_KEY_FILE", ""),
		JWTPublicKeyPreviousFile:   r.text("JWT_PUBLIC_KEY_PREVIOUS_FILE", ""),
		JWTIssuer:                  r.text("JWT_ISSUER", "tokentube"),

		TLSCertFile:      r.text("TLS_CERT_FILE", ""),
		TLSKeyFile:       r.text("TLS_KEY_FILE", ""),
		HTTPRedirectPort: r.number("HTTP_REDIRECT_PORT", 0, 0, 65535),
		MaxConnections:   r.number("MAX_CONNECTIONS", 4096, 64, 1_000_000),
		MaxPerAddress:    r.number("MAX_CONNECTIONS_PER_ADDRESS", 256, 16, 1_000_000),
		DrainTime:        time.Duration(r.number("DRAIN_SECONDS", 0, 0, 3600)) * time.Second,
		StopTime:         time.Duration(r.number("STOP_SECONDS", 10, 1, 3600)) * time.Second,
		MetricsAddr:      r.address("METRICS_ADDR"),
		RateLimit:        r.flag("RATE_LIMIT", true),
		AllowCrawlers:    r.flag("ALLOW_CRAWLERS", true),

		BcryptCost:     r.number("BCRYPT_COST", 12, 4, 20),
		CookieSecure:   r.secure("COOKIE_SECURE"),
		CookiePrefix:   r.oneOf("COOKIE_PREFIX", "", "__Host-", "__Secure-"),
		CORSOrigins:    r.origins("CORS_ORIGIN"),
		TrustedProxies: r.proxies("TRUSTED_PROXIES"),
		MaxImageBytes:  int64(r.number("MAX_IMAGE_MB", 10, 1, 100)) << 20,
		MaxVideoBytes:  int64(r.number("MAX_VIDEO_MB", 500, 1, 100_000)) << 20,
		UserQuota:      int64(r.number("USER_QUOTA_MB", 10_000, 0, 1_000_000_000)) << 20,
		DiskReserve:    int64(r.number("DISK_RESERVE_MB", 512, 0, 1_000_000_000)) << 20,
		SMTP:           r.smtp("SMTP_URL"),
		LogFormat:      r.oneOf("LOG_FORMAT", "text", "json"),
		LogLevel:       r.oneOf("LOG_LEVEL", "info", "debug", "warn", "error"),
	}
}

// check looks at the settings that must fit each other.
func (r *reader) check(c Config) {
	if c.RefreshTokenExpiry > 0 && c.AccessTokenExpiry > c.RefreshTokenExpiry {
		r.fault("ACCESS_TOKEN_EXPIRY", "must not be longer than REFRESH_TOKEN_EXPIRY")
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		r.fault("TLS_CERT_FILE and TLS_KEY_FILE", "go together: set both or neither")
	}
	if c.HTTPRedirectPort > 0 && c.TLSCertFile == "" {
		r.fault("HTTP_REDIRECT_PORT", "needs TLS_CERT_FILE and TLS_KEY_FILE: there is no HTTPS to lead to")
	}
	if c.CookiePrefix != "" && c.CookieSecure == "false" {
		r.fault("COOKIE_PREFIX", "needs COOKIE_SECURE=true or auto: browsers drop such cookies otherwise")
	}
}

// DatabaseFile is where the embedded engine keeps its data.
func (c Config) DatabaseFile() string { return filepath.Join(c.DataDir, "tokentube.db") }

// MediaDir is where files are kept without MEDIA_URL.
func (c Config) MediaDir() string { return filepath.Join(c.DataDir, "media") }

// SecretsFile is where generated secrets are kept.
func (c Config) SecretsFile() string { return filepath.Join(c.DataDir, secretsFile) }

// MailDomain is the domain of the site's own mail addresses: its name, if it has one.
func (c Config) MailDomain() string {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil {
		return "localhost"
	}
	return u.Hostname()
}

// HTTPS tells whether the site is reached by HTTPS.
func (c Config) HTTPS() bool { return strings.HasPrefix(c.BaseURL, "https://") }
