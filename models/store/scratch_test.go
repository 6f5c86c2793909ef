package store

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/utils/apperr"
)

// notebook is a scratch database.
type notebook struct {
	*DB
	notes, replies *Documents[scribble]
}

type scribble struct {
	ID   bson.ObjectID `bson:"_id"`
	To   bson.ObjectID `bson:"to"`
	Text string        `bson:"text"`
}

func openScratch(t *testing.T, db *DB) notebook {
	t.Helper()
	s, err := db.Scratch("beside")
	fatal(t, err)
	s.grace = 0
	n := notebook{
		s, Register[scribble](s, Kind{Name: "books", Files: []string{"text"}, Cached: true, Loose: map[string]string{"to": "unused"}}),
		Register[scribble](s, Kind{Name: "replies", Parents: []Parent{{Kind: "books", Field: "to"}}, Indexes: []mongo.IndexModel{Index("to")}}),
	}
	fatal(t, s.Prepare(t.Context()))
	return n
}

// A scratch database works like any other. On a MongoDB, all processes see the same; otherwise, each has its own.
// Either way, nothing of it is among the site's documents.
func TestScratch(t *testing.T) {
	w := newLibrary(t)
	var calls atomic.Int64
	w.Observe(func(string, string, string, time.Duration) { calls.Add(1) })
	one, other := openScratch(t, w.DB), openScratch(t, w.DB)
	ctx, kept := t.Context(), &scribble{ID: bson.NewObjectID(), Text: "kept"}
	fatal(t, one.notes.Insert(ctx, kept))
	reply := &scribble{ID: bson.NewObjectID(), To: kept.ID}
	fatal(t, one.replies.Insert(ctx, reply))
	if calls.Load() == 0 {
		t.Error("its calls are not measured")
	}
	if found, err := one.notes.ByID(ctx, kept.ID); err != nil || found.Text != "kept" {
		t.Errorf("%+v, %v", found, err)
	}
	found, err := other.notes.ByID(ctx, kept.ID)
	if seen := err == nil && found.Text == "kept"; seen != w.Shared() {
		t.Errorf("the other process sees it: %v (%v)", seen, err)
	}
	if missing, _, err := one.MissingIndexes(ctx); err != nil || len(missing) > 0 {
		t.Errorf("indexes are missing: %v, %v", missing, err)
	}
	if n, err := w.books.Count(ctx, nil, 0); n != 0 || err != nil {
		t.Errorf("%d of the site's documents are its own (%v)", n, err)
	}
	fatal(t, one.notes.Remove(ctx, kept.ID, nil))
	one.WaitRemovals()
	for _, n := range []notebook{one, other} {
		for _, check := range []struct {
			of *Documents[scribble]
			id bson.ObjectID
		}{{n.notes, kept.ID}, {n.replies, reply.ID}} {
			if _, err := check.of.ByID(ctx, check.id); !apperr.Is(err, apperr.NotFound) {
				t.Errorf("it was not removed: %v", err)
			}
		}
	}
	fatal(t, one.Close(ctx))
	fatal(t, other.Close(ctx))
	fatal(t, w.Ping(ctx)) // the site's own connection is still open
}

// The embedded engine's folder contains nothing of it, while it is open or afterwards.
func TestScratchHasNoFile(t *testing.T) {
	p := newPlace(t)
	if p.uri != "" {
		t.Skip("it has no file")
	}
	w := p.open(t, nil)
	defer func() { fatal(t, w.Close(context.Background())) }()
	folder := filepath.Dir(p.file)
	before, err := os.ReadDir(folder)
	fatal(t, err)
	unchanged := func() {
		t.Helper()
		if after, err := os.ReadDir(folder); err != nil || len(after) != len(before) {
			t.Errorf("in the folder: %v (%v)", after, err)
		}
	}
	s := openScratch(t, w.DB)
	fatal(t, s.notes.Insert(context.Background(), &scribble{ID: bson.NewObjectID(), Text: "kept"}))
	unchanged()
	fatal(t, s.Close(context.Background()))
	unchanged()
	moved := filepath.Join(t.TempDir(), "moved")
	fatal(t, os.Rename(folder, moved))
	defer func() { fatal(t, os.Rename(moved, folder)) }()
	if _, err := w.Scratch("beside"); err == nil {
		t.Error("opened in a folder that is not there")
	}
}
