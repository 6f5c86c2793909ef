package models

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The site warns of a query that no index serves, once. Repair reads everything on purpose.
func TestTheSiteWarnsOfScansAndRepairDoesNot(t *testing.T) {
	var log bytes.Buffer
	ctx, file := context.Background(), filepath.Join(t.TempDir(), "test.db")
	open := func() *DB {
		db, err := Open(ctx, Settings{File: file, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
		fatal(t, err)
		NewPosts(db, NewUsers(db))
		return db
	}
	warnings := func() int { return strings.Count(log.String(), "a query read a whole collection") }

	site := open()
	fatal(t, site.Prepare(ctx))
	_, err := site.entity("users").InsertOne(ctx, User{ID: bson.NewObjectID(), Username: "alice"})
	fatal(t, err)
	if n := warnings(); n != 0 {
		t.Errorf("%d warnings at the start: %s", n, log.String())
	}
	for range 2 {
		_, err := site.entity("users").CountDocuments(ctx, bson.D{{Key: "bio", Value: "none"}})
		fatal(t, err)
	}
	if n := warnings(); n != 1 || !strings.Contains(log.String(), "fields=[bio]") {
		t.Errorf("%d warnings of one kind of query: %s", n, log.String())
	}
	fatal(t, site.Close(ctx))

	log.Reset()
	stopped := open()
	_, err = stopped.Repair(ctx, newWorkshop(t).how())
	fatal(t, err)
	if n := warnings(); n != 0 || stopped.Scans() == 0 {
		t.Errorf("%d warnings of the %d scans of a repair: %s", n, stopped.Scans(), log.String())
	}
	fatal(t, stopped.Close(ctx))
}
