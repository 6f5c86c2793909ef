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

// uploadTime is longer than a file may wait for the document that will name it: an upload is cut off after an hour.
const uploadTime = time.Hour

var errTooManyFiles = errors.New("more files than are compared together")

// sweepDaily removes files that no document names, now and once a day: uploads whose process was killed before their
// document was written.
func (db *DB) sweepDaily() {
	db.loops.Go(func() {
		for wait(db.working, 0) == nil {
			db.sweep(db.working)
			_ = wait(db.working, 24*time.Hour)
		}
	})
}

func (db *DB) sweep(ctx context.Context) {
	r := &repair{Repair: Repair{Say: func(string, ...any) {}}, db: db, filesAtOnce: filesAtOnce}
	if err := r.compareFiles(ctx, ""); err != nil && ctx.Err() == nil {
		db.log.Warn("looking for files that no document names", "error", err)
	}
	if r.Mended > 0 {
		db.log.Info("removed files that no document named", "files", r.Mended)
	}
}

// compareFiles compares the files whose names begin with prefix with the documents. Where there are more than fit in
// memory, it divides them: names are random.
func (r *repair) compareFiles(ctx context.Context, prefix string) error {
	young := map[string]bool{}
	err := r.db.files.Each(ctx, prefix, func(i media.Info) error {
		if len(young) == r.filesAtOnce {
			return errTooManyFiles
		}
		young[i.Name] = time.Since(i.Changed) < uploadTime
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
	// The files were listed before the documents are read: what a document has named since is no older than that.
	unnamed := young
	for _, k := range r.db.kinds {
		if err := r.nameFiles(ctx, k, prefix, unnamed); err != nil {
			return translate(err)
		}
	}
	return r.removeUnnamed(ctx, unnamed)
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

// nameFiles takes the files that documents name off the list, and reports those that are not on it.
func (r *repair) nameFiles(ctx context.Context, k *kind, prefix string, unnamed map[string]bool) error {
	if len(k.Files) == 0 {
		return nil
	}
	return k.walk(ctx, bson.D{}, k.Files, func(page []bson.Raw) error {
		named := map[string]bool{} // by documents of this page, so that two may name one file
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

// missing reports a file that is really gone: it may have come, or its document may have changed, since the two were
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

func (r *repair) removeUnnamed(ctx context.Context, unnamed map[string]bool) error {
	for name, young := range unnamed {
		if young {
			continue
		}
		if err := r.db.files.Delete(ctx, name); err != nil {
			return err
		}
		r.mended("file %s: removed, no document names it", name)
	}
	return nil
}
