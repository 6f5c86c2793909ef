package localdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/256dpi/lungo/bsonkit"
	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
)

// The first byte of an encoded value: the type classes in BSON's comparison order. Byte 0 is left for terminators.
const (
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

// appendKey appends an encoding of v whose byte order is bsonkit.Compare's order, equal values having equal bytes.
// No encoding is a prefix of another, so encodings can be joined into tuples.
func appendKey(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil, primitive.Null, bsonkit.MissingType:
		return append(b, tagNull)
	case int32:
		return appendNumber(b, float64(v), 0)
	case int64:
		return appendInt64(b, v)
	case float64:
		return appendNumber(b, v, 0)
	case string:
		return appendText(append(b, tagString), v)
	case bson.D:
		return appendDocument(b, v)
	case bson.A:
		return appendArray(b, v)
	case primitive.Binary:
		b = binary.BigEndian.AppendUint32(append(b, tagBinary), uint32(len(v.Data)))
		return append(append(b, v.Subtype), v.Data...)
	case primitive.ObjectID:
		return append(append(b, tagObjectID), v[:]...)
	case bool:
		if v {
			return append(b, tagBool, 1)
		}
		return append(b, tagBool, 0)
	case primitive.DateTime:
		return binary.BigEndian.AppendUint64(append(b, tagDate), uint64(v)^(1<<63))
	}
	panic(fmt.Sprintf("localdb: no key for a value of type %T", v)) // decode lets no other type in
}

// appendInt64 writes the largest double that is not above v, and what is left: exact beyond 2^53, and equal to the
// encoding of the same number as a double.
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

// appendText ends with two zero bytes; a zero byte of the text becomes 0x00 0xFF, which sorts after the end.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, s[i])
		if s[i] == 0 {
			b = append(b, 0xFF)
		}
	}
	return append(b, 0, 0)
}

func appendDocument(b []byte, d bson.D) []byte {
	b = append(b, tagDocument)
	for _, e := range d {
		b = appendText(append(b, 1), e.Key)
		b = appendKey(b, e.Value)
	}
	return append(b, 0)
}

func appendArray(b []byte, a bson.A) []byte {
	b = append(b, tagArray)
	for _, v := range a {
		b = appendKey(b, v)
	}
	return append(b, 0)
}

// appendColumn appends v for a column: the bytes of a descending column are turned over.
func appendColumn(b []byte, v any, desc bool) []byte {
	start := len(b)
	b = appendKey(b, v)
	if desc {
		for i := start; i < len(b); i++ {
			b[i] = ^b[i]
		}
	}
	return b
}

// successor is the smallest key above every key that starts with prefix; nil when there is none.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}

// join copies, so that many keys can grow from one prefix.
func join(prefix []byte, v any, desc bool) []byte {
	b := make([]byte, len(prefix), len(prefix)+24)
	copy(b, prefix)
	return appendColumn(b, v, desc)
}

// keyValues lists what an index holds for a path: the elements of an array, also of one on the way; else the value.
// An empty array is listed as itself, so that every document has an entry.
func keyValues(doc *bson.D, path string) (values []any, multi bool) {
	v, _ := bsonkit.All(doc, path, true, true)
	array, ok := v.(bson.A)
	if !ok {
		return []any{v}, false
	}
	if len(array) == 0 {
		return []any{array}, true
	}
	return array, true
}

// sortKey is a document's place in a sort: for an array its smallest element, or its largest when descending.
func sortKey(doc *bson.D, columns []column, id []byte) []byte {
	var key []byte
	for _, col := range columns {
		values, _ := keyValues(doc, col.Path)
		var least []byte
		for _, v := range values {
			if k := appendColumn(nil, v, col.Desc); least == nil || bytes.Compare(k, least) < 0 {
				least = k
			}
		}
		key = append(key, least...)
	}
	return append(key, id...)
}
