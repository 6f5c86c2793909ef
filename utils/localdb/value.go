package localdb

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	maxDepth    = 100
	maxDocument = 16 << 20 // bytes: MongoDB's own limit
)

// value is a BSON value as stored in the file. Documents are never decoded into Go values here.
type value = bsoncore.Value

var (
	missing       value // the value of a field that doesn't exist
	emptyDocument = document([]byte{5, 0, 0, 0, 0})
)

// types are the supported types: those for which keys, and so order and equality, are defined.
var types = []bsoncore.Type{bsoncore.TypeNull, bsoncore.TypeInt32, bsoncore.TypeInt64, bsoncore.TypeDouble, bsoncore.TypeString,
	bsoncore.TypeEmbeddedDocument, bsoncore.TypeArray, bsoncore.TypeBinary, bsoncore.TypeObjectID, bsoncore.TypeBoolean, bsoncore.TypeDateTime}

func document(raw []byte) value { return value{Type: bsoncore.TypeEmbeddedDocument, Data: raw} }
func isDocument(v value) bool   { return v.Type == bsoncore.TypeEmbeddedDocument }
func isArray(v value) bool      { return v.Type == bsoncore.TypeArray }
func isEmpty(v value) bool      { return len(v.Data) == 5 } // of a document or an array

// accept converts the caller's value (a document, a struct, a map) to a BSON document.
func accept(v any) (value, error) {
	if v == nil {
		return missing, mongo.ErrNilDocument
	}
	raw, err := bson.Marshal(v)
	if err != nil {
		return missing, err
	}
	return document(raw), check(document(raw), false)
}

// check rejects types that have no key and, in values to be stored or compared, names that would be interpreted as
// operators or paths.
func check(v value, names bool) error { return checkAt(v, names, 0) }

func checkAt(v value, names bool, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("localdb: a document nested deeper than %d", maxDepth)
	}
	switch {
	case !slices.Contains(types, v.Type):
		return fmt.Errorf("localdb: BSON type %s is not supported", v.Type)
	case v.Type == bsoncore.TypeString && (len(v.Data) < 5 || v.Data[len(v.Data)-1] != 0):
		return fmt.Errorf("localdb: a string without its end")
	case v.Type == bsoncore.TypeBoolean && v.Data[0] > 1:
		return fmt.Errorf("localdb: a boolean of %d is neither true nor false", v.Data[0])
	case v.Type == bsoncore.TypeBinary && v.Data[4] == bson.TypeBinaryBinaryOld: // repeats its length inside
		return fmt.Errorf("localdb: binary data of the old subtype 2 is not supported")
	}
	if isDocument(v) || isArray(v) {
		if err := bsoncore.Document(v.Data).Validate(); err != nil { // doesn't validate nested values
			return err
		}
	}
	for e := range elements(v) {
		name, item := e.Key(), e.Value()
		if isArray(v) && isArray(item) {
			return fmt.Errorf("localdb: an array directly inside an array is not supported")
		}
		if names && isDocument(v) && (strings.HasPrefix(name, "$") || strings.Contains(name, ".")) {
			return fmt.Errorf("localdb: %q is not supported as a field name inside a value", name)
		}
		if err := checkAt(item, names, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkPath accepts dotted paths of field names. A number would be an array index.
func checkPath(path string) error {
	for segment := range strings.SplitSeq(path, ".") {
		if strings.Trim(segment, "0123456789") == "" || strings.ContainsAny(segment, "$\x00") || !utf8.ValidString(segment) {
			return unsupported("path or operator", path)
		}
	}
	return nil
}

// elements iterates over the fields of a document or the elements of an array; other values have none.
func elements(v value) iter.Seq[bsoncore.Element] {
	return func(yield func(bsoncore.Element) bool) {
		if !isDocument(v) && !isArray(v) {
			return
		}
		_, rest, ok := bsoncore.ReadLength(v.Data)
		for ok && len(rest) > 1 {
			var e bsoncore.Element
			if e, rest, ok = bsoncore.ReadElement(rest); ok && !yield(e) {
				return
			}
		}
	}
}

func items(array value) (list []value) {
	for e := range elements(array) {
		list = append(list, e.Value())
	}
	return list
}

func field(doc value, name string) value {
	for e := range elements(doc) {
		if string(e.KeyBytes()) == name {
			return e.Value()
		}
	}
	return missing
}

// visit calls do with each value at a path. An array on the path stands for its elements; the result reports whether
// there was one.
func visit(v value, path string, do func(value)) (array bool) {
	name, rest, _ := strings.Cut(path, ".")
	switch {
	case path == "":
		do(v)
	case isDocument(v):
		return visit(field(v, name), rest, do)
	case isArray(v) && !isEmpty(v):
		for e := range elements(v) {
			visit(e.Value(), path, do)
		}
		return true
	default:
		do(missing)
		return isArray(v)
	}
	return false
}

// number returns a numeric value of a query or an update.
func number(v value) (float64, bool) { return v.AsFloat64OK() }

// idOf decodes a stored document's _id as the driver's callers expect it.
func idOf(raw []byte) (id any, err error) {
	err = bson.Raw(raw).Lookup("_id").Unmarshal(&id)
	return id, err
}

// idFirst moves the _id to the front, as MongoDB does, and generates one if there is none.
func idFirst(doc value) value {
	id := field(doc, "_id")
	if id.Type == missing.Type {
		made := bson.NewObjectID()
		id = value{Type: bsoncore.TypeObjectID, Data: made[:]}
	}
	at, raw := bsoncore.AppendDocumentStart(make([]byte, 0, len(doc.Data)+24))
	raw = bsoncore.AppendValueElement(raw, "_id", id)
	for e := range elements(doc) {
		if e.Key() != "_id" {
			raw = append(raw, e...)
		}
	}
	return end(raw, at)
}

// end completes a document that AppendDocumentStart began.
func end(raw []byte, at int32) value {
	raw, _ = bsoncore.AppendDocumentEnd(raw, at) // only fails if nothing was begun
	return document(raw)
}
