package routes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

func measured(cfg *config.Config) { cfg.MetricsAddr, cfg.RateLimit = "127.0.0.1:0", true }

// scrape reads a site's metrics like a Prometheus server.
func scrape(t testing.TB, site *testsite.Site) (families map[string]*dto.MetricFamily, text string) {
	t.Helper()
	w := httptest.NewRecorder()
	site.Metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	text = w.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families, text
}

// value sums the samples of a metric with these labels, given as alternating names and values.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) (sum float64) {
	for _, m := range families["tokentube_"+name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.GetLabel() {
			has[l.GetName()] = l.GetValue()
		}
		fits := true
		for pair := range slices.Chunk(labels, 2) {
			fits = fits && has[pair[0]] == pair[1]
		}
		if fits {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// used is a site on which everything that the metrics cover has happened.
func used(t testing.TB) (*testsite.Site, *testsite.Client) {
	t.Helper()
	site := testsite.New(t, measured)
	alice := site.User("alice")
	bob := site.SignIn("alice")
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": "wrong password"}).Status(http.StatusUnauthorized)
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice"}).Status(http.StatusUnprocessableEntity)
	post := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "A title", "alt": "A line", "visibility": "public"},
		testsite.File{Field: "photo", Name: "a.png", Content: testsite.Picture(t)}).Status(http.StatusCreated).ID()
	alice.Get("/media/posts/" + post).Status(http.StatusOK)
	alice.Get("/").Status(http.StatusOK)
	alice.JSON("POST", "/api/v1/users/reset-password", testsite.M{"email": "alice@example.com"})
	old := bob.Cookies["RefreshToken"]
	renew := func(token string) int {
		return site.Client().JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": token}).Code
	}
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusUnauthorized} { // rotated, its successor, refused
		if got := renew([]string{old, old, "no token"}[i]); got != want {
			t.Fatalf("renewal %d answers %d", i, got)
		}
	}
	return site, alice
}

func TestMetricsOfAUsedSite(t *testing.T) {
	t.Parallel()
	site, alice := used(t)
	site.DB.WaitRemovals()
	families, text := scrape(t, site)
	for _, want := range []struct {
		least  float64
		name   string
		labels []string
	}{
		{1, "http_requests_total", []string{"route", "/", "method", "GET", "status", "2xx"}},
		{1, "http_request_duration_seconds", []string{"route", "/media/posts/:id", "method", "GET"}},
		{1, "logins_total", []string{"outcome", "ok"}}, {1, "logins_total", []string{"outcome", "wrong"}}, {1, "logins_total", []string{"outcome", "incomplete"}},
		{1, "renewals_total", []string{"outcome", "rotated"}}, {1, "renewals_total", []string{"outcome", "successor"}}, {1, "renewals_total", []string{"outcome", "refused"}},
		{2, "sessions_live", nil}, {1, "cache_misses_total", []string{"kind", "sessions"}}, {1, "cache_hits_total", []string{"kind", "users"}},
		{3, "password_hashes_total", nil}, {3, "password_hash_wait_seconds", nil},
		{1, "database_operation_duration_seconds", []string{"kind", "posts", "operation", "insert"}},
		{1, "database_operation_duration_seconds", []string{"kind", "any", "operation", "transaction"}},
		{10, "media_received_bytes_total", nil}, {10, "media_sent_bytes_total", nil},
		{1, "background_jobs_total", nil},
	} {
		if got := value(families, want.name, want.labels...); got < want.least {
			t.Errorf("%s%v is %v, want at least %v", want.name, want.labels, got, want.least)
		}
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds", "tokentube_mails_waiting", "tokentube_password_hash_waiting", "tokentube_database_scans_total", "tokentube_http_requests_in_flight"} {
		if families[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	if scans := value(families, "database_scans_total"); scans != 0 {
		t.Errorf("%v scans", scans)
	}
	checkLint(t, text)
	for _, own := range []string{"alice", "example.com", userID(alice), alice.Cookies["AccessToken"], "192.0.2.1"} {
		if strings.Contains(text, own) {
			t.Errorf("the metrics name %q", own)
		}
	}
}

func checkLint(t *testing.T, text string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tokentube_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// Theft, limits and database faults don't occur on a used site.
func TestMetricsOfWhatGoesWrong(t *testing.T) {
	t.Parallel()
	site := testsite.New(t, measured)
	alice := site.User("alice")
	first := alice.Cookies["RefreshToken"]
	renew := func(token string) *testsite.Answer {
		return site.Client().JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": token})
	}
	second, _ := renew(first).Status(http.StatusOK).Data()["refreshToken"].(string)
	renew(second).Status(http.StatusOK)
	site.Clock.Advance(site.Config.RefreshTokenGrace * 2)
	renew(first).Status(http.StatusUnauthorized)
	for range 40 {
		renew("no token")
	}
	families, _ := scrape(t, site)
	if n := value(families, "renewals_total", "outcome", "theft"); n != 1 {
		t.Errorf("%v thefts were counted", n)
	}
	if n := value(families, "rate_limit_refusals_total", "limit", "renewal"); n < 1 {
		t.Errorf("%v refusals were counted", n)
	}
	_ = site.DB.Close(context.Background())
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password})
	if families, _ = scrape(t, site); value(families, "database_errors_total") < 1 || value(families, "logins_total", "outcome", "failed") != 1 {
		t.Error("a database that is closed has no errors")
	}
}

// Whatever clients send, the number of series doesn't grow.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	site, alice := used(t)
	odd := func(n int) {
		path := fmt.Sprintf("/@nobody%d/%d?q=%d", n, n, n)
		for _, method := range []string{fmt.Sprintf("ODD%d", n), "GET", "POST", "DELETE"} {
			r := httptest.NewRequest(method, "https://localhost"+path, nil)
			r.Host = fmt.Sprintf("host%d.example", n)
			r.Header.Set("User-Agent", fmt.Sprint("agent", n))
			r.Header.Set("X-Http-Method-Override", fmt.Sprint("OWN", n))
			site.Handler.ServeHTTP(httptest.NewRecorder(), r)
			r = httptest.NewRequest(method, fmt.Sprintf("https://localhost/api/v1/videos/%d", n), nil)
			site.Handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		alice.Get("/watch/" + fmt.Sprintf("%024x", n))
		site.Client().PostForm("/login", url.Values{"identifier": {fmt.Sprint("name", n)}, "password": {"wrong"}})
	}
	series := func() (names []string) {
		_, text := scrape(t, site)
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(line, "} ")
			names = append(names, name)
		}
		return names
	}
	for n := range 50 { // enough to reach every limit
		odd(n)
	}
	series() // the scrape itself counts too
	before := series()
	for n := range 1000 {
		odd(1000 + n)
	}
	for _, name := range series() {
		if strings.Contains(name, "{") && !slices.Contains(before, name) {
			t.Errorf("new: %s", name)
		}
	}
}

