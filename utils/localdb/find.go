package localdb

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/bbolt"
)

// hit is a matching document. Its bytes belong to the transaction and, in a write, are only valid until the first
// change.
type hit struct{ id, raw, order []byte }

// find calls visit with every matching document, in the query's order, up to its limit.
func (c *Collection) find(ctx context.Context, tx *bbolt.Tx, q *query, visit func(hit)) error {
	docs := tx.Bucket(c.docs)
	if docs == nil {
		return nil
	}
	p := c.choose(tx, q)
	if p.bound() == 0 && (len(q.filter) > 0 || !p.ordered) { // a filter that binds no column, or a sort of everything
		c.db.scans.Add(1)
		c.db.note(c.name, q.paths())
	}
	if p.ordered {
		found := 0
		return q.scan(ctx, tx, docs, p, func(h hit) (more bool, err error) {
			visit(h)
			found++
			return found != q.limit, nil
		})
	}
	var unsorted []hit
	err := q.scan(ctx, tx, docs, p, func(h hit) (more bool, err error) {
		keys, _, err := tuples(document(h.raw), q.sort)
		if err != nil {
			return false, err
		}
		h.order = append(keys[0], h.id...)
		unsorted = append(unsorted, h)
		if q.limit > 0 && len(unsorted) > 1000+4*q.limit {
			unsorted = q.best(unsorted) // bounds the memory that a sort with a limit takes
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, h := range q.best(unsorted) {
		visit(h)
	}
	return nil
}

// scan passes on a plan's matching candidates, in the plan's order, until take wants no more.
func (q *query) scan(ctx context.Context, tx *bbolt.Tx, docs *bbolt.Bucket, p *plan, take func(hit) (more bool, err error)) error {
	cursor := docs.Cursor() // shared: Get would create one each time
	looked := 0
	for id, raw := range p.candidates(tx) {
		if looked++; looked%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if raw == nil {
			var at []byte
			if at, raw = cursor.Seek(id); !bytes.Equal(at, id) {
				raw = nil
			}
		}
		if !q.filter.match(document(raw)) {
			continue
		}
		if more, err := take(hit{id: id, raw: raw}); err != nil || !more {
			return err
		}
	}
	return nil
}

func (q *query) best(hits []hit) []hit {
	slices.SortFunc(hits, func(a, b hit) int { return bytes.Compare(a.order, b.order) })
	if q.limit > 0 && len(hits) > q.limit {
		hits = hits[:q.limit]
	}
	return hits
}

// collect reads all matching documents as copies: a write may move the bytes that a transaction refers to.
func (c *Collection) collect(w *writeTx, q *query) (hits []hit, err error) {
	err = c.find(context.Background(), w.tx, q, func(h hit) {
		hits = append(hits, hit{id: bytes.Clone(h.id), raw: bytes.Clone(h.raw)})
	})
	return hits, err
}

// count counts the matching documents. If an index covers the filter, it reads none of them.
func (c *Collection) count(ctx context.Context, tx *bbolt.Tx, q *query) (n int64, err error) {
	if tx.Bucket(c.docs) == nil {
		return 0, nil
	}
	p := c.choose(tx, q)
	if !p.covers() {
		err := c.find(ctx, tx, q, func(hit) { n++ })
		return n, err
	}
	for range p.candidates(tx) {
		if n++; n == int64(q.limit) || ctx.Err() != nil {
			break
		}
	}
	return n, ctx.Err()
}
