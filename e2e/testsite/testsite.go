// Package testsite gives tests a complete site with its own database and file storage, a clock that the test sets, and
// clients that keep cookies like a browser.
package testsite

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/commands"
	"tokentube/config"
	"tokentube/controllers"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
	"tokentube/utils/metrics"
)

// Site is a site under test.
type Site struct {
	*controllers.App
	Clock   *Clock
	Engine  *gin.Engine  // knows all routes
	Handler http.Handler // handles the clients' requests
	Data    *commands.Data
	t       testing.TB
}

// Close stops the site, as when the process ends.
func (s *Site) Close() { s.Data.Close() }

// Clock is the site's clock. It only moves when a test advances it.
type Clock struct {
	Slow atomic.Bool // sleeping takes real time
	mu   sync.Mutex
	now  time.Time
}

// ClockAt is a clock set to the given time.
func ClockAt(now time.Time) *Clock { return &Clock{now: now} }

// Sleep advances the clock.
func (c *Clock) Sleep(_ context.Context, d time.Duration) error {
	if c.Slow.Load() {
		time.Sleep(d)
	}
	c.Advance(d)
	return nil
}

// Now is the current time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Config is the default configuration for tests.
func Config(t testing.TB) config.Config {
	t.Helper()
	cfg, err := config.Load(map[string]string{
		"DATA_DIR": t.TempDir(), "BCRYPT_COST": "4", "BASE_URL": "https://localhost", "LOG_LEVEL": "error",
		"RATE_LIMIT":           "false", // tests log in more often than people do
		"DISK_RESERVE_MB":      "0",     // tests must also run where little space is free
		"ACCESS_TOKEN_SECRET":  "access secret of the tests 0123456789 abcdefghij",
		"REFRESH_TOKEN_SECRET": "refresh secret of the tests 0123456789 abcdefghij",
		"MONGODB_URI":          os.Getenv("MONGODB_URI"),
		"MONGODB_DATABASE":     "test_" + bson.NewObjectID().Hex(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// New starts a site: on the MongoDB of MONGODB_URI if that is set, otherwise on the embedded engine. The configuration
// can be changed first.
func New(t testing.TB, change ...func(*config.Config)) *Site {
	t.Helper()
	cfg := Config(t)
	for _, f := range change {
		f(&cfg)
	}
	return Start(t, cfg)
}

// Start is Open with a clock that begins now.
func Start(t testing.TB, cfg config.Config) *Site {
	t.Helper()
	return Open(t, cfg, &Clock{now: time.Now()})
}

// Open starts a site on the data that cfg names, which another site may have left or be using.
func Open(t testing.TB, cfg config.Config, clock *Clock) *Site {
	t.Helper()
	return Logged(t, cfg, clock, slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelError})))
}

// Logged is Open with the test's own log, and with a clock that begins now if none is given.
func Logged(t testing.TB, cfg config.Config, clock *Clock, log *slog.Logger) *Site {
	t.Helper()
	ctx := context.Background()
	if clock == nil {
		clock = &Clock{now: time.Now()}
	}
	data, err := commands.OpenWith(ctx, cfg, log, clock.Now)
	check(t, err)
	app, err := controllers.New(cfg, data.Site, data.Media, log, clock.Now)
	check(t, err)
	app.Sleep = clock.Sleep
	if cfg.MetricsAddr != "" {
		app.Measure(metrics.New())
	}
	engine, err := routes.NewEngine(app, templates.FS, static.FS, Code(t))
	check(t, err)
	check(t, data.DB.Prepare(ctx))
	s := &Site{App: app, Clock: clock, Engine: engine, Handler: routes.Handler(engine), Data: data, t: t}
	t.Cleanup(func() {
		data.Close()
		dropDatabase(t, cfg)
	})
	return s
}

func dropDatabase(t testing.TB, cfg config.Config) {
	if cfg.MongoURI == "" {
		return
	}
	client, err := mongo.Connect(options.Client().ApplyURI(cfg.MongoURI))
	check(t, err)
	check(t, client.Database(cfg.MongoDatabase).Drop(context.Background()))
	check(t, client.Disconnect(context.Background()))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testLog shows what the site logs if the test fails.
type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// Password is the password of every user that User creates.
const Password = "correct horse battery staple"

// User registers a user and returns a client that is logged in.
func (s *Site) User(name string) *Client {
	s.t.Helper()
	c := s.Client()
	c.JSON("POST", "/api/v1/users/register", M{
		"username": name, "email": name + "@example.com", "fullName": "The " + name, "password": Password,
	}).Status(http.StatusCreated)
	return c
}

// SignIn logs in to a user's account from another browser.
func (s *Site) SignIn(name string) *Client {
	s.t.Helper()
	c := s.Client()
	c.JSON("POST", "/api/v1/users/login", M{"identifier": name, "password": Password, "remember": true}).Status(http.StatusOK)
	return c
}

// Client is a browser or another program that keeps its cookies.
func (s *Site) Client() *Client {
	return &Client{site: s, Cookies: map[string]string{}, Header: http.Header{}, until: map[string]time.Time{}}
}

// ID returns the _id in a response.
func (a *Answer) ID() string {
	a.t.Helper()
	id, _ := a.Data()["_id"].(string)
	if id == "" {
		a.t.Fatalf("no _id in %s", a.Body)
	}
	return id
}

// String describes a response in a failure message.
func (a *Answer) String() string { return fmt.Sprintf("%d %s", a.Code, a.Body) }
