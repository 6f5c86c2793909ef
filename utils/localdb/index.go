package localdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/bson"
)

// index is the description of one index. Its bucket has one key an entry: the encoded column values, then the
// encoded _id; the value says, in two bytes, where the _id begins.
type index struct {
	Name    string   `json:"name"`
	Columns []column `json:"columns"`
	Unique  bool     `json:"unique,omitempty"`
	TTL     *int32   `json:"ttl,omitempty"` // seconds after the date in the only column
	bucket  []byte
	arrays  []byte // where the meta bucket keeps which columns ever held an array
	primary bool   // the documents' own bucket, keyed by _id
}

// locate names the index's places in the file.
func (x *index) locate(collection string) *index {
	x.bucket = []byte("index/" + collection + "/" + x.Name)
	x.arrays = append([]byte("arrays/"), x.bucket...)
	return x
}

// entry is one key of an index; tuple is the part before the _id.
type entry struct {
	key, tuple []byte
}

// equal tells whether two descriptions ask for the same index.
func (x *index) equal(y *index) bool {
	ttl := x.TTL == nil && y.TTL == nil || x.TTL != nil && y.TTL != nil && *x.TTL == *y.TTL
	return ttl && x.Name == y.Name && x.Unique == y.Unique && slices.Equal(x.Columns, y.Columns)
}

// entries computes what the index holds for a document, and which columns held an array, as bits.
func (x *index) entries(doc *bson.D, id []byte) (list []entry, multi uint32, err error) {
	tuples, multi, err := tuples(doc, x.Columns)
	if err != nil {
		return nil, 0, fmt.Errorf("%w, in index %s", err, x.Name)
	}
	list = make([]entry, len(tuples))
	for i, tuple := range tuples {
		key := append(tuple, id...)
		if len(key) > bbolt.MaxKeySize {
			return nil, 0, fmt.Errorf("localdb: a value of %d bytes is too long for index %s", len(tuple), x.Name)
		}
		list[i] = entry{key: key, tuple: key[:len(tuple)]}
	}
	return list, multi, nil
}

// idPart cuts the encoded _id out of an index key.
func idPart(key, offset []byte) []byte {
	return key[binary.BigEndian.Uint16(offset):]
}

func (e entry) offset() []byte {
	return binary.BigEndian.AppendUint16(nil, uint16(len(e.tuple)))
}

// taken tells whether another document holds the entry's values.
func (e entry) taken(b *bbolt.Bucket) bool {
	key, _ := b.Cursor().Seek(e.tuple)
	return key != nil && bytes.HasPrefix(key, e.tuple) && !bytes.Equal(key, e.key)
}

// difference returns the entries of a that b lacks.
func difference(a, b []entry) []entry {
	var list []entry
	for _, e := range a {
		if !slices.ContainsFunc(b, func(o entry) bool { return bytes.Equal(o.key, e.key) }) {
			list = append(list, e)
		}
	}
	return list
}

// multi must be read in the transaction that reads the index: an older answer could miss entries.
func (x *index) multi(tx *bbolt.Tx) uint32 {
	if x.primary {
		return 0
	}
	b := tx.Bucket(metaBucket).Get(x.arrays)
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func (x *index) setMulti(tx *bbolt.Tx, multi uint32) error {
	return tx.Bucket(metaBucket).Put(x.arrays, binary.BigEndian.AppendUint32(nil, multi))
}
