package config

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	goodAccess  = "QHJ4WVTN2C5XZKD7YB3MLGSFEPRA6UIO"
	goodRefresh = "ZKD7YB3MLGSFEPRA6UIOQHJ4WVTN2C5X"
)

// with is a valid environment with some variables changed.
func with(changes map[string]string) map[string]string {
	env := map[string]string{accessSecret: goodAccess, refreshSecret: goodRefresh}
	maps.Copy(env, changes)
	return env
}

func TestDefaults(t *testing.T) {
	got, err := Load(with(nil))
	if err != nil {
		t.Fatal(err)
	}
	got.AccessTokenSecret, got.RefreshTokenSecret = "", ""
	for _, test := range []struct {
		name      string
		got, want any
	}{
		{"APP_ENV", got.Env, "development"},
		{"HOST", got.Host, "localhost"},
		{"PORT", got.Port, 8000},
		{"BASE_URL", got.BaseURL, "http://localhost:8000"},
		{"DATA_DIR", got.DataDir, "./data"},
		{"MONGODB_URI", got.MongoURI, ""},
		{"ACCESS_TOKEN_EXPIRY", got.AccessTokenExpiry, 15 * time.Minute},
		{"REFRESH_TOKEN_EXPIRY", got.RefreshTokenExpiry, 240 * time.Hour},
		{"REFRESH_TOKEN_GRACE", got.RefreshTokenGrace, 30 * time.Second},
		{"SESSION_MAX_AGE", got.SessionMaxAge, 90 * 24 * time.Hour},
		{"JWT_ISSUER", got.JWTIssuer, "tokentube"},
		{"BCRYPT_COST", got.BcryptCost, 12},
		{"COOKIE_SECURE", got.CookieSecure, "auto"},
		{"COOKIE_PREFIX", got.CookiePrefix, ""},
		{"CORS_ORIGIN", len(got.CORSOrigins), 0},
		{"TRUSTED_PROXIES", len(got.TrustedProxies), 0},
		{"MAX_CONNECTIONS", got.MaxConnections, 4096},
		{"MAX_CONNECTIONS_PER_ADDRESS", got.MaxPerAddress, 256},
		{"DRAIN_SECONDS", got.DrainTime, time.Duration(0)},
		{"STOP_SECONDS", got.StopTime, 10 * time.Second},
		{"MAX_IMAGE_MB", got.MaxImageBytes, int64(10 << 20)},
		{"MAX_VIDEO_MB", got.MaxVideoBytes, int64(500 << 20)},
		{"USER_QUOTA_MB", got.UserQuota, int64(10_000 << 20)},
		{"DISK_RESERVE_MB", got.DiskReserve, int64(512 << 20)},
		{"LOG_LEVEL", got.LogLevel, "info"},
		{"SMTP_URL", got.SMTP == nil, true},
		{"MAIL_FROM", got.MailFrom, "Tokentube <no-reply@localhost>"},
		{"LOG_FORMAT", got.LogFormat, "text"},
	} {
		if test.got != test.want {
			t.Errorf("%s is %v, want %v", test.name, test.got, test.want)
		}
	}
}

