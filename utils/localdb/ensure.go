package localdb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// EnsureIndexes builds the missing indexes for the existing documents, all or none. If there is nothing to do it is
// cheap, so every start may call it. A name that exists with other keys or options is an error; an index that is no
// longer requested is kept.
func (c *Collection) EnsureIndexes(ctx context.Context, models []mongo.IndexModel) error {
	if err := c.db.outside(ctx, "EnsureIndexes"); err != nil {
		return err
	}
	asked := make([]*index, len(models))
	for i, model := range models {
		x, err := c.newIndex(model)
		if err != nil {
			return err
		}
		asked[i] = x
	}
	return writeError(c.db.write(ctx, func(w *writeTx) error {
		for _, x := range asked {
			if err := c.ensure(w, x); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (c *Collection) ensure(w *writeTx, x *index) error {
	known := c.indexesIn(w.tx)
	if i := slices.IndexFunc(known, func(k *index) bool { return k.Name == x.Name }); i >= 0 {
		if !known[i].equal(x) {
			return fmt.Errorf("localdb: index %s of %s exists with other keys or options", x.Name, c.name)
		}
		return nil
	}
	if err := x.build(w, c.docs); err != nil {
		return fmt.Errorf("localdb: building index %s: %w", x.Name, err)
	}
	known = append(known, x)
	c.indexes.Store(&known)
	return nil
}

func (c *Collection) indexesIn(tx *bbolt.Tx) []*index {
	meta := tx.Bucket(metaBucket)
	return slices.DeleteFunc(slices.Clone(*c.indexes.Load()), func(x *index) bool { return !x.in(meta) })
}

func (c *Collection) newIndex(model mongo.IndexModel) (*index, error) {
	s, err := resolve([]options.Lister[options.IndexOptions]{model.Options})
	if err != nil {
		return nil, err
	}
	keys, err := columns("index keys", model.Keys)
	if err != nil {
		return nil, err
	}
	x := &index{Columns: keys, Name: cmp.Or(s.Name, defaultName(keys)), Unique: s.Unique, TTL: s.ExpireAfterSeconds}
	if len(keys) == 0 || len(keys) > 32 {
		return nil, fmt.Errorf("localdb: an index has a name and 1 to 32 keys, %q has %d", x.Name, len(keys))
	}
	if x.TTL != nil && (len(keys) != 1 || *x.TTL < 0) {
		return nil, fmt.Errorf("localdb: index %s: ExpireAfterSeconds takes one key and no negative time", x.Name)
	}
	return x.locate(c.name), nil
}

// defaultName is MongoDB's default name: username_1, owner_1_publishedAt_-1.
func defaultName(keys []column) string {
	parts := make([]string, len(keys))
	for i, col := range keys {
		parts[i] = col.Path + "_1"
		if col.Desc {
			parts[i] = col.Path + "_-1"
		}
	}
	return strings.Join(parts, "_")
}

// build writes the index's description, and its entries for the existing documents.
func (x *index) build(w *writeTx, collection []byte) error {
	w.wrote = true
	spec, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if err := w.tx.Bucket(metaBucket).Put(x.bucket, spec); err != nil {
		return err
	}
	docs := w.tx.Bucket(collection)
	if _, err := w.tx.CreateBucketIfNotExists(x.bucket); err != nil || docs == nil {
		return err
	}
	return docs.ForEach(func(id, raw []byte) error {
		ic, err := x.change(w.tx, id, missing, document(raw))
		if err != nil {
			return err
		}
		return ic.write(w.tx)
	})
}

// IndexNames lists the existing indexes in order of creation.
func (c *Collection) IndexNames(ctx context.Context) (names []string, err error) {
	err = c.db.view(ctx, func(tx *bbolt.Tx) error {
		for _, x := range c.indexesIn(tx) {
			names = append(names, x.Name)
		}
		return nil
	})
	return names, err
}
