package models

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
	"tokentube/utils/media"
)

// uploadTime is longer than a file may wait for the document that will name it:
// an upload is cut off after an hour.
const uploadTime = time.Hour

var errTooManyFiles = errors.New("more files than are looked at together")

// compareFiles compares the files whose names begin with prefix with the
// documents. Where there are more than fit in memory, it divides them: names are
// random.
func (r *repair) compareFiles(ctx context.Context, prefix string) error {
	young := map[string]bool{}
	err := r.Files.Each(ctx, prefix, func(i media.Info) error {
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
	// The files were listed before the documents are read: what a document has
	// named since is no older than that.
	unnamed := young
	for _, e := range r.db.entities {
		if err := r.nameFiles(ctx, e, prefix, unnamed); err != nil {
			return err
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

// nameFiles takes the files that documents name off the list, and tells which
// ones are not on it.
func (r *repair) nameFiles(ctx context.Context, e *entity, prefix string, unnamed map[string]bool) error {
	if len(e.files) == 0 {
		return nil
	}
	named := map[string]bool{} // by documents of this page, so that two may name one file
	return e.walk(ctx, bson.D{}, e.files, func(page []bson.M) error {
		clear(named)
		for _, doc := range page {
			for _, field := range e.files {
				name, _ := doc[field].(string)
				if name == "" || !strings.HasPrefix(name, prefix) {
					continue
				}
				_, listed := unnamed[name]
				delete(unnamed, name)
				if listed || named[name] {
					named[name] = true
					continue
				}
				if err := r.missing(ctx, e, doc["_id"], field, name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// missing tells of a file that is really gone: it may have come, or its document
// may have changed, since the two were listed.
func (r *repair) missing(ctx context.Context, e *entity, id any, field, name string) error {
	there, err := r.Files.Exists(ctx, name)
	if err != nil || there {
		return err
	}
	filter := live(bson.E{Key: "_id", Value: id}, bson.E{Key: field, Value: name})
	_, err = decode[bson.M](e.FindOne(ctx, filter, options.FindOne().SetProjection(keys("_id"))))
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Lost++
	r.Say("%s %v: its %s is lost, there is no file %s", e.name, hex(id), field, name)
	return nil
}

func (r *repair) removeUnnamed(ctx context.Context, unnamed map[string]bool) error {
	for name, young := range unnamed {
		if young {
			continue
		}
		if err := r.Files.Delete(ctx, name); err != nil {
			return err
		}
		r.mended("file %s: removed, no document names it", name)
	}
	return nil
}