func TestSettingsAreTaken(t *testing.T) {
	got, err := Load(with(map[string]string{
		"APP_ENV": "production", "HOST": "::1", "PORT": "443", "ACCESS_TOKEN_EXPIRY": "1d", "COOKIE_PREFIX": "__Host-",
		"CORS_ORIGIN": " https://a.example, ,http://localhost:5173 ", "TRUSTED_PROXIES": "10.0.0.0/8, ::1", "MAX_IMAGE_MB": "2",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got.BaseURL != "http://[::1]:443" || got.HTTPS() {
		t.Errorf("BASE_URL follows HOST and PORT: %s", got.BaseURL)
	}
	if want := []string{"https://a.example", "http://localhost:5173"}; !slices.Equal(got.CORSOrigins, want) {
		t.Errorf("CORS_ORIGIN = %q", got.CORSOrigins)
	}
	if want := []string{"10.0.0.0/8", "::1"}; !slices.Equal(got.TrustedProxies, want) {
		t.Errorf("TRUSTED_PROXIES = %q", got.TrustedProxies)
	}
	if got.AccessTokenExpiry != 24*time.Hour || got.CookiePrefix != "__Host-" || got.MaxImageBytes != 2<<20 || got.Env != "production" {
		t.Errorf("got %+v", got)
	}
	got, err = Load(with(map[string]string{"BASE_URL": "https://tube.example/"}))
	if err != nil || got.BaseURL != "https://tube.example" || !got.HTTPS() {
		t.Errorf("BASE_URL = %q, %v", got.BaseURL, err)
	}
}

func TestSwitchesAreSetInAnyOfTheUsualWords(t *testing.T) {
	for want, words := range map[bool]string{true: "true TRUE on On yes 1", false: "false False off OFF no 0"} {
		for word := range strings.FieldsSeq(words) {
			if got, err := Load(with(map[string]string{"RATE_LIMIT": word})); err != nil || got.RateLimit != want {
				t.Errorf("RATE_LIMIT=%s: %v, %v", word, got.RateLimit, err)
			}
		}
	}
}

func TestOneFaultIsNamed(t *testing.T) {
	for name, values := range map[string][]string{
		"APP_ENV":              {"prod", "Production"},
		"PORT":                 {"65536", "http", "80.5", "0x50"},
		"BCRYPT_COST":          {"3", "21", "twelve"},
		"COOKIE_SECURE":        {"maybe", "2", "enabled"},
		"COOKIE_PREFIX":        {"__host-", "x"},
		"BASE_URL":             {"tube.example", "//tube.example", "ftp://tube.example", "https://", "https://tube.example/path", "https://u:p@tube.example", "https://tube.example?x", "https://tube.example#x"},
		"CORS_ORIGIN":          {"*", "null", "a.example", "https://a.example,b.example", "https://a.example/x", "https://a.example:port"},
		"TRUSTED_PROXIES":      {"*", "10.0.0.0/33", "10.0.0", "proxy.example", "10.0.0.1,x"},
		"MAX_IMAGE_MB":         {"0", "101", "10MB"},
		"MAX_VIDEO_MB":         {"0", "-500"},
		"USER_QUOTA_MB":        {"-1", "10GB"},
		"DISK_RESERVE_MB":      {"-1", "1%"},
		"LOG_FORMAT":           {"xml"},
		"LOG_LEVEL":            {"trace"},
		"SMTP_URL":             {"mail.example.com:25", "http://example.com", "smtp://mail.example.com?tls=off"},
		"MAIL_FROM":            {"nobody", "a@b, c@d"},
		"ACCESS_TOKEN_EXPIRY":  {"11d", "0m"},
		"REFRESH_TOKEN_EXPIRY": {"10m", "3600"},
		"REFRESH_TOKEN_GRACE":  {"30"},
		"SESSION_MAX_AGE":      {"-1d"},
		"HTTP_REDIRECT_PORT":   {"x", "-1"},
		"RATE_LIMIT":           {"perhaps"},
		"ALLOW_CRAWLERS":       {"perhaps"},
	} {
		for _, value := range values {
			wanted := name
			if value == "10m" {
				wanted = "ACCESS_TOKEN_EXPIRY" // it is longer then
			}
			_, err := Load(with(map[string]string{name: value}))
			if err == nil || !strings.HasPrefix(err.Error(), wanted+" must ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
	for _, half := range []map[string]string{{"TLS_CERT_FILE": "cert.pem"}, {"TLS_KEY_FILE": "key.pem"}, {"HTTP_REDIRECT_PORT": "8080"}} {
		if _, err := Load(with(half)); err == nil || !strings.Contains(err.Error(), "TLS_CERT_FILE and TLS_KEY_FILE") {
			t.Errorf("%v: %v", half, err)
		}
	}
	_, err := Load(with(map[string]string{"COOKIE_PREFIX": "__Host-", "COOKIE_SECURE": "false"}))
	if err == nil || !strings.HasPrefix(err.Error(), "COOKIE_PREFIX needs COOKIE_SECURE") {
		t.Errorf("a prefix without Secure: %v", err)
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	faulty := map[string]string{
		"APP_ENV": "x", "PORT": "x", "ACCESS_TOKEN_EXPIRY": "x", "REFRESH_TOKEN_EXPIRY": "x", "REFRESH_TOKEN_GRACE": "x", "SESSION_MAX_AGE": "x",
		"BCRYPT_COST": "x", "COOKIE_SECURE": "x", "COOKIE_PREFIX": "x", "CORS_ORIGIN": "x", "TRUSTED_PROXIES": "x", "BASE_URL": "x",
		"MAX_IMAGE_MB": "x", "MAX_VIDEO_MB": "x", "LOG_FORMAT": "x", "LOG_LEVEL": "x", accessSecret: "x", refreshSecret: "x",
	}
	_, err := Load(faulty)
	if err == nil {
		t.Fatal("no error")
	}
	for name := range faulty {
		if !regexp.MustCompile(`(?m)^` + name + ` `).MatchString(err.Error()) {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "30s": 30 * time.Second, "15m": 15 * time.Minute, "12h": 12 * time.Hour,
		"1d": 24 * time.Hour, "10d": 240 * time.Hour, "3650d": 87600 * time.Hour,
	} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"3600", "0m", "0", "-1h", "1w", "", "15", "1.5h", "+5m", "m", "1h30m", "15 m", " 15m", "15M", "15ms", "0x1m", "1_0m", "１m", "forever",
		"3651d", "99999999999d", "9223372036854775807s", "99999999999999999999d",
	} {
		got, err := ParseDuration(text)
		if err == nil || got != 0 {
			t.Errorf("%q is taken as %v", text, got)
			continue
		}
		if message := err.Error(); !strings.Contains(message, `not "`+text+`"`) || !strings.Contains(message, "15m") && !strings.Contains(message, "ten years") {
			t.Errorf("%q: the message does not help: %s", text, message)
		}
	}
}

func TestEnvironmentBeatsDotEnv(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("HOST", "real.example")
	if env, err := Environment(); err != nil || env["HOST"] != "real.example" {
		t.Fatalf("without .env: %q, %v", env["HOST"], err)
	}
	write(t, ".env", "HOST=file.example\nJWT_ISSUER=\"from the file\" # a comment\n")
	env, err := Environment()
	if err != nil {
		t.Fatal(err)
	}
	if env["HOST"] != "real.example" || env["JWT_ISSUER"] != "from the file" {
		t.Errorf("HOST = %q, JWT_ISSUER = %q", env["HOST"], env["JWT_ISSUER"])
	}
	if _, set := os.LookupEnv("JWT_ISSUER"); set {
		t.Error("the file was put into the process's environment")
	}
}

func TestDamagedDotEnvStopsTheStartAndTellsNoSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, content := range []string{
		"NOT A PAIR\n" + accessSecret + "=" + goodAccess + "\n",
		accessSecret + "=\"" + goodAccess + "\n",
	} {
		write(t, ".env", content)
		_, err := Environment()
		if err == nil || !strings.HasPrefix(err.Error(), ".env cannot be read: ") {
			t.Fatalf("%q: error %v", content, err)
		}
		if strings.Contains(err.Error(), goodAccess) {
			t.Errorf("the message tells the secret: %v", err)
		}
	}
}

// The example file and the code name the same variables.
func TestExampleFileIsComplete(t *testing.T) {
	example, err := os.ReadFile("../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	inExample := names(`(?m)^#?\s*([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)=`, string(example))
	read := map[string]bool{}
	for _, file := range []string{"config.go", "secrets.go", "media.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(read, names(`r\.(?:text|number|flag|address|secure|smtp|mailbox|oneOf|duration|origins?|proxies|list)\("([A-Z0-9_]+)"`, string(source)))
	}
	if len(read) < 20 {
		t.Fatalf("only %d variables found in the source", len(read))
	}
	for name := range read {
		if !inExample[name] {
			t.Errorf("%s is read but not in .env.example", name)
		}
	}
	for name := range inExample {
		if !read[name] {
			t.Errorf("%s is in .env.example but never read", name)
		}
	}
}

func names(pattern, text string) map[string]bool {
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return found
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
