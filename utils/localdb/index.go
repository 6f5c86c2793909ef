package localdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// index is the description of one index. Its bucket has one key an entry: the encoded column values, then the
// encoded _id; the value says, in two bytes, where the _id begins.
type index struct {
	Name    string   `json:"name"`
	Columns []column `json:"columns"`
	Unique  bool     `json:"unique,omitempty"`
	TTL     *int32   `json:"ttl,omitempty"` // seconds after the date in the only column
	primary bool     // the documents' own bucket, keyed by _id

	collection string
	bucket     []byte
	arrays     []byte // where the meta bucket keeps which columns ever held an array
}

// locate names the index's places in the file.
func (x *index) locate(collection string) *index {
	x.collection = collection
	x.bucket = []byte("index/" + collection + "/" + x.Name)
	x.arrays = append([]byte("arrays/"), x.bucket...)
	return x
}

// equal tells whether two descriptions ask for the same index.
func (x *index) equal(y *index) bool {
	ttl := x.TTL == nil && y.TTL == nil || x.TTL != nil && y.TTL != nil && *x.TTL == *y.TTL
	return ttl && x.Name == y.Name && x.Unique == y.Unique && slices.Equal(x.Columns, y.Columns)
}

// in tells whether the index exists in a transaction: while its building is not committed, or when that failed, it does
// not for others. It reads the transaction's meta bucket.
func (x *index) in(meta *bbolt.Bucket) bool { return meta.Get(x.bucket) != nil }

// entry is one key of an index: a tuple, then the _id, which begins at the offset.
type entry struct{ key, offset []byte }

func (e entry) equal(o entry) bool { return bytes.Equal(e.key, o.key) }

// idPart cuts the encoded _id out of an index key.
func idPart(key, offset []byte) []byte { return key[binary.BigEndian.Uint16(offset):] }

// entries computes what the index holds for a document, and which columns held an array, as bits.
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

// taken tells whether another document holds the entry's values.
func (e entry) taken(b *bbolt.Bucket) bool {
	tuple := e.key[:len(e.key)-len(idPart(e.key, e.offset))]
	cursor := b.Cursor()
	key, _ := cursor.Seek(tuple)
	if bytes.Equal(key, e.key) {
		key, _ = cursor.Next()
	}
	return key != nil && bytes.HasPrefix(key, tuple)
}

// multi must be read in the transaction that reads the index: an older answer could miss entries.
func (x *index) multi(meta *bbolt.Bucket) uint32 {
	b := meta.Get(x.arrays)
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// indexChange is what a change of a document does to one index.
type indexChange struct {
	index         *index
	gone, added   []entry
	multi, marked uint32 // array columns: of the document, and known so far
}

// change computes what a document's way from before to after does to the index, and refuses what it may not do.
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

// difference returns the entries of a that b lacks.
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
