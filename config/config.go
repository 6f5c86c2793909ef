// Package config reads the program's settings once at startup, from the environment and from a .env file. Nothing else
// in the program reads the environment.
//
// Does not belong here: what is done with a setting.
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

// Config holds all settings, validated. .env.example explains each.
type Config struct {
	Env     string // development or production
	Host    string
	Port    int
	BaseURL string // scheme, host and port, without a trailing slash

	DataDir       string
	MongoURI      string // empty: the embedded engine in DataDir
	MongoDatabase string
	MediaURL      string // empty: files in DataDir; may contain a key

	AccessTokenSecret  string
	AccessTokenExpiry  time.Duration
	RefreshTokenSecret string
	RefreshTokenExpiry time.Duration
	RefreshTokenGrace  time.Duration
	SessionMaxAge      time.Duration

	// Previous secrets and keys only verify tokens, and never sign them.
	AccessTokenSecretPrevious  string
	RefreshTokenSecretPrevious string
	JWTAlg                     string           // for access tokens: HS256, EdDSA or RS256
	JWTPrivateKeyFile          string           // PEM, with EdDSA and RS256
	JWTPrivateKey              crypto.Signer    // its content; nil with HS256
	JWTPublicKeyPreviousFile   string           // PEM
	JWTPublicKeyPrevious       crypto.PublicKey // its content, or nil
	JWTIssuer                  string

	TLSCertFile, TLSKeyFile string // PEM; both or neither
	HTTPRedirectPort        int    // 0: none
	MaxConnections          int
	MaxPerAddress           int           // connections, and requests in progress
	MetricsAddr             string        // host and port; empty: no metrics
	DrainTime               time.Duration // between the signal to stop and closing the listener
	StopTime                time.Duration // how long running requests may take after that
	RateLimit               bool
	AllowCrawlers           bool // in robots.txt and sitemap.xml

	BcryptCost     int
	CookieSecure   string // auto, true or false
	CookiePrefix   string
	CORSOrigins    []string
	TrustedProxies []string
	MaxImageBytes  int64
	MaxVideoBytes  int64
	UserQuota      int64    // bytes that the files of a user's posts may take; 0: unlimited
	DiskReserve    int64    // bytes of disk space that uploads leave free; 0: none
	SMTP           *url.URL // nil: the site sends no mail
	MailFrom       string
	LogFormat      string // text or json
	LogLevel       string // debug, info, warn or error
}

// Environment is the process's environment, plus the .env file in the working directory: a variable that is set in the
// environment overrides the file.
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

// readFile reads a file of variables. The parser's error isn't passed on: it quotes the file, including its secrets.
func readFile(name string) (map[string]string, error) {
	env, err := godotenv.Read(name)
	if cannotOpen := (*fs.PathError)(nil); err != nil && !errors.As(err, &cannotOpen) {
		return nil, errors.New("a line is not NAME=value, or a quote does not close")
	}
	return env, err
}

// Load validates the variables and fills in the defaults. Its error lists all faults, one per line. Missing secrets are
// generated and stored in DATA_DIR where that is safe (see secrets.go).
func Load(env map[string]string) (Config, error) { return load(reader{env: env}) }

// Look is Load without side effects: secrets that the first start would generate stay empty. Along with the faults, it
// returns what it could read of a faulty configuration.
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

// settings reads the settings that don't depend on others.
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

// check validates settings against each other.
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

// DatabaseFile is where the embedded engine stores its data.
func (c Config) DatabaseFile() string { return filepath.Join(c.DataDir, "tokentube.db") }

// MediaDir is where files are stored without MEDIA_URL.
func (c Config) MediaDir() string { return filepath.Join(c.DataDir, "media") }

// SecretsFile is where generated secrets are stored.
func (c Config) SecretsFile() string { return filepath.Join(c.DataDir, secretsFile) }

// MailDomain is the domain of the site's own email addresses: its host name, if it has one.
func (c Config) MailDomain() string {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil {
		return "localhost"
	}
	return u.Hostname()
}

// HTTPS reports whether users reach the site over HTTPS.
func (c Config) HTTPS() bool { return strings.HasPrefix(c.BaseURL, "https://") }
