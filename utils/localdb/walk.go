package localdb

import (
	"bytes"
	"container/heap"
	"iter"

	"go.etcd.io/bbolt"
)

// reader iterates over the keys of one span.
type reader struct {
	*bbolt.Cursor
	span
	reverse    bool
	first      []byte // the bucket's first key, when reading in reverse
	key, value []byte
}

// move advances to the next key, or the first one, and reports whether there is one.
func (r *reader) move(first bool) bool {
	switch {
	case first && r.reverse:
		r.last()
	case first:
		r.key, r.value = r.Seek(r.lo)
	case r.reverse:
		r.back()
	default:
		r.key, r.value = r.Next()
	}
	if r.reverse {
		return r.key != nil && bytes.Compare(r.key, r.lo) >= 0
	}
	return r.key != nil && (r.hi == nil || bytes.Compare(r.key, r.hi) < 0)
}

// last moves to the last key below hi.
func (r *reader) last() {
	if r.key = nil; r.first == nil {
		return // bbolt's Last doesn't return if a transaction deleted all keys
	}
	if r.hi != nil {
		if r.key, _ = r.Seek(r.hi); r.key != nil {
			r.back()
			return
		}
	}
	r.key, r.value = r.Last()
}

// back moves to the previous key. In between there may be pages that the transaction emptied: on those, bbolt's Prev
// returns nil, as it does at the beginning.
func (r *reader) back() {
	if bytes.Equal(r.key, r.first) {
		r.key = nil
		return
	}
	for r.key = nil; r.key == nil; {
		r.key, r.value = r.Prev()
	}
}

// merge is a heap of readers, with the next key on top. Keys are compared after their prefix: by the columns of the
// sort.
type merge []*reader

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m merge) Less(i, j int) bool {
	n := bytes.Compare(m[i].key[m[i].prefix:], m[j].key[m[j].prefix:])
	return n < 0 != m[i].reverse && n != 0
}
func (m *merge) Push(x any) { *m = append(*m, x.(*reader)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// entries iterates over the plan's keys and their values; if the plan serves a sort, in its order.
func (p *plan) entries(tx *bbolt.Tx) iter.Seq2[[]byte, []byte] {
	if p.many && p.ordered && len(p.sort) > 0 {
		return p.merged(tx)
	}
	return p.oneByOne(tx)
}

// oneByOne reads the spans one after another.
func (p *plan) oneByOne(tx *bbolt.Tx) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		cursor, first := p.cursor(tx)
		for s := range p.spans() {
			r := &reader{Cursor: cursor, span: s, reverse: p.reverse, first: first}
			for more := r.move(true); more; more = r.move(false) {
				if !yield(r.key, r.value) {
					return
				}
			}
		}
	}
}

// merged reads all spans at once, in the order of the sort.
func (p *plan) merged(tx *bbolt.Tx) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		_, first := p.cursor(tx)
		var all merge
		for s := range p.spans() {
			r := &reader{Cursor: tx.Bucket(p.index.bucket).Cursor(), span: s, reverse: p.reverse, first: first}
			if r.move(true) {
				all = append(all, r)
			}
		}
		heap.Init(&all)
		for len(all) > 0 {
			r := all[0]
			if !yield(r.key, r.value) {
				return
			}
			if r.move(false) {
				heap.Fix(&all, 0)
			} else {
				heap.Pop(&all)
			}
		}
	}
}

// cursor opens a cursor on the index, and returns the index's first key if it is needed.
func (p *plan) cursor(tx *bbolt.Tx) (c *bbolt.Cursor, first []byte) {
	bucket := tx.Bucket(p.index.bucket)
	if p.reverse {
		first, _ = bucket.Cursor().First()
	}
	return bucket.Cursor(), first
}

// candidates iterates over the _ids of the plan's documents, without duplicates, and over the documents where they come
// for free.
func (p *plan) candidates(tx *bbolt.Tx) iter.Seq2[[]byte, []byte] {
	if p.index.primary {
		return p.entries(tx)
	}
	return func(yield func(id, raw []byte) bool) {
		seen := map[string]bool{}
		for key, offset := range p.entries(tx) {
			id := idPart(key, offset)
			if p.multi != 0 {
				if seen[string(id)] {
					continue
				}
				seen[string(id)] = true
			}
			if !yield(id, nil) {
				return
			}
		}
	}
}

// size counts the plan's entries, up to most.
func (p *plan) size(tx *bbolt.Tx, most int) (n int) {
	for range p.oneByOne(tx) {
		if n++; n >= most {
			break
		}
	}
	return n
}
