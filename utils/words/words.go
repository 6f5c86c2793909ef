// Package words splits a text into words, normalized for comparison: without accents, case, and alternative encodings
// of the same character.
//
// Does not belong here: what is searched, and how results are ranked (models).
package words

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// longest is how many characters of a word are kept. Longer words are only compared by these.
const longest = 40

// foldings are letters that people type without the stroke, or as two letters.
var foldings = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ħ", "h", "ı", "i", "ł", "l", "ŧ", "t", "þ", "th")

// fold normalizes a text for comparison.
func fold(text string) string {
	text = strings.Map(func(r rune) rune {
		if isAccent(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // upper first: two small letters may have one capital, as ς and σ
	}, norm.NFKD.String(text))
	return foldings.Replace(norm.NFKC.String(text))
}

// isAccent reports whether a mark may be ignored. Marks that make a different letter, such as vowels in Indic scripts
// or voiced sounds in Japanese, may not.
func isAccent(r rune) bool {
	return unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Inherited, unicode.Hebrew) && r != '\u3099' && r != '\u309a'
}

// Of returns the words of a text in order. Letters, digits and their marks form words; in scripts without spaces
// between words, each character is a word, and so is each emoji. Everything else separates words.
func Of(text string) (list []string) {
	word := make([]rune, 0, longest)
	end := func() {
		if len(word) > 0 {
			list = append(list, string(word))
			word = word[:0]
		}
	}
	for _, r := range fold(text) {
		switch {
		case alone(r):
			end()
			list = append(list, string(r))
		case !joined(r):
			end()
		case len(word) < longest:
			word = append(word, r)
		}
	}
	end()
	return list
}

func alone(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) && unicode.IsLetter(r) || isSymbol(r)
}

// isSymbol reports whether a character is an emoji or a similar symbol.
func isSymbol(r rune) bool { return unicode.Is(unicode.So, r) && r != utf8.RuneError }

func joined(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.M) }

// Tag normalizes a tag for comparison: "#" plus its letters and digits. It is empty if there are none.
func Tag(tag string) string {
	tag = strings.Map(func(r rune) rune {
		if joined(r) || isSymbol(r) {
			return r
		}
		return -1
	}, fold(tag))
	if tag == "" {
		return ""
	}
	if utf8.RuneCountInString(tag) > longest {
		tag = string([]rune(tag)[:longest])
	}
	return "#" + tag
}

var hashtags = regexp.MustCompile(`(?:^|[^\p{L}\p{M}\p{N}_#&/])#([\p{L}\p{M}\p{N}_]+)`)

// Tags are the #tags in a text.
func Tags(text string) (tags []string) {
	for _, found := range hashtags.FindAllStringSubmatch(text, -1) {
		if tag := Tag(found[1]); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Query is a parsed search query.
type Query struct {
	Words  []string // all must occur, in any order
	Prefix string   // a word must begin with this
	Tags   []string // these tags must occur exactly
}

// most is how many words and tags of a query are used.
const most = 8

// ParseQuery parses a query. The last word may be unfinished, unless a tag follows it.
func ParseQuery(text string) (q Query) {
	for part := range strings.FieldsSeq(text) {
		if tag := Tag(part); strings.HasPrefix(part, "#") {
			q.add(&q.Tags, tag)
			continue
		}
		for _, word := range Of(part) {
			q.add(&q.Words, word)
		}
	}
	if n := len(q.Words); n > 0 && !strings.HasPrefix(lastField(text), "#") {
		q.Prefix, q.Words = q.Words[n-1], q.Words[:n-1]
	}
	return q
}

func lastField(text string) string {
	fields := strings.Fields(text)
	return fields[len(fields)-1]
}

func (q *Query) add(to *[]string, word string) {
	if word != "" && len(q.Words)+len(q.Tags) < most && !slices.Contains(*to, word) {
		*to = append(*to, word)
	}
}

// Empty reports whether a query has no words and no tags.
func (q Query) Empty() bool { return len(q.Words) == 0 && len(q.Tags) == 0 && q.Prefix == "" }
