package models

import (
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// entity is what the registry knows of a type of document. Whatever must hold
// for all types (their indexes are made, they go when what they hang on goes,
// the counts that they raised come down, their files are deleted) is done by
// walking the registry, so that a new type cannot be forgotten.
type entity struct {
	Collection
	name    string
	indexes []mongo.IndexModel
	parents []parent
	files   []string // fields that name a stored file
}

// parent says that a document hangs on another one.
type parent struct {
	name    string // the parent's collection
	field   string // where the document keeps the parent's _id
	counter string // the parent's field that counts these documents, if one does
	counts  bson.E // only documents with this field and value are counted; the zero counts all
}

// register adds a type of document and returns its collection.
func (db *DB) register(e entity) Collection {
	e.Collection = db.engine.collection(e.name)
	db.entities = append(db.entities, &e)
	return e.Collection
}

func (db *DB) entity(name string) *entity {
	for _, e := range db.entities {
		if e.name == name {
			return e
		}
	}
	panic("models: no collection " + name + " is registered")
}

// hangsOn finds how e hangs on the collection with this name.
func (e *entity) hangsOn(name string) []parent {
	var found []parent
	for _, p := range e.parents {
		if p.name == name {
			found = append(found, p)
		}
	}
	return found
}

var duplicateIndex = regexp.MustCompile(`index: (\S+)`)

// duplicateField reads from a duplicate-key error which field clashed: both
// engines name the index, and an index is named for its fields.
func duplicateField(err error) string {
	match := duplicateIndex.FindStringSubmatch(err.Error())
	if match == nil {
		return "value"
	}
	name := match[1]
	if dot := strings.LastIndex(name, ".$"); dot >= 0 {
		name = name[dot+2:]
	}
	field, _, _ := strings.Cut(name, "_")
	return field
}
