package localdb

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// store changes a document from before to after, with all its index entries: before is missing for an insert, after for
// a delete, and u is the update that made the change, if any. All rules are checked before the first write, so a
// rejected change has touched nothing, and the other operations in the transaction continue.
func (c *Collection) store(w *writeTx, id []byte, before, after value, u update) error {
	if isDocument(after) {
		if err := check(after, true); err != nil {
			return err
		}
		if len(after.Data) > maxDocument || len(id) > bbolt.MaxKeySize {
			return fmt.Errorf("localdb: a document of %d bytes with an _id of %d is too long: the most is %d and %d",
				len(after.Data), len(id), maxDocument, bbolt.MaxKeySize)
		}
	}
	docs := w.tx.Bucket(c.docs)
	if !isDocument(before) && docs != nil && docs.Get(id) != nil {
		return duplicate(c.primary, after)
	}
	var changes []indexChange
	meta := w.tx.Bucket(metaBucket)
	for _, x := range *c.indexes.Load() {
		if u != nil && !u.touches(x) || !x.in(meta) {
			continue
		}
		ic, err := x.change(w.tx, id, before, after)
		if err != nil {
			return err
		}
		changes = append(changes, ic)
	}
	w.wrote = true
	w.note(before, after)
	for i := range changes {
		if err := changes[i].write(w.tx); err != nil {
			return err
		}
	}
	if !isDocument(after) {
		return docs.Delete(id)
	}
	docs, err := w.tx.CreateBucketIfNotExists(c.docs)
	if err != nil {
		return err
	}
	return docs.Put(id, after.Data)
}

// insert stores a new document with its _id first; if it has none, insert generates one.
func (c *Collection) insert(w *writeTx, doc value) ([]byte, error) {
	given := len(doc.Data)
	doc = idFirst(doc)
	if len(doc.Data) < given {
		return nil, fmt.Errorf("localdb: a document with two fields _id")
	}
	id := field(doc, "_id")
	if isArray(id) {
		return nil, fmt.Errorf("localdb: an array cannot be an _id")
	}
	return doc.Data, c.store(w, keyOf(id), missing, doc, nil)
}
