package localdb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// EnsureIndexes builds the indexes that do not exist yet, over the documents that are there, all or none. It is cheap
// when there is nothing to do, so every start may call it. A name that exists with other keys or options is an error;
// an index that is no longer asked for stays.
func (c *Collection) EnsureIndexes(ctx context.Context, models []mongo.IndexModel) error {
	asked := make([]*index, len(models))
	for i, model := range models {
		x, err := c.newIndex(model)
		if err != nil {
			return err
		}
		asked[i] = x
	}
	if missing, err := c.missing(asked); err != nil || len(missing) == 0 {
		return err
	}
	var built []*index
	o := &operation{alone: true}
	o.do = func(w *writeTx) (err error) {
		if built, err = c.missing(asked); err != nil {
			return err
		}
		for _, x := range built {
			if err := c.build(w, x); err != nil {
				return fmt.Errorf("localdb: building index %s: %w", x.Name, err)
			}
		}
		return nil
	}
	o.committed = func() {
		all := append(slices.Clone(*c.indexes.Load()), built...)
		c.indexes.Store(&all)
	}
	return writeError(c.db.write(ctx, o))
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

// defaultName is MongoDB's: username_1, owner_1_publishedAt_-1.
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

func (c *Collection) missing(asked []*index) ([]*index, error) {
	var list []*index
	known := *c.indexes.Load()
	for _, x := range asked {
		i := slices.IndexFunc(known, func(k *index) bool { return k.Name == x.Name })
		switch {
		case i < 0:
			list = append(list, x)
			known = append(slices.Clone(known), x)
		case !known[i].equal(x):
			return nil, fmt.Errorf("localdb: index %s of %s exists with other keys or options", x.Name, c.name)
		}
	}
	return list, nil
}

func (c *Collection) build(w *writeTx, x *index) error {
	w.wrote = true
	spec, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if err := w.tx.Bucket(metaBucket).Put(x.bucket, spec); err != nil {
		return err
	}
	if _, err := w.tx.CreateBucketIfNotExists(x.bucket); err != nil {
		return err
	}
	docs := w.tx.Bucket(c.docs)
	if docs == nil {
		return nil
	}
	return docs.ForEach(func(id, raw []byte) error {
		ic, err := x.change(w.tx, id, missing, document(raw))
		if err != nil {
			return err
		}
		return ic.write(w.tx)
	})
}
