package localdb

import (
	"bytes"
	"container/heap"
	"iter"

	"go.etcd.io/bbolt"
)

// reader goes through the keys of one span.
type reader struct {
	*bbolt.Cursor
	span
	reverse    bool
	first      []byte // of all keys there, where it reads in reverse
	key, value []byte
}

// move goes to the next key, or the first, and tells whether there is one.
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

// last goes to the last key below hi.
func (r *reader) last() {
	if r.key = nil; r.first == nil {
		return // bbolt's Last does not end where a transaction deleted all
	}
	if r.hi != nil {
		if r.key, _ = r.Seek(r.hi); r.key != nil {
			r.back()
			return
		}
	}
	r.key, r.value = r.Last()
}

// back goes to the key before. Between them may lie pages that the transaction emptied: on those, bbolt's Prev returns
// nil as it does at the beginning.
func (r *reader) back() {
	if bytes.Equal(r.key, r.first) {
		r.key = nil
		return
	}
	for r.key = nil; r.key == nil; {
		r.key, r.value = r.Prev()
	}
}

// merge is a heap of readers, the one with the next key on top. Keys are compared after their prefix: by the columns
// that the sort is about.
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

// entries goes through the keys of the plan, and their values; where the plan serves a sort, in its order.
func (p *plan) entries(tx *bbolt.Tx) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		bucket := tx.Bucket(p.index.bucket)
		var first []byte
		if p.reverse {
			first, _ = bucket.Cursor().First()
		}
		var all merge
		merged := p.ordered && len(p.sort) > 0 && len(p.spans) > 1
		var cursor *bbolt.Cursor
		for _, s := range p.spans {
			if cursor == nil || merged { // spans that are read one after the other share it
				cursor = bucket.Cursor()
			}
			r := &reader{Cursor: cursor, span: s, reverse: p.reverse, first: first}
			more := r.move(true)
			if merged {
				if more {
					all = append(all, r)
				}
				continue
			}
			for ; more; more = r.move(false) {
				if !yield(r.key, r.value) {
					return
				}
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

// candidates goes through the _ids of the plan's documents, once each, and the documents where they come along.
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
	for range p.entries(tx) {
		if n++; n >= most {
			break
		}
	}
	return n
}
