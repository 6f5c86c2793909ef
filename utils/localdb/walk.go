package localdb

import (
	"bytes"
	"container/heap"
	"context"
	"slices"

	"go.etcd.io/bbolt"
)

// hit is a document of an answer. Its bytes belong to the transaction, and in a write only until the first one.
type hit struct {
	id, raw, order []byte
}

// reader goes through the keys of one span.
type reader struct {
	cursor     *bbolt.Cursor
	span       span
	reverse    bool
	key, value []byte
}

func (r *reader) first() bool {
	if !r.reverse {
		r.key, r.value = r.cursor.Seek(r.span.lo)
		return r.inside()
	}
	if r.span.hi == nil {
		r.key, r.value = r.cursor.Last()
		return r.inside()
	}
	if r.key, r.value = r.cursor.Seek(r.span.hi); r.key == nil {
		r.key, r.value = r.cursor.Last()
		return r.inside()
	}
	return r.next()
}

func (r *reader) next() bool {
	if r.reverse {
		r.key, r.value = r.cursor.Prev()
	} else {
		r.key, r.value = r.cursor.Next()
	}
	return r.inside()
}

func (r *reader) inside() bool {
	if r.key == nil {
		return false
	}
	if r.reverse {
		return bytes.Compare(r.key, r.span.lo) >= 0
	}
	return r.span.hi == nil || bytes.Compare(r.key, r.span.hi) < 0
}

// merge is a heap of readers, the one with the next key on top. Keys are compared after their prefix: by the columns
// that the sort is about.
type merge []*reader

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m merge) Less(i, j int) bool {
	n := bytes.Compare(m[i].key[m[i].span.prefix:], m[j].key[m[j].span.prefix:])
	return n < 0 != m[i].reverse && n != 0
}
func (m *merge) Push(x any) { *m = append(*m, x.(*reader)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// keys calls visit with every key of the plan, in order when there is a sort that the plan serves, until it says no.
func (p *plan) keys(tx *bbolt.Tx, inOrder bool, visit func(key, value []byte) (bool, error)) error {
	bucket := tx.Bucket(p.index.bucket)
	if bucket == nil {
		return nil
	}
	var all merge
	for _, s := range p.spans {
		r := &reader{cursor: bucket.Cursor(), span: s, reverse: p.reverse}
		if inOrder && len(p.spans) > 1 {
			if r.first() {
				all = append(all, r)
			}
			continue
		}
		for ok := r.first(); ok; ok = r.next() {
			if more, err := visit(r.key, r.value); !more || err != nil {
				return err
			}
		}
	}
	heap.Init(&all)
	for len(all) > 0 {
		r := all[0]
		if more, err := visit(r.key, r.value); !more || err != nil {
			return err
		}
		if r.next() {
			heap.Fix(&all, 0)
			continue
		}
		heap.Pop(&all)
	}
	return nil
}

// ids calls visit with the _id of every candidate, once each.
func (p *plan) ids(tx *bbolt.Tx, inOrder bool, visit func(id, raw []byte) (bool, error)) error {
	if p.index.primary {
		return p.keys(tx, inOrder, visit)
	}
	seen := map[string]struct{}{}
	return p.keys(tx, inOrder, func(key, value []byte) (bool, error) {
		id := idPart(key, value)
		if p.multi != 0 {
			if _, again := seen[string(id)]; again {
				return true, nil
			}
			seen[string(id)] = struct{}{}
		}
		return visit(id, nil)
	})
}

// size counts the plan's keys, up to most.
func (p *plan) size(tx *bbolt.Tx, most int) int {
	n := 0
	_ = p.keys(tx, false, func(_, _ []byte) (bool, error) { // visit never fails
		n++
		return n < most, nil
	})
	return n
}

// plan chooses, and counts what no index serves: a filter that binds no column, or a sort of everything.
func (c *Collection) plan(tx *bbolt.Tx, q *query) *plan {
	p := c.choose(tx, q)
	if p.points == 0 && !p.ranged && (len(q.doc) > 0 || !p.ordered) {
		c.db.scans.Add(1)
		c.db.note(c.name, q.fields)
	}
	return p
}

// find calls visit with every document that matches, in the query's order, up to its limit.
func (c *Collection) find(ctx context.Context, tx *bbolt.Tx, q *query, visit func(hit) error) error {
	docs := tx.Bucket(c.docs)
	if docs == nil {
		return nil
	}
	p := c.plan(tx, q)
	var unsorted []hit
	looked, found := 0, 0
	err := p.ids(tx, len(q.sort) > 0 && p.ordered, func(id, raw []byte) (bool, error) {
		if looked++; looked%256 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if raw == nil {
			raw = docs.Get(id)
		}
		doc, err := decodeFields(raw, q.fields)
		if err != nil {
			return false, err
		}
		if ok, err := q.match(&doc); !ok || err != nil {
			return true, err
		}
		if !p.ordered {
			keys, _, err := tuples(&doc, q.sort)
			if err != nil {
				return false, err
			}
			unsorted = q.keep(append(unsorted, hit{id: id, raw: raw, order: append(keys[0], id...)}))
			return true, nil
		}
		found++
		return q.limit == 0 || found < q.limit, visit(hit{id: id, raw: raw})
	})
	if err != nil {
		return err
	}
	for _, h := range q.best(unsorted) {
		if err := visit(h); err != nil {
			return err
		}
	}
	return nil
}

// keep bounds what a sort with a limit holds in memory.
func (q *query) keep(hits []hit) []hit {
	if q.limit == 0 || len(hits) < 1000+4*q.limit {
		return hits
	}
	return q.best(hits)
}

func (q *query) best(hits []hit) []hit {
	slices.SortFunc(hits, func(a, b hit) int { return bytes.Compare(a.order, b.order) })
	if q.limit > 0 && len(hits) > q.limit {
		hits = hits[:q.limit]
	}
	return hits
}
