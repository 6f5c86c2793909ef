package store

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A scratch database works like any other, and its folder is as empty while it is open as afterwards.
func TestScratchLeavesNothingBehind(t *testing.T) {
	type note struct {
		ID   bson.ObjectID `bson:"_id"`
		Text string        `bson:"text"`
	}
	folder, ctx := t.TempDir(), context.Background()
	empty := func() {
		t.Helper()
		if found, err := os.ReadDir(folder); err != nil || len(found) > 0 {
			t.Errorf("in the folder: %v (%v)", found, err)
		}
	}
	open := func() (*DB, *Documents[note]) {
		t.Helper()
		db, err := OpenScratch(folder, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		notes := Register[note](db, Kind{Name: "notes", Files: []string{"text"}})
		Register[note](db, Kind{Name: "replies", Parents: []Parent{{Kind: "notes", Field: "to"}}, Indexes: []mongo.IndexModel{Index("to")}})
		if err := db.Prepare(ctx); err != nil {
			t.Fatal(err)
		}
		return db, notes
	}
	one, notes := open()
	other, others := open()
	kept := &note{bson.NewObjectID(), "kept"}
	if err := notes.Insert(ctx, kept); err != nil {
		t.Fatal(err)
	}
	empty()
	if found, err := notes.ByID(ctx, kept.ID); err != nil || found.Text != "kept" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := others.ByID(ctx, kept.ID); err == nil {
		t.Error("two scratch databases are one")
	}
	if err := notes.Remove(ctx, kept.ID, nil); err != nil { // as if it had files, which it doesn't
		t.Error(err)
	}
	one.WaitRemovals()
	if _, err := notes.ByID(ctx, kept.ID); err == nil {
		t.Error("it was not removed")
	}
	if err := one.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := other.Close(ctx); err != nil {
		t.Error(err)
	}
	empty()
	if _, err := OpenScratch(folder+"/missing", time.Now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened in a folder that is not there")
	}
}
