package models

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/localdb"
	"tokentube/utils/media"
)

// worldQuota is the quota of each user's files in tests.
const worldQuota = 10 << 20

// world is an open database with its models, a clock that the test sets, and a list of the deleted files.
type world struct {
	*Site
	place

	mu        sync.Mutex
	at        time.Time
	deleted   []string
	repairing bool // from now on, queries may read everything
}

// place is where a world's data is stored, so that it can be opened again.
type place struct{ uri, database, file string }

// newPlace is on the MongoDB of MONGODB_URI if that is set, and otherwise a file of the embedded engine.
func newPlace(t testing.TB) place {
	p := place{uri: os.Getenv("MONGODB_URI"), database: "test_" + bson.NewObjectID().Hex(), file: filepath.Join(t.TempDir(), "test.db")}
	if p.uri != "" {
		t.Cleanup(func() { p.onServer(t, func(db *mongo.Database) { fatal(t, db.Drop(context.Background())) }) })
	}
	return p
}

func (p place) onServer(t testing.TB, do func(*mongo.Database)) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(p.uri))
	fatal(t, err)
	do(client.Database(p.database))
	fatal(t, client.Disconnect(context.Background()))
}

func (p place) open(t testing.TB) *world {
	t.Helper()
	w := p.register(t)
	fatal(t, w.DB.Prepare(context.Background()))
	return w
}

// register opens the database so that more kinds can be registered: it is not prepared yet.
func (p place) register(t testing.TB) *world {
	t.Helper()
	ctx, w := context.Background(), &world{place: p, at: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	db, err := store.Open(ctx, store.Settings{MongoURI: p.uri, MongoDatabase: p.database, File: p.file, Files: w, Now: w.now, Log: slog.New(scanCatcher{slog.DiscardHandler, w})})
	fatal(t, err)
	w.Site = New(db, Settings{Sessions: SessionPolicy{RefreshTTL: 10 * 24 * time.Hour, Grace: 30 * time.Second, MaxAge: 90 * 24 * time.Hour}, Quota: worldQuota, Key: "key"})
	return w
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := newPlace(t).open(t)
	t.Cleanup(func() { fatal(t, w.DB.Close(context.Background())) })
	return w
}

// scanCatcher is a log that tells TestMain about queries without an index.
type scanCatcher struct {
	slog.Handler
	w *world
}

func (c scanCatcher) Enabled(context.Context, slog.Level) bool { return true }
func (c scanCatcher) Handle(_ context.Context, r slog.Record) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if strings.Contains(r.Message, "read a whole collection") && !c.w.repairing {
		text := ""
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		watch.scans(text)
	}
	return nil
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// The world is also the storage of its files.

func (w *world) Delete(_ context.Context, names ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deleted = append(w.deleted, names...)
	return nil
}

func (w *world) Each(context.Context, string, func(media.Info) error) error { return nil }
func (w *world) Local() bool                                                { return true }
func (w *world) RemoveDrafts(context.Context, time.Time) (removed, young int, err error) {
	return 0, 0, nil
}
func (w *world) Exists(context.Context, string) (bool, error) { return true, nil }

func (w *world) lost(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.deleted, name)
}

// user makes a user.
func (w *world) user(t testing.TB, name string) *User {
	t.Helper()
	u := &User{Username: name, Email: name + "@example.com", FullName: name, Avatar: "avatar of " + name, PasswordHash: "hash"}
	fatal(t, w.Users.Create(watched(), u))
	return u
}

// post makes a text post.
func (w *world) post(t testing.TB, owner *User, v Visibility) *Post {
	t.Helper()
	p := &Post{Owner: owner.ID, Kind: Text, Description: "hello", Visibility: v, Media: "file of " + owner.Username}
	fatal(t, w.Posts.Create(watched(), p))
	return p
}

// session starts a session.
func (w *world) session(t testing.TB, u *User) *Session {
	t.Helper()
	s, _, err := w.Sessions.Create(watched(), u.ID, true, Device{"curl", "192.0.2.1"})
	fatal(t, err)
	return s
}

// disable disables an account.
func (w *world) disable(t testing.TB, u *User) {
	t.Helper()
	fatal(t, w.Moderation.Disable(watched(), Moderator{}, u.ID))
	w.DB.WaitRemovals()
}

// documents are all stored documents, by collection.
func (w *world) documents(t testing.TB) map[string][]bson.Raw {
	t.Helper()
	ctx, all := context.Background(), map[string][]bson.Raw{}
	if w.uri != "" {
		w.onServer(t, func(db *mongo.Database) {
			names, err := db.ListCollectionNames(ctx, bson.D{})
			fatal(t, err)
			for _, name := range names {
				cursor, err := db.Collection(name).Find(ctx, bson.D{})
				fatal(t, err)
				for cursor.Next(ctx) {
					all[name] = append(all[name], slices.Clone(cursor.Current))
				}
				fatal(t, cursor.Close(ctx))
			}
		})
		return all
	}
	path, err := w.DB.Snapshot(ctx, t.TempDir())
	fatal(t, err)
	file, err := localdb.OpenStill(path)
	fatal(t, err)
	names, err := file.Names(ctx)
	fatal(t, err)
	for _, name := range names {
		fatal(t, file.Collection(name).Each(ctx, bson.D{}, func(raw bson.Raw) error {
			all[name] = append(all[name], slices.Clone(raw))
			return nil
		}))
	}
	fatal(t, file.Close())
	return all
}

// checkWhole fails the test if a repair would find anything: a wrong count, or a document whose parent is gone. It is
// the last thing that a test does with its world.
func (w *world) checkWhole(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	w.repairing = true
	w.mu.Unlock()
	done, err := w.DB.Repair(context.Background(), store.Repair{Say: func(format string, args ...any) { t.Errorf(format, args...) }})
	if err != nil || done != (store.Repaired{}) {
		t.Errorf("a repair finds %+v, %v", done, err)
	}
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails the test if err isn't an error with this code about this field.
func wantCode(t testing.TB, err error, code apperr.Code, field string) {
	t.Helper()
	e := apperr.From(err)
	if err == nil || e.Code != code {
		t.Fatalf("%v is not %s", err, code)
	}
	if field != "" && !slices.ContainsFunc(e.Fields, func(f apperr.Field) bool { return f.Name == field }) {
		t.Fatalf("%v names no fault of %s", e.Fields, field)
	}
}

// factor sets up an authenticator app for a user.
func (w *world) factor(t testing.TB, u *User) (a *Authenticator, codes []string) {
	t.Helper()
	ctx := watched()
	a, err := w.Factors.BeginAuthenticator(ctx, u.ID)
	fatal(t, err)
	codes, err = w.Factors.ConfirmAuthenticator(ctx, u.ID, a.codeAt(t, w.now()))
	fatal(t, err)
	return a, codes
}

// codeAt is what the app shows at that time.
func (a *Authenticator) codeAt(t testing.TB, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(a.Secret, at)
	fatal(t, err)
	return code
}
