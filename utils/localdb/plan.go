package localdb

import (
	"cmp"
	"iter"
	"slices"

	"go.etcd.io/bbolt"
)

const (
	maxSpans = 4096 // the maximum number of ranges that the values of $in may multiply to
	peek     = 64   // entries: a plan with fewer is chosen immediately
)

// span is an interval of an index's keys, which share the first prefix bytes. Without hi it extends to the end.
type span struct {
	interval
	prefix int
}

// plan is one way to find a query's candidates.
type plan struct {
	*query
	index   *index
	multi   uint32       // columns that hold arrays: a document may appear more than once
	binds   [][]interval // where the values of the leading columns must be
	points  int          // how many columns are bound to single values
	many    bool         // there is more than one combination of these values
	used    int          // how many of the query's demands the bound columns serve
	ordered bool         // candidates come in sort order
	reverse bool         // read backwards
}

// newPlan computes what index x can do for a query.
func newPlan(x *index, multi uint32, q *query) *plan {
	p := &plan{query: q, index: x, multi: multi}
	p.bind()
	p.order()
	return p
}

// array reports whether a column of the index ever held an array.
func (p *plan) array(column int) bool { return p.multi&(1<<column) != 0 }

// demand is where the filter requires a column's values to be, and how many of its demands that serves. Different
// elements of an array may meet different demands, but an index entry holds only one element.
func (p *plan) demand(column int) (in []interval, used int) {
	for _, d := range p.demands {
		switch {
		case d.path != p.index.Columns[column].Path || used > 0 && p.array(column):
			continue
		case used == 0:
			in = d.in
		default:
			in = intersection(in, d.in)
		}
		used++
	}
	return in, used
}

// bind finds the filter's conditions on the leading columns: single values, and perhaps ranges in the column after
// them.
func (p *plan) bind() {
	spans := 1
	for i := range p.index.Columns {
		in, used := p.demand(i)
		if spans *= len(in); used == 0 || spans > maxSpans {
			return
		}
		p.binds, p.many, p.used = append(p.binds, in), spans > 1, p.used+used
		if !allPoints(in) {
			return
		}
		p.points = i + 1
	}
}

func allPoints(in []interval) bool {
	return !slices.ContainsFunc(in, func(iv interval) bool { return !iv.point() })
}

// spans are the intervals of the index to read: every combination of the values of the bound columns is a key prefix.
// Most plans are never carried out, or only to their first entries, so each span is made when it is needed.
func (p *plan) spans() iter.Seq[span] {
	return func(yield func(span) bool) { p.grow(span{}, p.binds, yield) }
}

// grow extends a span by the values of further columns.
func (p *plan) grow(s span, binds [][]interval, yield func(span) bool) bool {
	if len(binds) == 0 {
		return yield(s)
	}
	descending := p.index.Columns[len(p.binds)-len(binds)].Desc
	for _, iv := range binds[0] {
		point := iv.point()
		if descending {
			iv = iv.inverted()
		}
		next := span{interval{slices.Concat(s.lo, iv.lo), slices.Concat(s.lo, iv.hi)}, len(s.lo)}
		if point {
			next.prefix = len(next.lo)
		}
		if !p.grow(next, binds[1:], yield) {
			return false
		}
	}
	return true
}

// bound is how many columns are bound at all.
func (p *plan) bound() int { return len(p.binds) }

// order determines whether the columns after the bound ones match the sort, either all as they are or all reversed.
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
			break // the _id is unique, so nothing after it matters
		}
		next++
	}
	p.ordered, p.reverse = true, direction < 0
}

// constant reports whether all candidates have the same single value at the path.
func (p *plan) constant(path string) bool {
	i := slices.IndexFunc(p.index.Columns[:p.points], func(c column) bool { return c.Path == path })
	if i < 0 || p.array(i) {
		return false
	}
	in, _ := p.demand(i)
	return len(in) == 1
}

// covers reports whether the entries alone are the result, so that no document needs to be read.
func (p *plan) covers() bool { return p.exact && p.used == len(p.demands) }

// better compares plans that both read a lot: one that binds nothing may read everything, one in sort order stops early
// at a limit, and one that binds more columns reads less.
func better(p, o *plan) int {
	ordered := func(p *plan) int {
		if p.ordered {
			return 1
		}
		return 0
	}
	return cmp.Or(min(p.bound(), 1)-min(o.bound(), 1), ordered(p)-ordered(o), p.bound()-o.bound())
}

// choose picks the plan. Peeking at the first entries of each reveals short ones.
func (c *Collection) choose(tx *bbolt.Tx, q *query) *plan {
	whole := newPlan(c.primary, 0, q)
	if whole.points > 0 {
		return whole // nothing is narrower than the _id
	}
	var plans []*plan
	if whole.bound() > 0 || whole.ordered && len(q.sort) > 0 {
		plans = append(plans, whole)
	}
	meta := tx.Bucket(metaBucket)
	for _, x := range *c.indexes.Load() {
		first := func(d condition) bool { return d.path == x.Columns[0].Path }
		sorts := len(q.sort) > 0 && q.sort[0].Path == x.Columns[0].Path
		if !sorts && !slices.ContainsFunc(q.demands, first) || !x.in(meta) {
			continue
		}
		if p := newPlan(x, x.multi(meta), q); p.bound() > 0 || p.ordered {
			plans = append(plans, p)
		}
	}
	switch len(plans) {
	case 0:
		return whole
	case 1:
		return plans[0]
	}
	best, least := slices.MaxFunc(plans, better), peek
	if best.ordered && best.used == len(q.demands) {
		return best // it already does everything possible
	}
	for _, p := range plans {
		if p.bound() == 0 && best.bound() > 0 {
			continue
		}
		if n := p.size(tx, least); n < least {
			best, least = p, n
		}
	}
	return best
}
