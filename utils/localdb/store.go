package localdb

import (
	"bytes"
	"context"
	"fmt"

	"github.com/256dpi/lungo/bsonkit"
	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/bson"
)

// change is one document's way from before to after; before is nil for an insert, after for a delete.
type change struct {
	id            []byte
	before, after *bson.D
	raw           []byte // after's bytes
}

// indexChange is what a change does to one index.
type indexChange struct {
	index         *index
	gone, added   []entry
	multi, marked uint32 // array columns: of the document, and known so far
}

// store makes a change with all its index entries. Every rule is checked before the first write, so a refused change
// has touched nothing and its neighbours in the transaction go on.
func (c *Collection) store(w *writeTx, ch change) error {
	if len(ch.id) > bbolt.MaxKeySize {
		return fmt.Errorf("localdb: an _id of %d bytes is too long", len(ch.id))
	}
	docs := w.tx.Bucket(c.docs)
	if ch.before == nil && docs != nil && docs.Get(ch.id) != nil {
		return duplicate(c.name, c.primary, ch.after)
	}
	indexes := *c.indexes.Load()
	changes := make([]indexChange, 0, len(indexes))
	for _, x := range indexes {
		ic, err := c.indexChange(w.tx, x, ch)
		if err != nil {
			return err
		}
		changes = append(changes, ic)
	}
	w.wrote = true
	for _, ic := range changes {
		if err := ic.write(w.tx); err != nil {
			return err
		}
	}
	if ch.after == nil {
		return docs.Delete(ch.id)
	}
	docs, err := w.tx.CreateBucketIfNotExists(c.docs)
	if err != nil {
		return err
	}
	return docs.Put(ch.id, ch.raw)
}

func (c *Collection) indexChange(tx *bbolt.Tx, x *index, ch change) (ic indexChange, err error) {
	ic = indexChange{index: x, marked: x.multi(tx)}
	var old, now []entry
	if ch.before != nil {
		if old, _, err = x.entries(ch.before, ch.id); err != nil {
			return ic, err
		}
	}
	if ch.after != nil {
		if now, ic.multi, err = x.entries(ch.after, ch.id); err != nil {
			return ic, err
		}
	}
	ic.gone, ic.added = difference(old, now), difference(now, old)
	if !x.Unique {
		return ic, nil
	}
	bucket := tx.Bucket(x.bucket)
	for _, e := range ic.added {
		if e.taken(bucket) {
			return ic, duplicate(c.name, x, ch.after)
		}
	}
	return ic, nil
}

func (ic *indexChange) write(tx *bbolt.Tx) error {
	bucket := tx.Bucket(ic.index.bucket)
	for _, e := range ic.gone {
		if err := bucket.Delete(e.key); err != nil {
			return err
		}
	}
	for _, e := range ic.added {
		if err := bucket.Put(e.key, e.offset()); err != nil {
			return err
		}
	}
	if ic.multi&^ic.marked != 0 {
		return ic.index.setMulti(tx, ic.multi|ic.marked)
	}
	return nil
}

// collect reads all documents that match, as copies: a write may move what a transaction points to.
func (c *Collection) collect(w *writeTx, q *query) ([]hit, error) {
	var hits []hit
	err := c.find(context.Background(), w.tx, q, func(h hit) error {
		hits = append(hits, hit{id: bytes.Clone(h.id), raw: bytes.Clone(h.raw)})
		return nil
	})
	return hits, err
}

// insert stores a new document, its _id first, made here when it has none.
func (c *Collection) insert(w *writeTx, doc bson.D) ([]byte, error) {
	id := bsonkit.Get(&doc, "_id")
	if _, isArray := id.(bson.A); isArray {
		return nil, fmt.Errorf("localdb: an array cannot be an _id")
	}
	raw, err := encode(doc)
	if err != nil {
		return nil, err
	}
	return raw, c.store(w, change{id: appendKey(nil, id), after: &doc, raw: raw})
}
