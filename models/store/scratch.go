package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"tokentube/utils/localdb"
)

// OpenScratch opens an empty database in a folder, for data that must leave no trace: its file is unlinked as soon as it is
// open, so nobody else can open it, and even a crash removes it. Where an open file can't be unlinked (Windows, network file
// systems), Close removes it.
func OpenScratch(folder string, now func() time.Time, log *slog.Logger) (*DB, error) {
	own, err := os.MkdirTemp(folder, ".scratch-*")
	if err != nil {
		return nil, fmt.Errorf("no scratch database in %s: %w", folder, err)
	}
	warns := new(atomic.Bool)
	db, err := localdb.Open(filepath.Join(own, "scratch.db"), localdb.WithClock(now), localdb.OnScan(scanLog(log, warns)), localdb.Fleeting())
	_ = os.RemoveAll(own)
	if err != nil {
		return nil, err
	}
	return newDB(scratch{embedded{db, warns}, own}, Settings{Now: now, Log: log}), nil
}

// scratch is the embedded engine on an unlinked file.
type scratch struct {
	embedded
	folder string
}

func (s scratch) close(ctx context.Context) error {
	err := s.embedded.close(ctx)
	_ = os.RemoveAll(s.folder)
	return err
}
