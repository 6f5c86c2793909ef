package store

import (
	"context"

	"tokentube/utils/apperr"
)

// Snapshot writes a checked copy of the database file, as of one moment, into a folder. The caller removes it.
func (db *DB) Snapshot(ctx context.Context, dir string) (path string, err error) {
	e, ok := db.engine.(embedded)
	if !ok {
		return "", apperr.New(apperr.Conflict, "This site's data is in MongoDB. Back it up with mongodump.")
	}
	return e.db.Snapshot(ctx, dir)
}
