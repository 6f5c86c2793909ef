package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/utils/media"
)

// uploadTime is longer than a file may wait for the document that will name it: a video waits for the rest of its
// request, mainly a picture (middlewares.Progress, MAX_IMAGE_MB).
const uploadTime = 4 * time.Hour

var errTooManyFiles = errors.New("more files than are compared together")

// removeLeftovers removes what a killed process was writing, before this process starts writing: if no other process is
// running, all partial files are dead.
func (db *DB) removeLeftovers(ctx context.Context) {
	if !db.engine.alone() {
		return
	}
	db.engine.removeLeftovers()
	if _, _, err := db.files.RemoveDrafts(ctx, time.Now().Add(uploadTime)); err != nil { // regardless of the clock of the file storage
		db.log.Warn("removing half-written files", "error", err)
	}
}

// sweepDaily removes files that no document names, now and once a day: uploads whose process was killed before their
// document was written. If no other process is running, that applies to all files from before this process.
func (db *DB) sweepDaily() {
	db.loops.Go(func() {
		before := db.settledAtStart()
		for wait(db.working, 0) == nil {
			db.sweep(db.working, before)
			_ = wait(db.working, 24*time.Hour)
			before = settled(time.Now())
		}
	})
}

// settledAtStart is settled when the database is opened.
func (db *DB) settledAtStart() time.Time {
	if db.engine.alone() && db.files.Local() {
		return db.opened
	}
	return settled(time.Now())
}

// settled is the time such that no request can still be about to name a file written before it.
func settled(now time.Time) time.Time { return now.Add(-uploadTime) }

func (db *DB) sweep(ctx context.Context, before time.Time) {
	r := &repair{Repair: Repair{Say: func(string, ...any) {}}, db: db, before: before, filesAtOnce: filesAtOnce}
	if err := errors.Join(r.compareFiles(ctx, ""), r.removeDrafts(ctx)); err != nil && ctx.Err() == nil {
		db.log.Warn("looking for files that no document names", "error", err)
	}
	if r.Mended > 0 {
		db.log.Info("removed files that no document named", "files", r.Mended)
	}
}

// compareFiles compares the files whose names start with prefix to the documents. If there are more than fit in memory,
// it splits them by prefix: names are random.
func (r *repair) compareFiles(ctx context.Context, prefix string) error {
	listed := map[string]fileAge{}
	err := r.db.files.Each(ctx, prefix, func(i media.Info) error {
		if len(listed) == r.filesAtOnce {
			return errTooManyFiles
		}
		listed[i.Name] = r.age(i.Changed)
		return nil
	})
	if errors.Is(err, errTooManyFiles) {
		for _, longer := range divide(prefix) {
			if err := r.compareFiles(ctx, longer); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	// The files are listed before the documents are read, so a document that has named one since then is seen.
	unnamed := listed
	for _, k := range r.db.kinds {
		if err := r.nameFiles(ctx, k, prefix, unnamed); err != nil {
			return translate(err)
		}
	}
	return r.removeUnnamed(ctx, unnamed)
}

// fileAge says what to do with a file that no document names.
type fileAge int

const (
	old     fileAge = iota // it is removed
	cutOff                 // it is removed as at the next start: uploads interrupted when the site stopped aren't a fault to report
	waiting                // it stays: a document may be about to name it
)

func (r *repair) age(changed time.Time) fileAge {
	switch {
	case !changed.Before(r.before):
		return waiting
	case !changed.Before(settled(time.Now())):
		return cutOff
	}
	return old
}

func divide(prefix string) (longer []string) {
	if prefix == "" {
		return media.Folders()
	}
	for _, digit := range "0123456789abcdef" {
		longer = append(longer, prefix+string(digit))
	}
	return longer
}

// nameFiles removes the files that documents name from the list, and reports named files that aren't on it.
func (r *repair) nameFiles(ctx context.Context, k *kind, prefix string, unnamed map[string]fileAge) error {
	if len(k.Files) == 0 {
		return nil
	}
	return k.walk(ctx, bson.D{}, k.Files, func(page []bson.Raw) error {
		named := map[string]bool{} // by documents of this page, since two may name the same file
		for _, doc := range page {
			for _, field := range k.Files {
				name, _ := doc.Lookup(field).StringValueOK()
				if name == "" || !strings.HasPrefix(name, prefix) {
					continue
				}
				_, listed := unnamed[name]
				delete(unnamed, name)
				if listed || named[name] {
					named[name] = true
					continue
				}
				if err := r.missing(ctx, k, doc.Lookup("_id"), field, name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// missing reports a file that is really gone: the file may have arrived, or its document changed, since the two were
// listed.
func (r *repair) missing(ctx context.Context, k *kind, id bson.RawValue, field, name string) error {
	there, err := r.db.files.Exists(ctx, name)
	if err != nil || there {
		return err
	}
	err = k.one(ctx, k.live(Where("_id", id, field, name)), func(bson.Raw) error { return nil })
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Lost++
	r.Say("%s %s: its %s is lost, there is no file %s", k.Name, showValue(id), field, name)
	return nil
}

func (r *repair) removeUnnamed(ctx context.Context, unnamed map[string]fileAge) error {
	for name, age := range unnamed {
		if age == waiting {
			r.Young++
			continue
		}
		if err := r.db.files.Delete(ctx, name); err != nil {
			return err
		}
		if age == old {
			r.mended("file %s: removed, no document names it", name)
		}
	}
	return nil
}

// removeDrafts removes partial files.
func (r *repair) removeDrafts(ctx context.Context) error {
	removed, young, err := r.db.files.RemoveDrafts(ctx, r.before)
	r.Young += young
	if removed > 0 && !r.db.engine.alone() { // otherwise the next start removes them
		r.Mended += removed - 1
		r.mended("half-written files: removed %d, of uploads that were cut off", removed)
	}
	return err
}
