package routes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/utils/logs"
)

// written is a log that a test can read.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// logged is a site with a separate log, at all levels.
func logged(t *testing.T, format string, change ...func(*config.Config)) (*testsite.Site, *written) {
	t.Helper()
	log := new(written)
	cfg := testsite.Config(t)
	cfg.TrustedProxies = []string{"192.0.2.1"}
	for _, f := range change {
		f(&cfg)
	}
	return testsite.Logged(t, cfg, nil, logs.New(log, format, "debug")), log
}

// No secret, sent anywhere in any request, appears in the log, at any level or in either format.
func TestLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			site, log := logged(t, format)
			alice := site.User("alice")
			users := 0
			const marker = "S3cretMarker"
			secrets := []string{marker, testsite.Password, "correct+horse", "@example.com", "203.0.113.77", "2001:db8:1:2:3:4:5:6", "192.0.2.1:", "mallory@evil.example"}
			for _, r := range allRoutes(site) {
				for _, who := range []*testsite.Client{site.Client(), alice} {
					for _, kind := range []string{"application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=" + marker} {
						who.Do(poisoned(r, kind, marker))
						if alice.JSON("GET", "/api/v1/users/get-current-user", nil).Code != http.StatusOK { // changed, logged out or deleted
							users++
							alice = site.User(fmt.Sprint("alice", users))
						}
						secrets = append(secrets, alice.Cookies["AccessToken"], alice.Cookies["RefreshToken"])
						if r.safe() {
							break
						}
					}
				}
			}
			text := log.String()
			if lines := strings.Count(text, "\n"); lines < 300 {
				t.Fatalf("only %d lines were logged", lines)
			}
			for line := range strings.Lines(text) {
				for _, secret := range secrets {
					if secret != "" && strings.Contains(line, secret) {
						t.Fatalf("%q is in the log: %s", secret, line)
					}
				}
			}
		})
	}
}

// poisoned is a request with a secret in every possible place.
func poisoned(r route, contentType, marker string) *http.Request {
	form := fill(marker, "public")
	form.Set("password", testsite.Password)
	form.Set("email", "mallory@evil.example")
	body := form.Encode()
	if contentType == "application/json" {
		text, _ := json.Marshal(map[string]any{"password": testsite.Password, "email": "mallory@evil.example", "identifier": marker, "RefreshToken": marker + ".x.y", "title": []string{marker}})
		body = string(text)
	}
	query := url.Values{"token": {marker}, "password": {testsite.Password}, "email": {"alice@example.com"}, "next": {"/" + marker}, "after": {marker}, "q": {marker}}
	request := httptest.NewRequest(r.method, "https://localhost"+r.to(marker)+"?"+query.Encode(), strings.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Referer", "https://localhost/"+marker+"?token="+marker)
	request.Header.Set("User-Agent", marker)
	request.Header.Set("X-Forwarded-For", "203.0.113.77")
	request.Header.Set("Idempotency-Key", marker)
	request.Header.Set("If-None-Match", marker)
	request.Header.Set("Range", marker)
	request.AddCookie(&http.Cookie{Name: "Other", Value: marker})
	if len(body)%2 == 0 { // not always: it would hide who is logged in
		request.Header.Set("Authorization", "Bearer "+marker)
	}
	return request
}

func TestLogHasALineForEachRequest(t *testing.T) {
	t.Parallel()
	site, log := logged(t, "json")
	alice := site.User("alice")
	before := len(log.String())
	r := httptest.NewRequest("GET", "https://localhost/api/v1/users/get-current-user?secret=1", nil)
	r.Header.Set("X-Forwarded-For", "2001:db8:1:2:3:4:5:6")
	answer := alice.Do(r).Status(http.StatusOK)
	lines := strings.Split(strings.TrimSpace(log.String()[before:]), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines: %s", len(lines), lines)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	sessions, err := site.Sessions.OfUser(t.Context(), idOf(t, userID(alice)))
	if err != nil || len(sessions) != 1 {
		t.Fatal(sessions, err)
	}
	for name, want := range map[string]any{
		"msg": "request", "level": "INFO", "method": "GET", "route": "/api/v1/users/get-current-user", "status": 200.0, "ip": "2001:db8:1::/48",
		"user": userID(alice), "session": sessions[0].ID.Hex(), "request_id": answer.Header.Get("X-Request-Id"), "bytes": float64(len(answer.Body)),
	} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
	if _, is := line["ms"].(float64); !is {
		t.Errorf("no duration in %s", lines[0])
	}
	log.text.Reset()
	site.Client().Do(httptest.NewRequest("BREW", "https://localhost/@nobody/coffee", nil))
	if text := log.String(); !strings.Contains(text, `"method":"other","route":"none"`) || strings.Contains(text, "coffee") {
		t.Error(text)
	}
}

// Correct refusals are not logged as errors.
func TestRefusalsAreNoErrors(t *testing.T) {
	t.Parallel()
	site, log := logged(t, "json", func(cfg *config.Config) { cfg.Env = "production" }) // it can't send mail here, and says so
	for _, r := range allRoutes(site) {
		request := httptest.NewRequest(r.method, "https://localhost"+r.to(someID), strings.NewReader("{"))
		request.Header.Set("Content-Type", "application/json")
		site.Client().Do(request)
	}
	site.Client().JSON("POST", "/api/v1/users/forgot-password", testsite.M{"email": "alice@example.com"}).Status(http.StatusServiceUnavailable)
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			t.Error(line)
		}
	}
}

func idOf(t *testing.T, hex string) bson.ObjectID {
	t.Helper()
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
