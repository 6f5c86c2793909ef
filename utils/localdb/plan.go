package localdb

import (
	"math"
	"slices"

	"go.etcd.io/bbolt"
)

const (
	maxSpans = 4096 // how many ranges the values of $in may multiply to
	peek     = 64   // entries: a plan with fewer is taken at once
)

// span is a range of keys, lo inclusive, hi exclusive and nil for the end. Its keys share the first prefix bytes.
type span struct {
	prefix int
	lo, hi []byte
}

// plan is one way to find the candidates of a query.
type plan struct {
	*query
	index   *index
	multi   uint32 // columns that hold arrays: a document may come up more than once
	spans   []span
	points  int  // the first columns, bound by equality or $in
	ranged  bool // the column after them is bound by a range
	halved  bool // by one end of it only
	ordered bool // candidates come in the order of the sort
	reverse bool // read backwards
}

// newPlan says what index x can do for a query.
func newPlan(x *index, multi uint32, q *query) *plan {
	p := &plan{query: q, index: x, multi: multi}
	p.bind()
	p.order()
	return p
}

// bind turns what the filter says of the first columns into ranges: every combination of their values is one prefix
// of keys, and the column after them may have a range.
func (p *plan) bind() {
	prefixes := [][]byte{nil}
	for _, col := range p.index.Columns {
		k := p.paths[col.Path]
		if k == nil || k.points == nil || len(prefixes)*len(k.points) > maxSpans {
			break
		}
		grown := make([][]byte, 0, len(prefixes)*len(k.points))
		for _, prefix := range prefixes {
			for _, v := range k.points {
				grown = append(grown, join(prefix, v, col.Desc))
			}
		}
		prefixes = grown
		p.points++
	}
	var lo, hi *bound
	var desc bool
	if p.points < len(p.index.Columns) {
		col := p.index.Columns[p.points]
		if k := p.paths[col.Path]; k != nil && (k.lo != nil || k.hi != nil) {
			p.ranged, lo, hi, desc = true, k.lo, k.hi, col.Desc
			// An array matches {$gt: 1, $lt: 5} also with two elements of which neither is between.
			if p.halved = p.array(p.points) && lo != nil && hi != nil && !k.elem; p.halved {
				hi = nil
			}
		}
	}
	for _, prefix := range distinct(prefixes) {
		s := span{prefix: len(prefix), lo: prefix, hi: successor(prefix)}
		if p.ranged {
			s.lo, s.hi = rangeKeys(prefix, desc, lo, hi)
		}
		p.spans = append(p.spans, s)
	}
}

// array tells whether a column of the index ever held an array.
func (p *plan) array(column int) bool { return p.multi&(1<<column) != 0 }

// rangeKeys turns bounds into keys. A missing bound is the end of the other one's type: {$gt: 5} finds numbers, and of
// these {$lt: 5} does not find NaN, which is kept below them.
func rangeKeys(prefix []byte, desc bool, lo, hi *bound) (from, to []byte) {
	if hi != nil && lo == nil {
		if _, isNumber := number(hi.v); isNumber {
			lo = &bound{v: math.Inf(-1)}
		}
	}
	some := lo
	if some == nil {
		some = hi
	}
	class := join(prefix, some.v, desc)[:len(prefix)+1]
	from, to = class, successor(class)
	if desc {
		lo, hi = hi, lo
	}
	if lo != nil {
		from = join(prefix, lo.v, desc)
		if lo.open {
			from = successor(from)
		}
	}
	if hi != nil {
		to = join(prefix, hi.v, desc)
		if !hi.open {
			to = successor(to)
		}
	}
	return from, to
}

// order finds out whether the columns after the bound ones are those of the sort, all as they are or all turned over.
func (p *plan) order() {
	rest := p.index.Columns[p.points:]
	if !p.index.primary {
		rest = append(slices.Clone(rest), column{Path: "_id"}) // every key ends with it
	}
	next, direction := 0, 0
	for _, s := range p.sort {
		if p.constant(s.Path) {
			continue
		}
		// An array sorts by one of its elements, but has an entry for each.
		if next == len(rest) || rest[next].Path != s.Path || p.array(p.points+next) {
			return
		}
		want := 1
		if rest[next].Desc != s.Desc {
			want = -1
		}
		if direction == -want {
			return
		}
		direction = want
		if s.Path == "_id" {
			break // it is unique: nothing after it matters
		}
		next++
	}
	p.ordered, p.reverse = true, direction < 0
}

// constant tells whether every candidate has the same single value at the path.
func (p *plan) constant(path string) bool {
	i := slices.IndexFunc(p.index.Columns[:p.points], func(c column) bool { return c.Path == path })
	return i >= 0 && !p.array(i) && len(p.paths[path].points) == 1
}

// bound lists the columns that narrow what is read.
func (p *plan) bound() []column {
	if p.ranged {
		return p.index.Columns[:p.points+1]
	}
	return p.index.Columns[:p.points]
}

// covers tells whether the entries are the answer, so that no document needs a look.
func (p *plan) covers() bool { return p.exact && len(p.bound()) == len(p.paths) && !p.halved }

// dominates tells whether p does all that o does: it binds the same paths or more, and orders as well. One that binds
// nothing reads everything in the worst case, so any that binds something is better.
func (p *plan) dominates(o *plan) bool {
	if len(o.bound()) == 0 && len(p.bound()) > 0 {
		return true
	}
	return (p.ordered || !o.ordered) && !slices.ContainsFunc(o.bound(), func(c column) bool {
		return !slices.ContainsFunc(p.bound(), func(m column) bool { return m.Path == c.Path })
	})
}

// choose picks the plan. Where one does not dominate, a look at the first entries tells which range is short; between
// long ones, order wins (a limit then stops early), then the number of bound columns.
func (c *Collection) choose(tx *bbolt.Tx, q *query) *plan {
	plans := []*plan{newPlan(c.primary, 0, q)}
	if plans[0].points > 0 {
		return plans[0] // nothing is narrower than the _id
	}
	for _, x := range *c.indexes.Load() {
		first := x.Columns[0].Path
		if q.paths[first] == nil && (len(q.sort) == 0 || q.sort[0].Path != first) || tx.Bucket(x.bucket) == nil {
			continue
		}
		p := newPlan(x, x.multi(tx), q)
		if !slices.ContainsFunc(plans, func(o *plan) bool { return o.dominates(p) }) {
			plans = append(slices.DeleteFunc(plans, p.dominates), p)
		}
	}
	if len(plans) == 1 {
		return plans[0]
	}
	best, least := plans[0], peek
	for _, p := range plans {
		if n := p.size(tx, least); n < least {
			best, least = p, n
		}
	}
	if least < peek {
		return best
	}
	return slices.MaxFunc(plans, func(a, b *plan) int {
		if a.ordered != b.ordered {
			if a.ordered {
				return 1
			}
			return -1
		}
		return len(a.bound()) - len(b.bound())
	})
}
