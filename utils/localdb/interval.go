package localdb

import (
	"bytes"
	"math"
	"slices"
)

// interval is a range of keys: from lo on, up to and without hi. What a filter compares with a field comes down to such
// intervals, which both the matching of documents and the reading of an index go by.
type interval struct{ lo, hi []byte }

var keyOfNaN = appendNumber(nil, math.NaN(), 0)

// compared is the interval of what is equal to v, or in one of the relations of $gt, $gte, $lt, $lte to it. These find
// values of v's type only, and of the numbers NaN is in no relation to any other.
func compared(op string, v value) interval {
	key := keyOf(v)
	equal := interval{key, successor(key)}
	if op == "$eq" || op == "$in" { // most of what is asked: it needs no more than this
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

// point tells whether the interval holds one value. Others can follow it in a tuple.
func (iv interval) point() bool {
	var room [32]byte // enough for most keys: a query asks this of each value, for each index
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

// inAny tells whether a key is in one of the intervals, which are in order.
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

// intersection takes lists in order, of intervals that do not overlap, and makes such a list.
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
