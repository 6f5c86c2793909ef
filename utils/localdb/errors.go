package localdb

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/256dpi/lungo/bsonkit"
	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// ErrClosed is the error of every call after Close.
var ErrClosed = errors.New("localdb: the database is closed")

// Codes of MongoDB's own errors.
const (
	codeImmutable = 66
	codeDuplicate = 11000
)

// refusal is a rule of the database that an operation broke. It becomes the driver's type for the kind of call.
type refusal struct {
	code    int
	name    string
	message string
	details bson.D
}

func (r *refusal) Error() string { return r.message }

func immutableID() error {
	return &refusal{code: codeImmutable, name: "ImmutableField",
		message: "Performing an update on the path '_id' would modify the immutable field '_id'"}
}

// duplicate says it in MongoDB's words, so that one parser serves both engines.
func duplicate(collection string, x *index, doc *bson.D) error {
	pattern, value := bson.D{}, bson.D{}
	parts := make([]string, 0, len(x.Columns))
	for _, col := range x.Columns {
		direction := int32(1)
		if col.Desc {
			direction = -1
		}
		v := bsonkit.Get(doc, col.Path)
		if v == bsonkit.Missing {
			v = nil
		}
		pattern = append(pattern, bson.E{Key: col.Path, Value: direction})
		value = append(value, bson.E{Key: col.Path, Value: v})
		parts = append(parts, col.Path+": "+show(v))
	}
	return &refusal{code: codeDuplicate, name: "DuplicateKey",
		message: fmt.Sprintf("E11000 duplicate key error collection: %s index: %s dup key: { %s }",
			collection, x.Name, strings.Join(parts, ", ")),
		details: bson.D{{Key: "keyPattern", Value: pattern}, {Key: "keyValue", Value: value}}}
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%q", v)
	case primitive.ObjectID:
		return fmt.Sprintf("ObjectId('%s')", v.Hex())
	case primitive.DateTime:
		return v.Time().UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// raw is the server's answer as far as callers look into it.
func (r *refusal) raw() []byte {
	doc := append(bson.D{{Key: "code", Value: int32(r.code)}, {Key: "errmsg", Value: r.message}}, r.details...)
	raw, err := bson.Marshal(doc)
	if err != nil {
		return nil
	}
	return raw
}

// writeError gives a refusal the type that inserts and updates have in the driver.
func writeError(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	return mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: r.code, Message: r.message, Raw: r.raw()}}}
}

// commandError gives a refusal the type that find-and-modify has in the driver.
func commandError(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	return mongo.CommandError{Code: int32(r.code), Name: r.name, Message: r.message, Raw: r.raw()}
}
