package localdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// index describes an index. Its bucket has one key per entry: the encoded column values followed by the encoded _id.
// The value is the offset of the _id, in two bytes.
type index struct {
	Name    string   `json:"name"`
	Columns []column `json:"columns"`
	Unique  bool     `json:"unique,omitempty"`
	TTL     *int32   `json:"ttl,omitempty"` // seconds after the date in the only column
	primary bool     // the documents' own bucket, keyed by _id

	collection string
	bucket     []byte
	arrays     []byte // the meta bucket's key that records which columns ever held an array
}

// locate sets the names of the index's buckets in the file.
func (x *index) locate(collection string) *index {
	x.collection = collection
	x.bucket = []byte("index/" + collection + "/" + x.Name)
	x.arrays = append([]byte("arrays/"), x.bucket...)
	return x
}

// equal reports whether two descriptions define the same index.
func (x *index) equal(y *index) bool {
	ttl := x.TTL == nil && y.TTL == nil || x.TTL != nil && y.TTL != nil && *x.TTL == *y.TTL
	return ttl && x.Name == y.Name && x.Unique == y.Unique && slices.Equal(x.Columns, y.Columns)
}

// in reports whether the index exists in a transaction, according to its meta bucket: an index whose creation is not
// committed, or failed, doesn't exist for others.
func (x *index) in(meta *bbolt.Bucket) bool { return meta.Get(x.bucket) != nil }

// entry is a key of an index: a tuple followed by the _id, which begins at the offset.
type entry struct{ key, offset []byte }

func (e entry) equal(o entry) bool { return bytes.Equal(e.key, o.key) }

// idPart returns the encoded _id from an index key.
func idPart(key, offset []byte) []byte { return key[binary.BigEndian.Uint16(offset):] }

// entries computes a document's entries in the index, and a bit mask of the columns that held an array.
func (x *index) entries(doc value, id []byte) (list []entry, multi uint32, err error) {
	tuples, multi, err := tuples(doc, x.Columns)
	if err != nil {
		return nil, 0, fmt.Errorf("%w, in index %s", err, x.Name)
	}
	for _, tuple := range tuples {
		if len(tuple)+len(id) > bbolt.MaxKeySize {
			return nil, 0, fmt.Errorf("localdb: a value of %d bytes is too long for index %s", len(tuple), x.Name)
		}
		list = append(list, entry{slices.Concat(tuple, id), binary.BigEndian.AppendUint16(nil, uint16(len(tuple)))})
	}
	return list, multi, nil
}

// taken reports whether another document has the entry's values.
func (e entry) taken(b *bbolt.Bucket) bool {
	tuple := e.key[:len(e.key)-len(idPart(e.key, e.offset))]
	cursor := b.Cursor()
	key, _ := cursor.Seek(tuple)
	if bytes.Equal(key, e.key) {
		key, _ = cursor.Next()
	}
	return key != nil && bytes.HasPrefix(key, tuple)
}

// multi must be read in the same transaction as the index: an older value could miss entries.
func (x *index) multi(meta *bbolt.Bucket) uint32 {
	b := meta.Get(x.arrays)
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// indexChange is the effect of a document's change on one index.
type indexChange struct {
	index         *index
	gone, added   []entry
	multi, marked uint32 // bit masks of array columns: the document's, and those known so far
}

// change computes what changing a document from before to after does to the index, and rejects violations.
func (x *index) change(tx *bbolt.Tx, id []byte, before, after value) (ic indexChange, err error) {
	ic = indexChange{index: x, marked: x.multi(tx.Bucket(metaBucket))}
	if isDocument(before) {
		if ic.gone, _, err = x.entries(before, id); err != nil {
			return ic, err
		}
	}
	if isDocument(after) {
		if ic.added, ic.multi, err = x.entries(after, id); err != nil {
			return ic, err
		}
	}
	ic.gone, ic.added = difference(ic.gone, ic.added), difference(ic.added, ic.gone)
	if x.Unique && slices.ContainsFunc(ic.added, func(e entry) bool { return e.taken(tx.Bucket(x.bucket)) }) {
		return ic, duplicate(x, after)
	}
	return ic, nil
}

// difference returns the entries in a that are not in b.
func difference(a, b []entry) []entry {
	return slices.DeleteFunc(slices.Clone(a), func(e entry) bool { return slices.ContainsFunc(b, e.equal) })
}

func (ic *indexChange) write(tx *bbolt.Tx) error {
	bucket := tx.Bucket(ic.index.bucket)
	for _, e := range ic.gone {
		if err := bucket.Delete(e.key); err != nil {
			return err
		}
	}
	for _, e := range ic.added {
		if err := bucket.Put(e.key, e.offset); err != nil {
			return err
		}
	}
	if ic.multi&^ic.marked != 0 {
		return tx.Bucket(metaBucket).Put(ic.index.arrays, binary.BigEndian.AppendUint32(nil, ic.multi|ic.marked))
	}
	return nil
}
