package localdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/256dpi/lungo/bsonkit"
	"go.etcd.io/bbolt"
)

// maxFindings bounds what Check tells of a file that is broken all over.
const maxFindings = 20

// findings collects what is wrong with a file.
type findings struct{ list []error }

func (f *findings) add(format string, args ...any) {
	if len(f.list) < maxFindings {
		f.list = append(f.list, fmt.Errorf("localdb: "+format, args...))
	}
}

// Check reads the whole file and returns what is wrong with it: pages, documents, and entries of indexes that a document
// lacks, that lack a document, or that two documents hold in a unique index. Writes wait meanwhile; nothing is changed.
func (d *DB) Check(ctx context.Context) error {
	found := new(findings)
	err := d.write(ctx, &operation{alone: true, do: func(w *writeTx) error {
		*found = findings{}
		for err := range w.tx.Check() {
			found.add("the file: %v", err)
		}
		if len(found.list) > 0 {
			return nil // what stands on a damaged page cannot be judged
		}
		err := w.tx.ForEach(func(bucket []byte, _ *bbolt.Bucket) error {
			if name, isDocs := strings.CutPrefix(string(bucket), "docs/"); isDocs {
				d.Collection(name) // one without indexes may not be known yet
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, c := range d.all() {
			if err := c.check(ctx, w.tx, found); err != nil {
				return err
			}
		}
		return nil
	}})
	return errors.Join(append(found.list, err)...)
}

// all lists the collections that are known so far.
func (d *DB) all() []*Collection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.collections))
}

func (c *Collection) check(ctx context.Context, tx *bbolt.Tx, found *findings) error {
	indexes := slices.Clone(*c.indexes.Load())
	indexes = slices.DeleteFunc(indexes, func(x *index) bool {
		if tx.Bucket(x.bucket) == nil {
			found.add("index %s of %s has no bucket", x.Name, c.name)
			return true
		}
		return false
	})
	docs := tx.Bucket(c.docs)
	entries := make([]int, len(indexes)) // by index, as the documents have them
	if docs != nil {
		looked := 0
		err := docs.ForEach(func(id, raw []byte) error {
			if looked++; looked%256 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			c.checkDocument(tx, indexes, id, raw, entries, found)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i, x := range indexes {
		if n := c.checkEntries(tx, x, docs, found); n != entries[i] {
			found.add("index %s of %s has %d entries, its documents have %d", x.Name, c.name, n, entries[i])
		}
	}
	return ctx.Err()
}

// checkDocument looks for every entry that the document must have, and counts them.
func (c *Collection) checkDocument(tx *bbolt.Tx, indexes []*index, id, raw []byte, entries []int, found *findings) {
	doc, err := decode(raw)
	if err != nil {
		found.add("document %x of %s cannot be read: %w", id, c.name, err)
		return
	}
	if !bytes.Equal(id, appendKey(nil, bsonkit.Get(&doc, "_id"))) {
		found.add("document %x of %s is kept under what is not its _id", id, c.name)
	}
	for i, x := range indexes {
		list, multi, err := x.entries(&doc, id)
		if err != nil {
			found.add("document %x of %s: %w", id, c.name, err)
			continue
		}
		if multi&^x.multi(tx) != 0 {
			found.add("index %s of %s does not know all its array columns", x.Name, c.name)
		}
		bucket := tx.Bucket(x.bucket)
		for _, e := range list {
			entries[i]++
			if !bytes.Equal(bucket.Get(e.key), e.offset()) {
				found.add("document %x of %s has no entry in index %s", id, c.name, x.Name)
			}
		}
	}
}

// checkEntries looks for the document of every entry, and counts the entries.
func (c *Collection) checkEntries(tx *bbolt.Tx, x *index, docs *bbolt.Bucket, found *findings) (n int) {
	var last []byte
	cursor := tx.Bucket(x.bucket).Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		n++
		at := len(key)
		if len(value) == 2 {
			at = min(at, int(binary.BigEndian.Uint16(value)))
		}
		if docs == nil || docs.Get(key[at:]) == nil {
			found.add("index %s of %s has an entry without document", x.Name, c.name)
		}
		if x.Unique && last != nil && bytes.Equal(last, key[:at]) {
			found.add("unique index %s of %s: a value is held twice", x.Name, c.name)
		}
		last = key[:at]
	}
	return n
}
