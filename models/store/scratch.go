package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/utils/localdb"
)

// Scratch opens a database for data that is only needed for minutes. It exists beside this one and is closed before it:
// register its kinds of documents, and call Prepare. On a MongoDB, it is in the same database, in collections whose
// names start with name and "_", and all processes share it. The embedded engine uses a file of its own, which is empty
// at first and unlinked as soon as it is open, so that nobody else can open it, and even a crash removes it. Where an
// open file can't be unlinked (Windows, network file systems), Close removes it.
func (db *DB) Scratch(name string) (*DB, error) {
	e, err := db.engine.scratch(name, db.clock, db.log)
	if err != nil {
		return nil, err
	}
	other := newDB(e, Settings{Now: db.clock, Log: db.log})
	other.observer.Store(db.observer.Load())
	return other, nil
}

func (e embedded) scratch(name string, now func() time.Time, log *slog.Logger) (engine, error) {
	folder, err := os.MkdirTemp(e.db.Folder(), "."+name+"-*")
	if err != nil {
		return nil, fmt.Errorf("no scratch database: %w", err)
	}
	warns := new(atomic.Bool)
	db, err := localdb.Open(filepath.Join(folder, "scratch.db"), localdb.WithClock(now), localdb.OnScan(scanLog(log, warns)), localdb.Fleeting())
	_ = os.RemoveAll(folder)
	if err != nil {
		return nil, err
	}
	return unlinked{embedded{db, warns}, folder}, nil
}

// unlinked is the embedded engine on an unlinked file.
type unlinked struct {
	embedded
	folder string
}

func (u unlinked) close(ctx context.Context) error {
	err := u.embedded.close(ctx)
	_ = os.RemoveAll(u.folder)
	return err
}

func (s *server) scratch(name string, _ func() time.Time, _ *slog.Logger) (engine, error) {
	return annex{lent{s}, name + "_"}, nil
}

// annex is a set of collections beside those of a MongoDB.
type annex struct {
	lent
	prefix string
}

func (a annex) collection(name string) collection { return a.lent.collection(a.prefix + name) }

func (a annex) ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error {
	return a.lent.ensureIndexes(ctx, a.prefix+name, indexes)
}

func (a annex) indexNames(ctx context.Context, name string) ([]string, error) {
	return a.lent.indexNames(ctx, a.prefix+name)
}
