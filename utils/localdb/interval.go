package localdb

import (
	"bytes"
	"math"
	"slices"
)

// interval is a range of keys, from lo (inclusive) to hi (exclusive). Every comparison in a filter is reduced to
// intervals, which are used both to match documents and to read indexes.
type interval struct{ lo, hi []byte }

var keyOfNaN = appendNumber(nil, math.NaN(), 0)

// compared is the interval of the values equal to v, or related to it by $gt, $gte, $lt or $lte. These only match
// values of v's type; among numbers, NaN is related to no other.
func compared(op string, v value) interval {
	key := keyOf(v)
	equal := interval{key, successor(key)}
	if op == "$eq" || op == "$in" { // the most common case needs no more than this
		return equal
	}
	class := interval{key[:1], successor(key[:1])}
	if bytes.Equal(key, keyOfNaN) {
		class = equal
	} else if key[0] == tagNumber {
		class.lo = successor(keyOfNaN)
	}
	switch op {
	case "$gt":
		return interval{equal.hi, class.hi}
	case "$gte":
		return interval{equal.lo, class.hi}
	case "$lt":
		return interval{class.lo, equal.lo}
	case "$lte":
		return interval{class.lo, equal.hi}
	}
	return equal
}

// point reports whether the interval holds a single value. In a tuple, others can follow it.
func (iv interval) point() bool {
	var room [32]byte // enough for most keys: this runs for each value of a query and each index
	return bytes.Equal(iv.hi, appendSuccessor(room[:0], iv.lo))
}

// inverted is the interval for a descending column.
func (iv interval) inverted() interval {
	if iv.point() {
		lo := inverted(iv.lo)
		return interval{lo, successor(lo)}
	}
	return interval{successor(inverted(iv.hi)), successor(inverted(iv.lo))}
}

// inAny reports whether a key is in one of the sorted intervals.
func inAny(in []interval, key []byte) bool {
	i, exact := slices.BinarySearchFunc(in, key, func(iv interval, key []byte) int { return bytes.Compare(iv.lo, key) })
	if exact {
		i++ // the interval begins here, and may be empty
	}
	return i > 0 && bytes.Compare(key, in[i-1].hi) < 0
}

func ordered(in []interval) []interval {
	slices.SortFunc(in, func(a, b interval) int { return bytes.Compare(a.lo, b.lo) })
	return slices.CompactFunc(in, func(a, b interval) bool { return bytes.Equal(a.lo, b.lo) })
}

// intersection intersects two sorted lists of disjoint intervals into another one.
func intersection(a, b []interval) []interval {
	both := []interval{}
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		if bytes.Compare(x.hi, y.hi) > 0 {
			x, y, a, b = y, x, b, a
		}
		if a = a[1:]; bytes.Compare(x.lo, y.lo) < 0 { // x ends first
			x.lo = y.lo
		}
		if bytes.Compare(x.lo, x.hi) < 0 {
			both = append(both, x)
		}
	}
	return both
}
