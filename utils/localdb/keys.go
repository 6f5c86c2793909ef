package localdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/256dpi/lungo/bsonkit"
	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
)

// The first byte of an encoded value: the type classes in BSON's comparison order. Byte 0 is left for terminators.
const (
	tagEmpty    byte = 0x08 // an empty array, where arrays stand for their elements: below null
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

// emptyArray is what an index holds for an array without elements, and what a sort takes it for.
type emptyArray struct{}

// appendKey appends an encoding of v whose byte order is MongoDB's comparison order, equal values having equal bytes.
// No encoding is a prefix of another, so encodings can be joined into tuples.
func appendKey(b []byte, v any) []byte {
	switch v := v.(type) {
	case emptyArray:
		return append(b, tagEmpty)
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

// appendDocument orders fields by type, then by name, then by value.
func appendDocument(b []byte, d bson.D) []byte {
	b = append(b, tagDocument)
	for _, e := range d {
		v := appendKey(nil, e.Value)
		b = append(appendText(append(b, v[0]), e.Key), v[1:]...)
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

// keyValues appends what an index holds of v for a path: an array stands for its elements, also one on the way. What
// lacks the field stands for null.
func keyValues(list []any, v any, path string) (values []any, array bool) {
	if a, ok := v.(bson.A); ok {
		switch {
		case len(a) == 0 && path == "":
			list = append(list, emptyArray{})
		case len(a) == 0:
			list = append(list, nil)
		}
		for _, item := range a {
			list, _ = keyValues(list, item, path)
		}
		return list, true
	}
	if path == "" {
		return append(list, v), false
	}
	field, rest, _ := strings.Cut(path, ".")
	doc, _ := v.(bson.D)
	for _, e := range doc {
		if e.Key == field {
			return keyValues(list, e.Value, rest)
		}
	}
	return append(list, nil), false
}

// tuples computes the keys of a document for the columns of an index or a sort, in order and each once, and as bits
// which columns held an array.
func tuples(doc *bson.D, columns []column) (list [][]byte, multi uint32, err error) {
	list = [][]byte{nil}
	for i, col := range columns {
		values, isArray := keyValues(nil, *doc, col.Path)
		if isArray && multi != 0 {
			return nil, 0, fmt.Errorf("localdb: keys that are two arrays of one document are not supported (%q and another)", col.Path)
		}
		if isArray {
			multi = 1 << i
		}
		grown := make([][]byte, 0, len(list)*len(values))
		for _, tuple := range list {
			for _, v := range values {
				grown = append(grown, join(tuple, v, col.Desc))
			}
		}
		list = grown
	}
	return distinct(list), multi, nil
}

func distinct(keys [][]byte) [][]byte {
	if len(keys) > 1 {
		slices.SortFunc(keys, bytes.Compare)
		keys = slices.CompactFunc(keys, bytes.Equal)
	}
	return keys
}
