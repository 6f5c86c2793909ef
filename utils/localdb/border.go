package localdb

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/x/bsonx/bsoncore"

	bson2 "go.mongodb.org/mongo-driver/v2/bson"
)

const (
	maxDepth    = 100
	maxDocument = 16 << 20 // bytes, MongoDB's own limit
)

var (
	errDepth  = fmt.Errorf("localdb: a document nested deeper than %d", maxDepth)
	errNested = errors.New("localdb: an array directly inside an array is not supported")
)

// accept turns what a caller gave (a document of driver v2, a struct, a map) into the document type of driver v1,
// which mongokit speaks. The border is crossed as BSON bytes.
func accept(v any) (bson.D, error) {
	if v == nil {
		return nil, mongo.ErrNilDocument
	}
	raw, err := bson2.Marshal(v)
	if err != nil {
		return nil, err
	}
	return decode(raw)
}

// decode reads BSON bytes into a document that shares no memory with them. A type that mongokit would get wrong or
// panic on is an error.
func decode(raw []byte) (bson.D, error) {
	return decodeDocument(raw, 0)
}

// decodeFields reads the named top-level fields only, which is all that a filter and a sort look at.
func decodeFields(raw []byte, names []string) (bson.D, error) {
	doc := make(bson.D, 0, len(names))
	err := eachElement(raw, func(e bsoncore.Element) error {
		i := slices.IndexFunc(names, func(name string) bool { return string(e.KeyBytes()) == name })
		if i < 0 {
			return nil
		}
		v, err := decodeValue(e, 1)
		doc = append(doc, bson.E{Key: names[i], Value: v})
		return err
	})
	return doc, err
}

func decodeDocument(raw []byte, depth int) (bson.D, error) {
	doc := make(bson.D, 0, 8)
	err := eachElement(raw, func(e bsoncore.Element) error {
		v, err := decodeValue(e, depth+1)
		doc = append(doc, bson.E{Key: e.Key(), Value: v})
		return err
	})
	return doc, err
}

func decodeArray(raw []byte, depth int) (bson.A, error) {
	array := bson.A{}
	err := eachElement(raw, func(e bsoncore.Element) error {
		if bson2.Type(e[0]) == bson2.TypeArray {
			return errNested
		}
		v, err := decodeValue(e, depth+1)
		array = append(array, v)
		return err
	})
	return array, err
}

func decodeValue(e bsoncore.Element, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	v := e.Value()
	switch v.Type {
	case bson.TypeNull:
		return nil, nil
	case bson.TypeInt32:
		return v.Int32(), nil
	case bson.TypeInt64:
		return v.Int64(), nil
	case bson.TypeDouble:
		return v.Double(), nil
	case bson.TypeString:
		return v.StringValue(), nil
	case bson.TypeEmbeddedDocument:
		return decodeDocument(v.Data, depth)
	case bson.TypeArray:
		return decodeArray(v.Data, depth)
	case bson.TypeBinary:
		subtype, data := v.Binary()
		return primitive.Binary{Subtype: subtype, Data: bytes.Clone(data)}, nil
	case bson.TypeObjectID:
		return v.ObjectID(), nil
	case bson.TypeBoolean:
		return v.Boolean(), nil
	case bson.TypeDateTime:
		return primitive.DateTime(v.DateTime()), nil
	}
	return nil, fmt.Errorf("localdb: BSON type %s is not supported (field %q)", v.Type, e.Key())
}

// eachElement calls visit with every element of a BSON document or array.
func eachElement(raw []byte, visit func(bsoncore.Element) error) error {
	_, rest, ok := bsoncore.ReadLength(raw)
	for ok && len(rest) > 1 {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			break
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	if !ok || len(rest) != 1 || rest[0] != 0 {
		return fmt.Errorf("localdb: malformed BSON")
	}
	return nil
}

// encode checks a document that is about to be stored and returns its bytes.
func encode(doc bson.D) ([]byte, error) {
	if err := checkValue(doc, 0); err != nil {
		return nil, err
	}
	raw, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("localdb: a document of %d bytes, the most is %d", len(raw), maxDocument)
	}
	return raw, nil
}

// project keeps or drops top-level fields. mongokit's projection is not used: it lets hidden fields through arrays.
func project(raw []byte, p *projection) ([]byte, error) {
	if p == nil {
		return raw, nil
	}
	at, out := bsoncore.AppendDocumentStart(make([]byte, 0, len(raw)))
	err := eachElement(raw, func(e bsoncore.Element) error {
		keep := p.fields[e.Key()] == p.include
		if e.Key() == "_id" {
			keep = p.id
		}
		if keep {
			out = append(out, e...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return bsoncore.AppendDocumentEnd(out, at)
}

// idOf reads a stored document's _id as the driver's callers expect it.
func idOf(raw []byte) (id any, err error) {
	err = bson2.Raw(raw).Lookup("_id").Unmarshal(&id)
	return id, err
}
