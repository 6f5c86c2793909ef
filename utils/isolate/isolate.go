// Package isolate keeps text that users wrote from affecting the text around it, wherever it is shown: it cannot
// reverse its surroundings, and marks cannot pile up over other lines.
//
// Does not belong here: escaping (html/template), and which text is allowed at all (models).
package isolate

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

const (
	firstStrongIsolate = '\u2068'
	popIsolate         = '\u2069'
	popFormatting      = '\u202c'
	// mostMarks is how many marks are kept on one letter. Fully pointed Hebrew, and Tibetan, need five.
	mostMarks = 6
)

// Text returns s with each of its lines closed (what it opens ends with it, and it can't end what it didn't open) and
// isolated, where its direction could matter, with the control characters for that (UAX #9 §2.4): they also work in
// titles and attributes, where an element can't be used. Each letter keeps only as many marks as real languages need.
// Text that needs none of this is returned unchanged.
func Text(s string) string {
	if harmless(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		line, rest, separator := cutLine(s)
		writeLine(&b, line)
		b.WriteString(separator)
		s = rest
	}
	return b.String()
}

// harmless reports whether text has no marks, and only characters written from left to right.
func harmless(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return !strings.ContainsFunc(s[i:], func(r rune) bool { return turns(r) || mark(r) })
		}
	}
	return true
}

func class(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

// turns reports whether a character is written from right to left, or controls the direction.
func turns(r rune) bool {
	switch class(r) {
	case bidi.R, bidi.AL, bidi.AN, bidi.LRE, bidi.RLE, bidi.LRO, bidi.RLO, bidi.PDF, bidi.LRI, bidi.RLI, bidi.FSI, bidi.PDI:
		return true
	case bidi.B: // a paragraph separator that is not a line break
		return r > unicode.MaxASCII
	}
	return false
}

func mark(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) }

// cutLine cuts s after its first paragraph: isolation ends there in any case.
func cutLine(s string) (line, rest, separator string) {
	i := strings.IndexFunc(s, func(r rune) bool { return class(r) == bidi.B })
	if i < 0 {
		return s, "", ""
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return s[:i], s[i+size:], s[i : i+size]
}

func writeLine(b *strings.Builder, line string) {
	if !strings.ContainsFunc(line, turns) {
		writeMarks(b, line)
		return
	}
	b.WriteRune(firstStrongIsolate)
	writeMarks(b, closed(line))
	b.WriteRune(popIsolate)
}

// writeMarks writes the line with at most mostMarks marks in a row.
func writeMarks(b *strings.Builder, line string) {
	marks := 0
	for _, r := range line {
		if !mark(r) {
			marks = 0
		} else if marks++; marks > mostMarks {
			continue
		}
		b.WriteRune(r)
	}
}

// closed drops characters that end something the line didn't open, and ends what it left open.
func closed(line string) string {
	var b strings.Builder
	var open []rune // the characters that end whatever is open, innermost last
	for _, r := range line {
		switch class(r) {
		case bidi.LRE, bidi.RLE, bidi.LRO, bidi.RLO:
			open = append(open, popFormatting)
		case bidi.LRI, bidi.RLI, bidi.FSI:
			open = append(open, popIsolate)
		case bidi.PDF: // ends what was opened last, unless that is an isolate
			if len(open) == 0 || open[len(open)-1] != popFormatting {
				continue
			}
			open = open[:len(open)-1]
		case bidi.PDI: // ends the last isolate, and everything open inside it
			i := len(open) - 1
			for i >= 0 && open[i] != popIsolate {
				i--
			}
			if i < 0 {
				continue
			}
			open = open[:i]
		}
		b.WriteRune(r)
	}
	for i := len(open) - 1; i >= 0; i-- {
		b.WriteRune(open[i])
	}
	return b.String()
}
