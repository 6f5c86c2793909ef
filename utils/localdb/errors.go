package localdb

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// ErrClosed is the error of every call after Close.
var ErrClosed = errors.New("localdb: the database is closed")

var errReadOnly = errors.New("localdb: the database is open for reading only")

// unsupported is the answer to what MongoDB does and this package does not.
func unsupported(what, name string) error {
	return fmt.Errorf("localdb: %s %s is not supported", what, name)
}

// Codes of MongoDB's own errors.
const (
	codeImmutable = 66
	codeDuplicate = 11000
)

// refusal is a rule of the database that an operation broke. It becomes the driver's type for the kind of call.
type refusal struct {
	code          int
	name, message string
}

func (r *refusal) Error() string { return r.message }

func immutableID() error {
	return &refusal{codeImmutable, "ImmutableField", "Performing an update on the path '_id' would modify the immutable field '_id'"}
}

// duplicate says it in MongoDB's words, so that one parser serves both engines.
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

// writeError gives a refusal the type that inserts and updates have in the driver.
func writeError(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	return mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: r.code, Message: r.message}}}
}

// commandError gives a refusal the type that find-and-modify has in the driver.
func commandError(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	return mongo.CommandError{Code: int32(r.code), Name: r.name, Message: r.message}
}
