package models

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// world is an open database with its models, a clock that the test sets and a
// list of the files that were deleted.
type world struct {
	*DB
	users    *Users
	sessions *Sessions
	events   *Events
	posts    *Posts
	likes    *Likes
	views    *Views

	at      time.Time
	mu      sync.Mutex
	deleted []string
}

// place is where a world's data is, for opening it again.
type place struct{ uri, database, file string }

// newPlace is on the MongoDB of MONGODB_URI where that is set, and otherwise a
// file of the embedded engine.
func newPlace(t testing.TB) place {
	p := place{uri: os.Getenv("MONGODB_URI"), database: "test_" + bson.NewObjectID().Hex(), file: filepath.Join(t.TempDir(), "test.db")}
	if p.uri != "" {
		t.Cleanup(func() {
			client, err := mongo.Connect(options.Client().ApplyURI(p.uri))
			fatal(t, err)
			fatal(t, client.Database(p.database).Drop(context.Background()))
			fatal(t, client.Disconnect(context.Background()))
		})
	}
	return p
}

// open opens the place; wrap may put something between the models and the engine.
func (p place) open(t testing.TB, wrap func(engine) engine) *world {
	t.Helper()
	ctx, w := context.Background(), &world{at: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	e, err := openEngine(ctx, Settings{MongoURI: p.uri, MongoDatabase: p.database, File: p.file, Now: w.now})
	fatal(t, err)
	if local, is := e.(embedded); is {
		if _, isTest := t.(*testing.T); isTest {
			e = watchedEngine{local, new(atomic.Bool)}
		}
	}
	if wrap != nil {
		e = wrap(e)
	}
	w.DB = newDB(e, Settings{Now: w.now, DeleteFiles: w.deleteFiles, Log: slog.New(slog.DiscardHandler)})
	w.lateness = 100 * time.Millisecond // the engines of the tests make a write at once or never
	w.users, w.events = NewUsers(w.DB), NewEvents(w.DB)
	w.sessions = NewSessions(w.DB, SessionPolicy{RefreshTTL: 10 * 24 * time.Hour, Grace: 30 * time.Second, MaxAge: 90 * 24 * time.Hour})
	w.posts = NewPosts(w.DB, w.users)
	w.likes, w.views = NewLikes(w.DB, w.posts), NewViews(w.DB, w.posts, "key")
	fatal(t, w.Prepare(ctx))
	return w
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := newPlace(t).open(t, nil)
	t.Cleanup(func() { fatal(t, w.Close(context.Background())) })
	return w
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

func (w *world) deleteFiles(_ context.Context, names ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deleted = append(w.deleted, names...)
	return nil
}

// user makes a user.
func (w *world) user(t testing.TB, name string) *User {
	t.Helper()
	u := &User{Username: name, Email: name + "@example.com", FullName: name, Avatar: "avatar of " + name, PasswordHash: "hash"}
	fatal(t, w.users.Create(context.Background(), u))
	return u
}

// post makes a text post.
func (w *world) post(t testing.TB, owner *User, v Visibility) *Post {
	t.Helper()
	p := &Post{Owner: owner.ID, Kind: Text, Description: "hello", Visibility: v, Media: "file of " + owner.Username}
	fatal(t, w.posts.Create(context.Background(), p))
	return p
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails the test if err is not an error of this code about this field.
func wantCode(t testing.TB, err error, code apperr.Code, field string) {
	t.Helper()
	e := apperr.From(err)
	if err == nil || e.Code != code {
		t.Fatalf("%v is not %s", err, code)
	}
	for _, f := range e.Fields {
		if f.Name == field {
			return
		}
	}
	if field != "" {
		t.Fatalf("%v names no fault of %s", e.Fields, field)
	}
}
