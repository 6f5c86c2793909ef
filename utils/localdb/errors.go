package localdb

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("localdb: the database is closed")

var errReadOnly = errors.New("localdb: the database is open for reading only")

// unsupported is the error for what MongoDB supports and this package doesn't.
func unsupported(what, name string) error {
	return fmt.Errorf("localdb: %s %s is not supported", what, name)
}

// MongoDB's own error codes.
const (
	codeImmutable = 66
	codeDuplicate = 11000
)

// refusal is a violation of one of the database's rules. It is converted to the driver's error type for the kind of
// call.
type refusal struct {
	code          int
	name, message string
}

func (r *refusal) Error() string { return r.message }

func immutableID() error {
	return &refusal{codeImmutable, "ImmutableField", "Performing an update on the path '_id' would modify the immutable field '_id'"}
}

// duplicate uses MongoDB's wording, so that one parser works for both engines.
func duplicate(x *index, doc value) error {
	parts := make([]string, len(x.Columns))
	for i, col := range x.Columns {
		v := value{Type: bsoncore.TypeNull}
		visit(doc, col.Path, func(found value) {
			if found.Type != missing.Type {
				v = found
			}
		})
		parts[i] = col.Path + ": " + v.String()
	}
	return &refusal{codeDuplicate, "DuplicateKey", fmt.Sprintf("E11000 duplicate key error collection: %s index: %s dup key: { %s }",
		x.collection, x.Name, strings.Join(parts, ", "))}
}

// writeError converts a refusal to the driver's error type for inserts and updates.
func writeError(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	return mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: r.code, Message: r.message}}}
}

// commandError converts a refusal to the driver's error type for find-and-modify.
func commandError(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	return mongo.CommandError{Code: int32(r.code), Name: r.name, Message: r.message}
}
