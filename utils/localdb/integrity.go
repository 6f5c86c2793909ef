package localdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// maxFindings bounds what Check reports about a badly damaged file.
const maxFindings = 20

// findings collects the damage in a file.
type findings struct{ list []error }

func (f *findings) add(format string, args ...any) {
	if len(f.list) < maxFindings {
		f.list = append(f.list, fmt.Errorf("localdb: "+format, args...))
	}
}

// Check reads the whole file and reports damage: in pages, in documents, and in indexes (missing entries, entries
// without a document, and duplicates in a unique index). Writes wait until it is done; it changes nothing.
func (d *DB) Check(ctx context.Context) error {
	if err := d.outside(ctx, "Check"); err != nil {
		return err
	}
	found := new(findings)
	if d.readOnly {
		err := d.view(ctx, func(tx *bbolt.Tx) error { return d.check(ctx, tx, found) })
		return errors.Join(append(found.list, err)...)
	}
	// An operation's shared transaction shows its neighbours' writes only partially: pages are written at commit.
	err := d.write(ctx, func(*writeTx) error {
		*found = findings{}
		return d.view(ctx, func(tx *bbolt.Tx) error { return d.check(ctx, tx, found) })
	})
	return errors.Join(append(found.list, err)...)
}

func (d *DB) check(ctx context.Context, tx *bbolt.Tx, found *findings) error {
	for err := range tx.Check() {
		found.add("the file: %v", err)
	}
	if len(found.list) > 0 {
		return nil // what is on a damaged page cannot be judged
	}
	err := tx.ForEach(func(bucket []byte, _ *bbolt.Bucket) error {
		if name, isDocs := strings.CutPrefix(string(bucket), "docs/"); isDocs {
			d.Collection(name) // a collection without indexes may not be known yet
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range d.all() {
		if err := c.check(ctx, tx, found); err != nil {
			return err
		}
	}
	return nil
}

// all lists the collections known so far.
func (d *DB) all() []*Collection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.collections))
}

func (c *Collection) check(ctx context.Context, tx *bbolt.Tx, found *findings) error {
	var indexes []*index
	for _, x := range c.indexesIn(tx) {
		if tx.Bucket(x.bucket) == nil {
			found.add("index %s of %s has no bucket", x.Name, c.name)
			continue
		}
		indexes = append(indexes, x)
	}
	want := make([]int, len(indexes)) // the number of entries per index, according to the documents
	if docs := tx.Bucket(c.docs); docs != nil {
		err := docs.ForEach(func(id, raw []byte) error {
			c.checkDocument(tx, indexes, id, raw, want, found)
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	for i, x := range indexes { // no entry is missing, so surplus entries have no document
		if n := tx.Bucket(x.bucket).Stats().KeyN; n != want[i] {
			found.add("index %s of %s has %d entries, its documents have %d", x.Name, c.name, n, want[i])
		}
	}
	return nil
}

// checkDocument looks up every entry that the document must have, and counts them.
func (c *Collection) checkDocument(tx *bbolt.Tx, indexes []*index, id, raw []byte, want []int, found *findings) {
	doc := document(raw)
	if err := check(doc, true); err != nil {
		found.add("document %x of %s cannot be read: %w", id, c.name, err)
		return
	}
	if !bytes.Equal(id, keyOf(field(doc, "_id"))) {
		found.add("document %x of %s is kept under what is not its _id", id, c.name)
	}
	for i, x := range indexes {
		list, multi, err := x.entries(doc, id)
		if err != nil {
			found.add("document %x of %s: %w", id, c.name, err)
		}
		if multi&^x.multi(tx.Bucket(metaBucket)) != 0 {
			found.add("index %s of %s does not know all its array columns", x.Name, c.name)
		}
		want[i] += len(list)
		for _, e := range list {
			if !bytes.Equal(tx.Bucket(x.bucket).Get(e.key), e.offset) {
				found.add("document %x of %s has no entry in index %s", id, c.name, x.Name)
			}
			if x.Unique && e.taken(tx.Bucket(x.bucket)) {
				found.add("unique index %s of %s: a value is held twice", x.Name, c.name)
			}
		}
	}
}
