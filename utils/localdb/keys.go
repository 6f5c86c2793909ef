package localdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// The first byte of a key: the type classes in BSON's comparison order. Byte 0 is reserved for terminators.
const (
	tagEmpty    byte = 0x08 // an empty array, where arrays stand for their elements: sorts below null
	tagNull     byte = 0x10
	tagNumber   byte = 0x20
	tagString   byte = 0x30
	tagDocument byte = 0x40
	tagArray    byte = 0x50
	tagBinary   byte = 0x60
	tagObjectID byte = 0x70
	tagBool     byte = 0x80
	tagDate     byte = 0x90
)

// keyOf returns bytes that sort in MongoDB's order of values; equal values have equal bytes. No key is a prefix of
// another, so keys can be concatenated into tuples.
func keyOf(v value) []byte { return appendKey(make([]byte, 0, 24), v) }

func appendKey(b []byte, v value) []byte {
	switch v.Type {
	case missing.Type, bsoncore.TypeNull:
		return append(b, tagNull)
	case bsoncore.TypeInt32:
		return appendNumber(b, float64(v.Int32()), 0)
	case bsoncore.TypeInt64:
		return appendInt64(b, v.Int64())
	case bsoncore.TypeDouble:
		return appendNumber(b, v.Double(), 0)
	case bsoncore.TypeString:
		return appendText(append(b, tagString), v.Data[4:len(v.Data)-1])
	case bsoncore.TypeEmbeddedDocument: // ordered by the types of its fields, then by names, then by values
		b = append(b, tagDocument)
		for e := range elements(v) {
			k := keyOf(e.Value())
			b = append(appendText(append(b, k[0]), e.KeyBytes()), k[1:]...)
		}
		return append(b, 0)
	case bsoncore.TypeArray:
		b = append(b, tagArray)
		for e := range elements(v) {
			b = appendKey(b, e.Value())
		}
		return append(b, 0)
	case bsoncore.TypeBinary: // ordered by length, then by subtype
		subtype, data := v.Binary()
		b = binary.BigEndian.AppendUint32(append(b, tagBinary), uint32(len(data)))
		return append(append(b, subtype), data...)
	case bsoncore.TypeObjectID:
		return append(append(b, tagObjectID), v.Data...)
	case bsoncore.TypeBoolean:
		return append(append(b, tagBool), v.Data...)
	case bsoncore.TypeDateTime:
		return binary.BigEndian.AppendUint64(append(b, tagDate), uint64(v.DateTime())^(1<<63))
	}
	panic(fmt.Sprintf("localdb: no key for a value of type %s", v.Type)) // check rejects all other types
}

// appendInt64 writes the largest double that is not greater than v, followed by the remainder: it is exact beyond 2^53,
// and equals the key of the same number as a double.
func appendInt64(b []byte, v int64) []byte {
	f := float64(v)
	if f >= 1<<63 || int64(f) > v {
		f = math.Nextafter(f, math.Inf(-1))
	}
	return appendNumber(b, f, uint16(v-int64(f)))
}

func appendNumber(b []byte, f float64, rest uint16) []byte {
	bits := math.Float64bits(f)
	switch {
	case math.IsNaN(f):
		bits = 0 // below every number
	case f == 0:
		bits = 1 << 63 // both zeros
	case f < 0:
		bits = ^bits
	default:
		bits |= 1 << 63
	}
	b = binary.BigEndian.AppendUint64(append(b, tagNumber), bits)
	return binary.BigEndian.AppendUint16(b, rest)
}

// appendText terminates with two zero bytes; a zero byte in the text becomes 0x00 0xFF, which sorts after the
// terminator.
func appendText(b, text []byte) []byte {
	for _, c := range text {
		b = append(b, c)
		if c == 0 {
			b = append(b, 0xFF)
		}
	}
	return append(b, 0, 0)
}

func sameValue(v, w value) bool { return bytes.Equal(keyOf(v), keyOf(w)) }

// inverted flips all bits, as for a descending column.
func inverted(key []byte) []byte {
	key = bytes.Clone(key)
	for i := range key {
		key[i] = ^key[i]
	}
	return key
}

// successor is the smallest key above every key that starts with prefix; nil if there is none.
func successor(prefix []byte) []byte { return appendSuccessor(nil, prefix) }

func appendSuccessor(b, prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			next := append(b, prefix[:i+1]...)
			next[len(next)-1]++
			return next
		}
	}
	return nil
}

// keysAt are a path's keys in an index or a sort: an array stands for its elements, and a missing field for null.
func keysAt(doc value, path string) (keys [][]byte, array bool) {
	array = visit(doc, path, func(v value) {
		switch {
		case !isArray(v):
			keys = append(keys, keyOf(v))
			return
		case isEmpty(v):
			keys = append(keys, []byte{tagEmpty})
		}
		for e := range elements(v) {
			keys = append(keys, keyOf(e.Value()))
		}
		array = true
	}) || array
	return keys, array
}

// column is one column of an index or a sort.
type column struct {
	Path string `json:"path"`
	Desc bool   `json:"desc,omitempty"`
}

// tuples are a document's keys for the columns of an index or a sort, sorted and without duplicates, and a bit mask of
// the columns that held an array.
func tuples(doc value, columns []column) (list [][]byte, multi uint32, err error) {
	list = [][]byte{nil}
	for i, col := range columns {
		keys, array := keysAt(doc, col.Path)
		if array && multi != 0 {
			return nil, 0, fmt.Errorf("localdb: keys that are two arrays of one document are not supported (%q and another)", col.Path)
		}
		if array {
			multi = 1 << i
		}
		grown := make([][]byte, 0, len(list)*len(keys))
		for _, key := range keys {
			if col.Desc {
				key = inverted(key)
			}
			for _, tuple := range list {
				grown = append(grown, slices.Concat(tuple, key))
			}
		}
		list = grown
	}
	slices.SortFunc(list, bytes.Compare)
	return slices.CompactFunc(list, bytes.Equal), multi, nil
}
