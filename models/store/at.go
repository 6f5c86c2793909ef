package store

import (
	"context"
	"time"
)

// At is the open database at another time: what is done with it happens when the clock says. Register the kinds again; the
// indexes are there. Close waits for its work in the background, and leaves the database open. Copies that documents of the
// other one keep are up to CachedFor old, as in another process.
func (db *DB) At(clock func() time.Time) *DB {
	return newDB(lent{db.engine}, Settings{Files: db.files, Now: clock, Log: db.log})
}

// lent is an engine that somebody else closes.
type lent struct{ engine }

func (lent) close(context.Context) error { return nil }
