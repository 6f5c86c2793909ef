package localdb

import (
	"bytes"
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
	index   *index
	spans   []span
	points  int    // columns bound by equality or $in
	single  int    // of these, by equality
	ranged  bool   // the column after them is bound by a range
	ordered bool   // candidates come in the order of the sort
	reverse bool   // read backwards
	covered bool   // the entries are the answer: no document needs a look
	multi   uint32 // columns that hold arrays: a document may come up more than once
}

// newPlan says what index x can do for the conditions and the sort.
func newPlan(x *index, multi uint32, c *conditions, sort []column) *plan {
	p := &plan{index: x, multi: multi}
	prefixes := p.prefixes(c)
	p.spans = p.ranges(prefixes, c)
	p.ordered, p.reverse = p.order(c, sort)
	used := p.points
	if p.ranged {
		used++
	}
	p.covered = c.exact && used == len(c.paths) && !p.halved(c)
	return p
}

// prefixes binds the first columns: every combination of their values is one prefix of keys.
func (p *plan) prefixes(c *conditions) [][]byte {
	prefixes := [][]byte{nil}
	for _, col := range p.index.Columns {
		k := c.paths[col.Path]
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
		if len(k.points) == 1 {
			p.single++
		}
	}
	if len(prefixes) > 1 {
		slices.SortFunc(prefixes, bytes.Compare)
		prefixes = slices.CompactFunc(prefixes, bytes.Equal)
	}
	return prefixes
}

// halved tells whether only one bound of the range may be used: an array matches {$gt: 1, $lt: 5} also with two
// elements of which neither is between.
func (p *plan) halved(c *conditions) bool {
	if !p.ranged || p.multi&(1<<p.points) == 0 {
		return false
	}
	k := c.paths[p.index.Columns[p.points].Path]
	return k.lo != nil && k.hi != nil && !k.elem
}

func (p *plan) ranges(prefixes [][]byte, c *conditions) []span {
	spans := make([]span, len(prefixes))
	for i, prefix := range prefixes {
		spans[i] = span{prefix: len(prefix), lo: prefix, hi: successor(prefix)}
	}
	if p.points == len(p.index.Columns) {
		return spans
	}
	col := p.index.Columns[p.points]
	k := c.paths[col.Path]
	if k == nil || k.lo == nil && k.hi == nil {
		return spans
	}
	p.ranged = true
	lo, hi := k.lo, k.hi
	if p.halved(c) {
		hi = nil
	}
	for i, prefix := range prefixes {
		spans[i].lo, spans[i].hi = rangeKeys(prefix, col.Desc, lo, hi)
	}
	return spans
}

// rangeKeys turns bounds into keys. A missing bound is the end of the other one's type class: {$gt: 5} finds numbers.
func rangeKeys(prefix []byte, desc bool, lo, hi *bound) (from, to []byte) {
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

// order tells whether the columns after the bound ones are those of the sort, all as they are or all turned over.
func (p *plan) order(c *conditions, sort []column) (ordered, reverse bool) {
	rest := p.index.Columns[p.points:]
	if !p.index.primary {
		rest = append(slices.Clone(rest), column{Path: "_id"}) // every key ends with it
	}
	next, direction := 0, 0
	for _, s := range sort {
		if p.constant(c, s.Path) {
			continue
		}
		if next == len(rest) || rest[next].Path != s.Path {
			return false, false
		}
		at := p.points + next
		if at < len(p.index.Columns) && p.multi&(1<<at) != 0 {
			return false, false // an array sorts by one of its elements, but has an entry for each
		}
		want := 1
		if rest[next].Desc != s.Desc {
			want = -1
		}
		if direction == 0 {
			direction = want
		}
		if direction != want {
			return false, false
		}
		if s.Path == "_id" {
			break // it is unique: nothing after it matters
		}
		next++
	}
	return true, direction < 0
}

// constant tells whether every candidate has the same single value at the path.
func (p *plan) constant(c *conditions, path string) bool {
	for i, col := range p.index.Columns[:p.points] {
		if col.Path == path {
			return p.multi&(1<<i) == 0 && len(c.paths[path].points) == 1
		}
	}
	return false
}

// useful tells whether the plan is better than reading everything in any order.
func (p *plan) useful(sorted bool) bool {
	return p.points > 0 || p.ranged || sorted && p.ordered
}

// bound is how many columns the filter binds, equalities before all else.
func (p *plan) bound() int {
	n := 100*p.single + 10*(p.points-p.single)
	if p.ranged {
		n++
	}
	return n
}

// dominates tells whether p does all that o does: it binds as much, in the same or more columns, and orders as well.
// One that binds nothing reads everything in the worst case, so any other one is better.
func (p *plan) dominates(o *plan) bool {
	if (p.bound() > 0) != (o.bound() > 0) {
		return p.bound() > 0
	}
	if p.bound() < o.bound() || o.ordered && !p.ordered {
		return false
	}
	mine := p.index.Columns[:p.points]
	for _, col := range o.index.Columns[:o.points] {
		if !slices.ContainsFunc(mine, func(m column) bool { return m.Path == col.Path }) {
			return false
		}
	}
	return true
}

// concerns tells whether the index can be of any use: its first column must be bound, or be the sort's first.
func (x *index) concerns(cond *conditions, sort []column) bool {
	first := x.Columns[0].Path
	return cond.paths[first] != nil || len(sort) > 0 && sort[0].Path == first
}

// choose picks the plan. Where one does not dominate, a look at the first entries tells which range is short; between
// long ones, order wins (a limit then stops early), then the longer run of equalities.
func (c *Collection) choose(tx *bbolt.Tx, cond *conditions, sort []column) *plan {
	whole := newPlan(c.primary, 0, cond, sort)
	if whole.points > 0 {
		return whole // nothing is narrower than the _id
	}
	var plans []*plan
	consider := func(p *plan) {
		if !p.useful(len(sort) > 0) || slices.ContainsFunc(plans, func(q *plan) bool { return q.dominates(p) }) {
			return
		}
		plans = append(slices.DeleteFunc(plans, p.dominates), p)
	}
	consider(whole)
	for _, x := range *c.indexes.Load() {
		if x.concerns(cond, sort) && tx.Bucket(x.bucket) != nil {
			consider(newPlan(x, x.multi(tx), cond, sort))
		}
	}
	switch len(plans) {
	case 0:
		return whole
	case 1:
		return plans[0]
	}
	return shortest(tx, plans)
}

func shortest(tx *bbolt.Tx, plans []*plan) *plan {
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
			return flag(a.ordered) - flag(b.ordered)
		}
		return a.bound() - b.bound()
	})
}
