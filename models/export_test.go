package models

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// TestExport exports what belongs to a user, and nothing else.
func TestExport(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	hers, his := w.video(t, alice, 1), w.post(t, bob, Public)
	w.post(t, alice, Draft)
	for _, of := range []struct {
		user *User
		post *Post
	}{{alice, his}, {bob, hers}} {
		w.session(t, of.user)
		w.factor(t, of.user)
		w.passkey(t, of.user, "passkey of "+of.user.Username)
		fatal(t, w.Likes.Add(ctx, of.user.ID, of.post.ID))
		fatal(t, w.History.Add(ctx, of.user.ID, of.post.ID))
		fatal(t, w.Subscriptions.Add(ctx, of.user.ID, of.post.Owner))
		fatal(t, w.Playlists.AddLater(ctx, of.user.ID, of.post.ID))
		c := w.comment(t, of.user, of.post, nil)
		fatal(t, w.CommentLikes.Add(ctx, alice.ID, c.ID))
		fatal(t, w.Events.Add(ctx, EventLogin, &Session{User: of.user.ID, ID: bson.NewObjectID()}, Device{"curl", "192.0.2.1"}))
	}
	w.DB.WaitRemovals()

	counts, text := map[string]int{}, ""
	fatal(t, w.DB.Export(ctx, alice.ID, func(e store.Exported) error {
		counts[e.Kind]++
		text += e.Kind + fmt.Sprint(e.Document) + "\n"
		return nil
	}))
	want := map[string]int{
		"users": 1, "sessions": 1, "posts": 2, "likes": 1, "history": 1, "subscriptions": 1, "comments": 1, "commentLikes": 2, "events": 1, "dailies": 1, "playlists": 1, "playlistItems": 1, "notifications": 3, "passkeys": 1,
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("there are %v, want %v", counts, want)
	}
	for _, missing := range []string{"alice@example.com", hers.Media, his.ID.Hex()} {
		if !strings.Contains(text, missing) {
			t.Errorf("%s is not in it:\n%s", missing, text)
		}
	}
	for _, secret := range []string{"bob@example.com", "passwordHash", "secret", "hash", "jti", "current", "recent", "publicKey", "credential", "signCount", "passkey of bob", his.Description + bob.FullName} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in it:\n%s", secret, text)
		}
	}
	var files []string
	fatal(t, w.DB.ExportFiles(ctx, alice.ID, func(name string) error { files = append(files, name); return nil }))
	if fmt.Sprint(files) != fmt.Sprint([]string{"avatar of alice", "file of alice", "file of alice"}) {
		t.Errorf("the files are %q", files)
	}
}

// TestExportInPages exports more than is read at a time.
func TestExportInPages(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	for i := range 230 {
		p := w.post(t, bob, Public)
		fatal(t, w.History.Add(ctx, alice.ID, p.ID))
		if i%100 != 0 { // some have the same time
			w.advance(1)
		}
	}
	seen := map[any]bool{}
	fatal(t, w.DB.Export(ctx, alice.ID, func(e store.Exported) error {
		if e.Kind == "history" {
			seen[e.Document[0].Value] = true
		}
		return nil
	}))
	if len(seen) != 230 {
		t.Errorf("%d of 230 are there", len(seen))
	}
}

// A kind that somebody adds without considering who owns it.
func TestNoKindIsForgotten(t *testing.T) {
	type note struct {
		ID    bson.ObjectID   `bson:"_id"`
		User  bson.ObjectID   `bson:"user"`
		About []bson.ObjectID `bson:"about"`
		Words string          `bson:"words"`
	}
	type nested struct {
		ID    bson.ObjectID `bson:"_id"`
		Notes []note        `bson:"notes"`
	}
	users := []store.Parent{{Kind: "users", Field: "user"}}
	mine := store.Export{By: "user", Fields: []string{"words"}}
	about := map[string]string{"about": "only for the test"}
	for _, test := range []struct {
		name     string
		register func(*store.DB)
		refused  string // empty: it is registered
	}{
		{"complete", func(db *store.DB) {
			store.Register[note](db, store.Kind{Name: "notes", Parents: users, Export: mine, Loose: about})
		}, ""},
		{"kept, with a reason", func(db *store.DB) {
			store.Register[note](db, store.Kind{Name: "notes", Parents: users, Export: store.Export{Not: "they are the site's"}, Loose: about})
		}, ""},
		{"a relation", func(db *store.DB) {
			store.NewRelation(db, "notes", store.Parent{Kind: "users"}, store.Parent{Kind: "posts"})
		}, ""},
		{"not exported", func(db *store.DB) {
			store.Register[note](db, store.Kind{Name: "notes", Parents: users, Loose: about})
		}, "Export says"},
		{"exported and not", func(db *store.DB) {
			store.Register[note](db, store.Kind{Name: "notes", Parents: users, Export: store.Export{By: "user", Not: "no"}, Loose: about})
		}, "Export says"},
		{"of a post, not exported", func(db *store.DB) {
			store.Register[note](db, store.Kind{Name: "notes", Parents: []store.Parent{{Kind: "posts", Field: "user"}}, Loose: about})
		}, "Export says"},
		{"of nobody, with somebody's id", func(db *store.DB) {
			store.Register[note](db, store.Kind{Name: "notes", Loose: about})
		}, "the ids in user of notes"},
		{"with ids in a list", func(db *store.DB) {
			store.Register[note](db, store.Kind{Name: "notes", Parents: users, Export: mine})
		}, "the ids in about of notes"},
		{"with ids within", func(db *store.DB) {
			store.Register[nested](db, store.Kind{Name: "notes"})
		}, "the ids in notes of notes"},
	} {
		func() {
			w := newPlace(t).register(t)
			defer func() { fatal(t, w.DB.Close(context.Background())) }()
			defer func() {
				refused := fmt.Sprint(recover())
				if test.refused == "" && refused != "<nil>" || !strings.Contains(refused, test.refused) {
					t.Errorf("%s: %s", test.name, refused)
				}
			}()
			test.register(w.DB)
		}()
	}
}
