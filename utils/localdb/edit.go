package localdb

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// apply returns the document after the update. The _id cannot change once the document has one.
func (u update) apply(doc value, inserting bool) (value, error) {
	after := doc
	for _, s := range u {
		if s.onInsert && !inserting {
			continue
		}
		var err error
		if after, err = edit(after, s.path, s.change); err != nil {
			return missing, fmt.Errorf("localdb: updating %q: %w", s.path, err)
		}
	}
	id, now := field(doc, "_id"), field(after, "_id")
	if id.Type != missing.Type && (now.Type == missing.Type || !sameValue(id, now)) {
		return missing, immutableID()
	}
	return after, nil
}

// touches reports whether the update may change what the index holds.
func (u update) touches(x *index) bool {
	return slices.ContainsFunc(u, func(s updateStep) bool {
		return slices.ContainsFunc(x.Columns, func(c column) bool { return topField(c.Path) == topField(s.path) })
	})
}

func topField(path string) string {
	name, _, _ := strings.Cut(path, ".")
	return name
}

// edit returns a document with the value at a path replaced.
func edit(doc value, path string, change func(value) (value, error)) (value, error) {
	name, rest, deeper := strings.Cut(path, ".")
	old := field(doc, name)
	now, err := missing, error(nil)
	switch {
	case !deeper:
		now, err = change(old)
	case isDocument(old):
		now, err = edit(old, rest, change)
	default:
		now, err = made(old, rest, change)
	}
	if err != nil || now.Type == old.Type && bytes.Equal(now.Data, old.Data) {
		return doc, err
	}
	at, raw := bsoncore.AppendDocumentStart(make([]byte, 0, len(doc.Data)+len(path)+len(now.Data)))
	put := func() {
		if now.Type != missing.Type {
			raw = bsoncore.AppendValueElement(raw, name, now)
		}
	}
	done := false // of fields with the same name, the first counts
	for e := range elements(doc) {
		if done || string(e.KeyBytes()) != name {
			raw = append(raw, e...)
			continue
		}
		put()
		done = true
	}
	if !done {
		put()
	}
	return end(raw, at), nil
}

// made is a new document for a path that continues where nothing exists yet. If the change yields no value, nothing is
// created.
func made(old value, rest string, change func(value) (value, error)) (value, error) {
	if nothing, err := change(missing); err != nil || nothing.Type == missing.Type {
		return old, err
	}
	if old.Type != missing.Type {
		return old, fmt.Errorf("a field cannot be made in a value that is no document")
	}
	return edit(emptyDocument, rest, change)
}

// inserted is the document that an upsert creates: from the equality conditions of the filter, then the update.
func (u update) inserted(f filter) (value, error) {
	said := update{}
	for _, c := range f {
		if c.equal != nil && strings.HasPrefix(c.path, "_id.") {
			return missing, unsupported("an upsert by a part of the _id:", c.path)
		}
		if c.equal != nil {
			said = append(said, updateStep{path: c.path, change: set(*c.equal)})
		}
	}
	said, err := said.inOrder()
	if err != nil {
		return missing, err
	}
	doc, err := said.apply(emptyDocument, true)
	if err != nil {
		return missing, err
	}
	return u.apply(doc, true)
}
