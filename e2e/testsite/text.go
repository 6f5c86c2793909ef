package testsite

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
)

// Disturbs describes how a displayed text would disturb its surroundings (UAX #9), or returns "".
func Disturbs(shown string) string {
	for line := range strings.FieldsFuncSeq(shown, func(r rune) bool { return class(r) == bidi.B }) {
		if fault := disturbs(line); fault != "" {
			return fault
		}
	}
	return ""
}

func class(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

// steers are the classes of characters that change the direction, or are written from right to left.
var steers = []bidi.Class{bidi.R, bidi.AL, bidi.AN, bidi.LRE, bidi.RLE, bidi.LRO, bidi.RLO, bidi.PDF}

func disturbs(line string) string {
	isolates, embeddings, marks := 0, []int{0}, 0 // embeddings: how many are open in each isolate, and outside of any
	for _, r := range line {
		if marks++; !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		}
		switch c := class(r); {
		case marks > 6:
			return "marks pile up"
		case c == bidi.LRI || c == bidi.RLI || c == bidi.FSI:
			isolates++
			embeddings = append(embeddings, 0)
		case c == bidi.PDI && isolates == 0:
			return "it ends an isolate that it did not open"
		case c == bidi.PDI:
			isolates--
			embeddings = embeddings[:isolates+1]
		case slices.Contains(steers, c) && isolates == 0:
			return "text is not isolated"
		case c == bidi.LRE || c == bidi.RLE || c == bidi.LRO || c == bidi.RLO:
			embeddings[isolates]++
		case c == bidi.PDF:
			if embeddings[isolates]--; embeddings[isolates] < 0 {
				return "it ends an embedding that it did not open"
			}
		}
	}
	if isolates > 0 {
		return "an isolate is not closed"
	}
	return ""
}