func TestMetricsOfTwoSitesAreApart(t *testing.T) {
	t.Parallel()
	one, two := testsite.New(t, measured), testsite.New(t, measured)
	one.Client().Get("/").Status(http.StatusOK)
	families, _ := scrape(t, two)
	if n := value(families, "http_requests_total"); n != 0 {
		t.Errorf("a site counted %v requests of another one", n)
	}
	families, _ = scrape(t, one)
	if n := value(families, "http_requests_total"); n != 1 {
		t.Errorf("%v requests were counted", n)
	}
}

func TestMetricsAnswerOnlyWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	site := testsite.New(t, measured)
	for _, test := range []struct {
		method, path string
		code         int
	}{{"GET", "/metrics", 200}, {"HEAD", "/metrics", 200}, {"POST", "/metrics", 405}, {"GET", "/", 404}} {
		w := httptest.NewRecorder()
		site.Metrics.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != test.code {
			t.Errorf("%s %s: %d", test.method, test.path, w.Code)
		}
	}
	site.Client().Get("/metrics").Status(http.StatusNotFound)
}

var metricNames = regexp.MustCompile(`\b(?:tokentube|go|process)_[a-z_]+`)

// The dashboard only queries existing metrics, which also appear in a scrape.
func TestDashboardNamesMetricsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	site, _ := used(t)
	for range 12 {
		site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "bob", "password": "wrong password"})
	}
	_ = site.DB.Close(context.Background())
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password})
	site.Metrics.Mail("sent")
	families, _ := scrape(t, site)
	shown := map[string]bool{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			found := metricNames.FindAllString(target.Expr, -1)
			if len(found) == 0 {
				t.Errorf("%s: %q names no metric", panel.Title, target.Expr)
			}
			for _, name := range found {
				name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
				if shown[name] = true; families[name] == nil {
					t.Errorf("%s: there is no %s", panel.Title, name)
				}
			}
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "tokentube_") && !shown[name] {
			t.Errorf("the dashboard doesn't show %s", name)
		}
	}
}
